"""Servers that are measured, as processes of their own: this toolkit's, and PaddleX's."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import yaml

from benchmarks.conformance.environments import REPOSITORY, python_of

TOKEN = "of-the-benchmark"  # noqa: S105 - of a server that lives for a measurement
# The last whose server works: since 3.5 a feature is the matrix of its batch, and
# /shitu-index-build fails with "too many values to unpack (expected 2)".
PADDLEX = "3.4.3"
_STARTING_SECONDS = 120
_READY = "Uvicorn running on "


@contextmanager
def toolkit_server(model: Path, root: Path, folder: Path) -> Iterator[str]:
    """Runs our server, and yields its address."""
    command = [sys.executable, "main.py", "-c", "configs/service/retrieval.yaml"]
    for override in (
        f"Global.output={folder}", f"Serve.model_dir={model}", f"Serve.root={root}", "Serve.port=0",
    ):  # fmt: skip
        command += ["-o", override]

    def address(line: str) -> str | None:
        is_it = '"Ready: ' in line
        return str(json.loads(line)["message"]).removeprefix("Ready: ") if is_it else None

    with _running(command, {"TOOLKIT_TOKEN": TOKEN}, folder / "server.log", address) as found:
        yield found


@contextmanager
def paddlex_server(model: Path, folder: Path) -> Iterator[str]:
    """Runs PaddleX's server of its pipeline PP-ShiTuV2, and yields its address.

    The pipeline cannot do without a detector. Its is one that finds nothing in no time, so that the
    whole picture is recognised, as our server does without a detector.
    """
    python = python_of(
        "paddlex_serving",
        ["paddlepaddle>=3.0,<4", f"paddlex[cv,serving]=={PADDLEX}"],
        constrained=False,
        room="peers",
    )
    settings = {
        "pipeline_name": "PP-ShiTuV2", "index": "None", "rec_topk": 10, "rec_threshold": 0.0,
        "det_threshold": 0.5,
        "SubModules": {
            "Detection": _module("PP-ShiTuV2_det", _blind_detector(folder / "detector")),
            "Recognition": _module("PP-ShiTuV2_rec", model),
        },
    }  # fmt: skip
    file, port = folder / "pipeline.yaml", _free_port()
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    command = [
        str(python.with_name("paddlex")), "--serve", "--pipeline", str(file),
        "--host", "127.0.0.1", "--port", str(port), "--device", "cpu",
    ]  # fmt: skip

    def address(line: str) -> str | None:
        return f"http://127.0.0.1:{port}" if _READY in line else None

    quiet = {"PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True"}
    # It keeps its indexes in .index, wherever it is started.
    with _running(command, quiet, folder / "paddlex.log", address, folder) as found:
        yield found


def posted(address: str, body: object) -> dict[str, object]:
    """Sends JSON to a server, and returns what is in its answer's ``result``."""
    headers = {"Authorization": TOKEN, "Content-Type": "application/json"}
    request = Request(address, json.dumps(body).encode(), headers)  # noqa: S310 - our own servers
    with urlopen(request, timeout=_STARTING_SECONDS) as answer:  # noqa: S310
        told: dict[str, object] = json.loads(answer.read())["result"]
    return told


@contextmanager
def _running(
    command: Sequence[str],
    variables: Mapping[str, str],
    log: Path,
    address: Callable[[str], str | None],
    inside: Path = REPOSITORY,
) -> Iterator[str]:
    """Runs a server until the block ends, and yields the address that a line of its log tells."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as written:
        process = subprocess.Popen(
            command, cwd=inside, env=os.environ | variables,
            stdout=written, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield _address(process, log, address)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _address(
    process: "subprocess.Popen[bytes]", log: Path, address: Callable[[str], str | None]
) -> str:
    until = time.monotonic() + _STARTING_SECONDS
    while process.poll() is None and time.monotonic() < until:
        for line in log.read_text(encoding="utf-8").splitlines():
            if (found := address(line)) is not None:
                return found
        time.sleep(0.05)
    raise SystemExit(log.read_text(encoding="utf-8")[-3000:])


def _module(name: str, folder: Path) -> dict[str, object]:
    kind = "image_feature" if name.endswith("_rec") else "mainbody_detection"
    return {"module_name": kind, "model_name": name, "model_dir": str(folder), "batch_size": 1}


def _blind_detector(folder: Path) -> Path:
    """Writes a detector that gives one box of score 0."""
    import paddle

    class Blind(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            # Without a parameter there would be no file of them, which PaddleX insists on.
            self.nothing = self.create_parameter(
                [1, 6], default_initializer=paddle.nn.initializer.Constant(0.0)
            )

        def forward(self, image: paddle.Tensor, scale_factor: paddle.Tensor) -> object:
            return self.nothing * (image.mean() + scale_factor.mean()), paddle.ones([1], "int32")

    spec = [
        paddle.static.InputSpec([1, 3, 64, 64], "float32", "image"),
        paddle.static.InputSpec([1, 2], "float32", "scale_factor"),
    ]
    layer = Blind()
    layer.eval()
    paddle.jit.save(layer, str(folder / "inference"), input_spec=spec)
    described = {
        "mode": "paddle", "draw_threshold": 0.5, "arch": "PicoDet",
        "Global": {"model_name": "PP-ShiTuV2_det"},
        "Preprocess": [
            {"type": "Resize", "interp": 0, "keep_ratio": False, "target_size": [64, 64]},
            {"type": "NormalizeImage", "is_scale": True, "mean": [0.0] * 3, "std": [1.0] * 3},
            {"type": "Permute"},
        ],
        "label_list": ["foreground"],
    }  # fmt: skip
    (folder / "inference.yml").write_text(yaml.safe_dump(described), encoding="utf-8")
    return folder


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        port: int = opened.getsockname()[1]
    return port
