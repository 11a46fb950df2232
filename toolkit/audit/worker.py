"""A process that measures image files: paths come in, a list a line; their facts go out likewise.

Run by `toolkit.audit.probing` as ``python -m toolkit.audit.worker MAX_PIXELS``. A decoder that
crashes on a hostile file takes this process down and nothing else. It ends when its input ends,
so none stays behind when the parent is killed.
"""

import json
import os
import sys
import warnings
from pathlib import Path

import cv2

from toolkit.audit.measure import measure_file

READY = "ready"


def main(max_pixels: int) -> None:
    """Serves until the input ends."""
    # The answers keep the pipe to themselves: whatever a C library prints goes to standard error.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    warnings.simplefilter("ignore")
    # The processes share the cores; threads inside each would only fight over them.
    cv2.setNumThreads(1)
    answers.write(f"{READY}\n")
    answers.flush()
    for line in sys.stdin:
        facts = [
            measure_file(Path(path), max_pixels=max_pixels).to_json() for path in json.loads(line)
        ]
        answers.write(json.dumps(facts, separators=(",", ":")) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
