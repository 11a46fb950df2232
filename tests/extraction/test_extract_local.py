"""Extraction in one process: what is written for each row, and what a killed run leaves."""

import json
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.extraction.conftest import SPOILT
from toolkit.errors import DatasetError, ExtractionError
from toolkit.extraction.worker import Worker


def test_text_lines_are_easyvision_s_to_the_character(
    run_extract, listed, pictures, vectors, tmp_path
):
    report = run_extract(listed)
    lines = (tmp_path / "features.txt").read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    expected = vectors([*pictures, pictures[0]])
    assert len(lines) == len(expected) == 21
    for number, (line, feature) in enumerate(zip(lines, expected, strict=True)):
        path = pictures[number % 20]
        if number in SPOILT:
            assert line == f'{path},  {{"feature": null}}'
            continue
        start = f'{path},  {{"feature": ['
        assert line.startswith(start)
        assert line.endswith("]}")
        numbers = line[len(start) : -2].split(", ")
        assert all(repr(float(np.float32(float(text)))) == text for text in numbers)
        np.testing.assert_allclose(np.array(numbers, np.float64), feature, atol=1e-6)
    assert lines[0] == lines[20]
    assert report.passed
    assert report.merged.causes == {"not an image": 3}
    assert not (tmp_path / "features.txt.work").exists()


def test_reasons_go_to_a_file_of_their_own(run_extract, listed, pictures, tmp_path):
    run_extract(listed)
    errors = tmp_path / "features.txt.errors.jsonl"
    told = [json.loads(line) for line in errors.read_text().splitlines()]
    assert [one["row"] for one in told] == [number + 1 for number in SPOILT]
    assert [one["image"] for one in told] == [str(pictures[number]) for number in SPOILT]
    assert all("not a picture" in one["error"] for one in told)
    for number in SPOILT:
        pictures[number].write_bytes(pictures[0].read_bytes())
    run_extract(listed)
    assert not errors.exists(), "those of an earlier run would stand for these"


def test_a_killed_run_goes_on_and_writes_the_same_bytes(run_extract, listed, tmp_path, monkeypatch):
    run_extract(listed, "whole.txt")
    done: list[int] = []
    original = Worker.run

    def dies_over_the_third(self, piece):
        if piece.number == 2 and not done.count(-1):
            done.append(-1)
            raise KeyboardInterrupt
        done.append(piece.number)
        return original(self, piece)

    monkeypatch.setattr(Worker, "run", dies_over_the_third)
    with pytest.raises(KeyboardInterrupt):
        run_extract(listed, "part.txt")
    assert not (tmp_path / "part.txt").exists()
    report = run_extract(listed, "part.txt")
    assert done == [0, 1, -1, 2], "nothing is computed twice"
    assert report.computed == 5
    assert (tmp_path / "part.txt").read_bytes() == (tmp_path / "whole.txt").read_bytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dtype": "float16"}, "model.dtype: now 'float16', there 'float32'"),
        ({"shard_size": 4}, "shard_size: now 4, there 8"),
        ({"predict_threads": 2}, "model.threads: now 2, there 1"),
        ({}, "input: now '"),
    ],
)
def test_a_part_of_another_job_is_not_used(
    run_extract, listed, tmp_path, monkeypatch, change, said
):
    original = Worker.run

    def dies_over_the_second(self, piece):
        if piece.number:
            raise KeyboardInterrupt
        return original(self, piece)

    with monkeypatch.context() as patch:
        patch.setattr(Worker, "run", dies_over_the_second)
        with pytest.raises(KeyboardInterrupt):
            run_extract(listed)
    if not change:
        listed.write_text(listed.read_text(encoding="utf-8") + "more.png\n", encoding="utf-8")
    with pytest.raises(ExtractionError, match=re.escape(said)):
        run_extract(listed, **change)
    assert run_extract(listed, **change, resume=False).merged.rows in (21, 22)


def test_batch_and_shard_sizes_change_no_row(run_extract, listed, tmp_path):
    found = []
    for batch, shard in ((1, 1), (4, 8), (3, 5), (50, 7)):
        run_extract(listed, "x.npy", batch_size=batch, shard_size=shard)
        found.append(np.load(tmp_path / "x.npy"))
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=1e-5)
    # A shard takes whole batches, so its size does not even change a bit.
    run_extract(listed, "y.npy", batch_size=4, shard_size=1)
    assert (tmp_path / "y.npy").read_bytes() == _bytes_with(run_extract, listed, tmp_path, 16)


def _bytes_with(run_extract, listed: Path, tmp_path: Path, shard_size: int) -> bytes:
    run_extract(listed, "z.npy", batch_size=4, shard_size=shard_size)
    return (tmp_path / "z.npy").read_bytes()


def test_a_run_without_a_feature_has_not_passed_and_one_without_a_row_has(run_extract, tmp_path):
    (tmp_path / "bad.txt").write_text("a.png\nb.png\n")
    report = run_extract(tmp_path / "bad.txt")
    assert (report.passed, report.failed) == (False, 2)
    (tmp_path / "none.txt").write_text("\n \n")
    assert run_extract(tmp_path / "none.txt").passed
    assert (tmp_path / "features.txt").read_bytes() == b""


@pytest.mark.parametrize(("rate", "passed"), [(0.1, False), (3 / 21, True), (1.0, True)])
def test_the_error_rate_that_is_allowed(run_extract, listed, rate, passed):
    assert run_extract(listed, max_error_rate=rate).passed is passed


def test_a_list_that_is_not_there(run_extract):
    with pytest.raises(DatasetError, match=r"gone.txt: there is no such list"):
        run_extract("gone.txt")


def test_a_shard_that_a_worker_of_another_job_left_is_not_used(
    run_extract, listed, tmp_path, monkeypatch
):
    """A worker may outlive its run and write one more shard, into the folder of the next run."""
    original = Worker.run

    def dies_over_the_second(self, piece):
        if piece.number:
            raise KeyboardInterrupt
        return original(self, piece)

    run_extract(listed, "whole.npy")
    with monkeypatch.context() as patch:
        patch.setattr(Worker, "run", dies_over_the_second)
        for name, keys in (("a.npy", {}), ("b.npy", {"batch_size": 8})):
            with pytest.raises(KeyboardInterrupt):
                run_extract(listed, name, **keys)
    (tmp_path / "b.npy.work/0000000.shard").replace(tmp_path / "a.npy.work/0000000.shard")
    assert run_extract(listed, "a.npy").computed == 21
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_list(run_extract, tmp_path, monkeypatch):
    """A list eight times as long needs no more of Python's memory; the network is not in it."""
    (tmp_path / "blank.py").write_text(
        "import numpy as np\n"
        "class Blank:\n"
        "    def __init__(self, *a, **k): pass\n"
        "    def predict(self, pictures, batch_size):\n"
        "        return [np.ones(64, np.float32) for _ in pictures]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    peaks = []
    for rows in (250, 250, 2000):
        (tmp_path / "list.txt").write_text(f"{tmp_path}/x.png\n" * rows, encoding="utf-8")
        tracemalloc.start()
        run_extract(tmp_path / "list.txt", "x.npy", predictor="blank:Blank", shard_size=64)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # The first run imports what is imported once. The features of the long list are 512 kB.
    assert peaks[2] < peaks[1] + 100_000


@pytest.mark.parametrize("kind", [".txt", ".csv"])
def test_a_list_that_changes_while_it_is_worked_on(
    run_extract, pictures, tmp_path, monkeypatch, kind
):
    """Its rows are as many as before, so nothing else would tell."""
    source = tmp_path / f"list{kind}"
    header = "url\n" if kind == ".csv" else ""
    source.write_text(header + "a.png\nb.png\n")
    original = Worker.run

    def then_changed(self, piece):
        report = original(self, piece)
        source.write_text(header + "a.png\nc.png\n")
        return report

    monkeypatch.setattr(Worker, "run", then_changed)
    with pytest.raises(DatasetError, match="it has changed"):
        run_extract(source)
    assert not (tmp_path / "features.txt").exists()
