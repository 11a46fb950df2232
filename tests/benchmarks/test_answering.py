import sys
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.answering import Answering

ECHO = """
import json, os, sys
print("ready", flush=True)
for line in sys.stdin:
    if line == "end\\n":
        print("last words", file=sys.stderr)
        break
    print(json.dumps({"order": line, "variable": os.environ["OF_ITS_OWN"]}), flush=True)
"""


def test_orders_are_answered_until_the_process_ends(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "echo.log"
    with closing(Answering([sys.executable, "-c", ECHO], {"OF_ITS_OWN": "7"}, log)) as process:
        assert process.ask("first") == {"order": "first\n", "variable": "7"}
        assert process.ask("second")["order"] == "second\n"
        with pytest.raises(SystemExit, match="last words"):
            process.ask("end")
        with pytest.raises(SystemExit, match="last words"):
            process.ask("too late")


def test_a_process_that_never_starts_is_told(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no module of this name"):
        Answering(
            [sys.executable, "-c", "raise SystemExit('no module of this name')"],
            {},
            tmp_path / "log",
        )
