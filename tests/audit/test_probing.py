"""The worker processes: same facts as in this process, and no file can take the check down."""

import sys
from pathlib import Path

import pytest
from PIL import Image
from planted_dataset import draw

from toolkit.audit.probing import WorkerPool, probe_here

# A worker that dies on one name: always, or only the first time.
KILLER = """
import json, os, sys
from pathlib import Path
from toolkit.audit.measure import measure_file
print("ready", flush=True)
for line in sys.stdin:
    facts = []
    for path in map(Path, json.loads(line)):
        if path.name == "once.png" and not path.with_suffix(".seen").exists():
            path.with_suffix(".seen").touch()
            os._exit(7)
        if path.name == "killer.png":
            os.kill(os.getpid(), 9)
        facts.append(measure_file(path, max_pixels=int(sys.argv[1])).to_json())
    print(json.dumps(facts), flush=True)
"""


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.png" for name in ["a", "killer", "b", "once", "c"]]
    for seed, path in enumerate(paths):
        Image.fromarray(draw(seed, 20, 20)).save(path)
    return paths


def by_path(facts):
    return {fact.path: fact for fact in facts}


def test_workers_find_what_this_process_finds(files):
    (files[0].parent / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    files.append(files[0].parent / "broken.jpg")
    here = by_path(probe_here(files, 10**6))
    assert by_path(WorkerPool(2)(files, 10**6)) == here
    assert len(here) == 6


def test_a_file_that_kills_its_worker_is_named_and_the_rest_goes_on(files):
    pool = WorkerPool(2, [sys.executable, "-c", KILLER])
    facts = by_path(pool(files, 10**6))
    assert len(facts) == 5
    killer = facts.pop(str(files[1]))
    assert killer.failure.kind == "unreadable"
    assert "signal 9" in killer.failure.reason
    # A death that does not happen again was not the file's doing.
    assert all(fact.picture is not None for fact in facts.values())


def test_a_worker_that_does_not_start_is_an_error_with_what_it_said(files):
    pool = WorkerPool(1, [sys.executable, "-c", "raise SystemExit('no cv2 here')"])
    with pytest.raises(RuntimeError, match="no cv2 here"):
        list(pool(files, 10**6))


def test_stopping_early_ends_the_workers(files):
    answers = WorkerPool(1)(files, 10**6)
    next(answers)
    answers.close()  # hangs, or leaves a process and a ResourceWarning, when this is broken


def test_more_files_than_go_into_one_message(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(21)]
    for number, path in enumerate(paths):
        Image.fromarray(draw(number, 16, 16)).save(path)
    facts = list(WorkerPool(2)(paths, 10**6))
    assert sorted(Path(fact.path) for fact in facts) == sorted(paths)
    assert by_path(facts) == by_path(probe_here(paths, 10**6))


def test_nothing_to_do():
    assert list(WorkerPool(2)([], 10**6)) == []
