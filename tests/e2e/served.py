"""A server as a process of its own, for the tests that need one."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[2]
TOKEN = "t0ken-of-the-test"  # noqa: S105 - opens a server that lives for a test
# Importing Paddle fails in the server: it must not need it.
_START = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("paddle", "torch", "tensorflow"):
            raise ImportError(name + " is not here")
sys.meta_path.insert(0, Blocked())
from toolkit.interfaces.cli import main
raise SystemExit(main(sys.argv[1:]))
"""


class Served:
    """A server that can be asked, stopped and killed."""

    def __init__(
        self,
        root: Path,
        output: Path,
        *overrides: str,
        words: Sequence[str] | None = None,
        inside: Sequence[str] = (),
    ) -> None:
        """Starts it.

        Args:
            root: of its databases.
            output: for its log and its report.
            overrides: of its configuration.
            words: of the command behind python, where they are not our own.
            inside: a command that runs another, whose words it gets.
        """
        output.mkdir(parents=True, exist_ok=True)
        self.log = output / "server.log"
        options = ["Serve.port=0", f"Global.output={output}", *overrides]
        command = [*inside, sys.executable, *(words or _own_words(root))]
        for option in options:
            command += ["-o", option]
        environment = {**os.environ, "TOOLKIT_TOKEN": f"{TOKEN}, reader read"}
        with self.log.open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        self.address = self._wait()

    def _wait(self) -> str:
        for _ in range(1200):
            for line in self.log.read_text(encoding="utf-8").splitlines():
                if '"Ready: ' in line:
                    return str(json.loads(line)["message"]).removeprefix("Ready: ")
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        self.process.kill()
        raise AssertionError(self.log.read_text(encoding="utf-8"))

    def ask(
        self, path: str, body: bytes | None = None, token: str = TOKEN, **headers: str
    ) -> tuple[int, Any]:
        """Sends a request as a plain script does, and returns the status and the JSON."""
        request = Request(  # noqa: S310 - our own server
            self.address + path, data=body, headers={"Authorization": token, **headers}
        )
        try:
            with urlopen(request, timeout=60) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read())
        except HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def open(self, path: str) -> Any:
        """Returns the open answer to a GET, with its headers and its bytes."""
        request = Request(self.address + path, headers={"Authorization": TOKEN})  # noqa: S310
        return urlopen(request, timeout=60)  # noqa: S310

    def call(self, name: str, **parameters: Any) -> dict[str, Any]:
        """Calls a function as PAI's sample scripts do: no Content-Type of JSON."""
        body = json.dumps({"function_name": name, "function_params": parameters}).encode()
        status, answer = self.ask("/api/predict/img_retrieval_001", body)
        assert status == 200, answer
        return dict(answer)

    def stop(self) -> int:
        """Ends it as a system does, and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kill(self) -> None:
        """Ends it as a power cut does."""
        self.process.kill()
        self.process.wait(60)


def _own_words(root: Path) -> list[str]:
    return ["-c", _START, "-c", "configs/service/retrieval.yaml", "-o", f"Serve.root={root}"]


def as_text(picture: bytes) -> str:
    """Returns a picture in base64."""
    return base64.b64encode(picture).decode()


__all__ = ["ROOT", "TOKEN", "Served", "URLError", "as_text"]
