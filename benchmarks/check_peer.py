"""Runs cleanvision on a list of pictures; it is started by `benchmarks.check` in its environment.

    python check_peer.py LIST RESULT [N_JOBS]

LIST has a path a line. RESULT gets one JSON object: seconds of the work (without imports), the
version, n_jobs, the paths of each issue type, the sets of duplicates, and the exception if it ends
with one. It imports nothing of this repository.
"""

import json
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any


def run(paths: list[str], n_jobs: int) -> dict[str, Any]:
    """Looks for every kind of issue with the default thresholds."""
    from cleanvision import Imagelab

    started = time.perf_counter()
    laboratory = Imagelab(filepaths=paths, verbose=False)
    laboratory.find_issues(n_jobs=n_jobs, verbose=False)
    seconds = time.perf_counter() - started
    issues = laboratory.issues
    kinds = [column[3:-6] for column in issues.columns if column.endswith("_issue")]
    return {
        "seconds": seconds,
        "issues": {kind: sorted(issues.index[issues[f"is_{kind}_issue"]]) for kind in kinds},
        "sets": {
            kind: laboratory.info[kind]["sets"] for kind in ("exact_duplicates", "near_duplicates")
        },
    }


def main() -> None:
    """Runs it, or only says how many processes it takes by default, and writes what came of it."""
    from cleanvision.utils.utils import get_max_n_jobs

    warnings.simplefilter("ignore", DeprecationWarning)
    paths = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    default = get_max_n_jobs()
    n_jobs = int(sys.argv[3]) if len(sys.argv) > 3 else default
    result: dict[str, Any] = {
        "version": version("cleanvision"),
        "n_jobs": n_jobs,
        "default_n_jobs": default,
    }
    if paths:
        try:
            result |= run(paths, n_jobs)
        except Exception as error:  # what ends it is one of the figures
            result["error"] = f"{type(error).__name__}: {error}"
    Path(sys.argv[2]).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
