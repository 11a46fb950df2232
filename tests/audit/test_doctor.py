"""examine as a whole: the cache, the order, the gate, and the repaired lists."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from planted_dataset import draw

from toolkit.audit.code import SEVERITIES
from toolkit.audit.codes import CODES, findings_document
from toolkit.audit.dataset import find_root, load_dataset
from toolkit.audit.doctor import examine
from toolkit.audit.examination import locate
from toolkit.audit.findings import Line, found, in_order
from toolkit.audit.options import AuditOptions
from toolkit.audit.probing import probe_here
from toolkit.audit.repair import repaired
from toolkit.data.manifest import write_manifest
from toolkit.errors import DatasetError


class Counting:
    """A prober that notes what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, paths, max_pixels):
        self.asked += [path.name for path in paths]
        return probe_here(paths, max_pixels)


def test_second_run_decodes_only_what_changed(planted, tmp_path):
    cache = tmp_path / "out" / "facts.jsonl"
    prober = Counting()
    first = planted.examine(cache=cache, prober=prober)
    assert len(prober.asked) == 22
    prober.asked.clear()
    second = planted.examine(cache=cache, prober=prober)
    assert prober.asked == []
    assert (second.findings, second.facts) == (first.findings, first.facts)
    planted.add("train", "images/new.png", "a")
    Image.fromarray(draw(500, 81, 96)).save(planted.root / "images/train_a0.png")
    planted.examine(cache=cache, prober=prober)
    assert sorted(prober.asked) == ["new.png", "train_a0.png"]


def test_a_list_alone_keeps_what_the_cache_knows_of_the_others(planted, tmp_path):
    cache, prober = tmp_path / "facts.jsonl", Counting()
    planted.examine(cache=cache, prober=prober)
    planted.add("train", "images/new.png", "a")
    planted.write_lists()
    examine(load_dataset(planted.root, splits=["train"]), cache=cache, prober=prober)
    planted.examine(cache=cache, prober=prober)
    assert len(prober.asked) == 23


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"format":2', '"format":1'),
        lambda text: text.replace("Pillow", "Pillory"),
        lambda text: text.replace('"thumbnail":"', '"thumbnail":"!'),
        lambda text: text[:0],
    ],
)
def test_a_cache_that_cannot_be_used_is_made_anew(planted, tmp_path, spoil):
    cache, prober = tmp_path / "facts.jsonl", Counting()
    planted.examine(cache=cache, prober=prober)
    cache.write_text(spoil(cache.read_text()))
    planted.examine(cache=cache, prober=prober)
    planted.examine(cache=cache, prober=prober)
    assert len(prober.asked) == 44


def test_another_limit_of_pixels_does_not_use_the_cache(planted, tmp_path):
    cache = tmp_path / "facts.jsonl"
    planted.examine(cache=cache)
    assert planted.found(AuditOptions(max_pixels=100), cache=cache)[0][0] == "image.bomb"


def test_an_interrupted_run_keeps_what_it_measured(planted, tmp_path):
    cache = tmp_path / "facts.jsonl"

    def interrupted(paths, max_pixels):
        yield from probe_here(paths[:5], max_pixels)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        planted.examine(cache=cache, prober=interrupted)
    prober = Counting()
    planted.examine(cache=cache, prober=prober)
    assert len(prober.asked) == 17


def plant_everything(planted):
    """Many faults at once, some of them on the same pictures."""
    first = planted.read("images/train_a0.png")
    planted.add("query", "images/copy.bmp", "x", first)
    planted.add("gallery", "images/copy2.bmp", "y", first)
    planted.add("query", "images/self.png", "x", planted.read("images/gallery_x1.png"))
    planted.add("train", "images/twice.png", "b", planted.read("images/train_a1.png"))
    planted.add("query", "images/new.png", "z")
    planted.add("gallery", "images/only.png", "w")
    planted.add_file("gallery", "images/only.png", "w", b"broken")
    planted.add("query", "images/lost.png", "w")
    planted.add_file("train", "images/empty.png", "a", b"")
    planted.add_row("train", "images/gone.png a")
    planted.add_row("train", "../outside.png a")
    planted.add_row("train", "malformed")
    planted.add_row("train", "images/train_c0.png c")
    planted.add("train", "images/dark.png", "c", np.zeros((40, 40, 3), np.uint8))


def test_repaired_lists_have_no_error_left(planted, tmp_path):
    plant_everything(planted)
    diagnosis = planted.examine()
    assert diagnosis.counts["severity"]["error"] >= 10
    before = {split: (planted.root / f"{split}.txt").read_bytes() for split in planted.rows}
    for split, samples in repaired(diagnosis).items():
        write_manifest(planted.root / f"{split}.txt", samples)
    again = examine(load_dataset(planted.root), workers=0)
    assert again.counts["severity"]["error"] == 0
    assert "image.dark" in again.counts["code"]
    assert "list.duplicate_line" not in again.counts["code"]
    assert before["train"] != (planted.root / "train.txt").read_bytes()


def test_repaired_lists_leave_out_exactly_the_bad_rows(planted):
    plant_everything(planted)
    kept = repaired(planted.examine())
    gone = {
        split: sorted(
            set(range(1, len(planted.rows[split]) + 1)) - {sample.line for sample in kept[split]}
        )
        for split in planted.rows
    }
    assert gone == {
        # a0 is in all lists under three labels; a1 has two labels; then the rows added.
        "train": [1, 2, 13, 14, 15, 16, 17, 18],
        "gallery": [7, 8, 9],
        # The copy of a0, the copy of a gallery picture, a label that the gallery never had, and
        # one whose only gallery row is broken.
        "query": [5, 6, 7, 8],
    }


def test_a_clean_dataset_is_repaired_to_itself(planted):
    for split, samples in repaired(planted.examine()).items():
        assert [f"{sample.path} {sample.label}" for sample in samples] == planted.rows[split]


@pytest.mark.parametrize(
    ("fault", "passed"),
    [
        (None, {"error": True, "warning": True, "never": True}),
        ("grey", {"error": True, "warning": True, "never": True}),
        ("dark", {"error": True, "warning": False, "never": True}),
        ("gone", {"error": False, "warning": False, "never": True}),
    ],
)
def test_gate(planted, fault, passed):
    if fault == "grey":
        planted.add("train", "images/grey.png", "a", draw(80)[..., 0])
    elif fault == "dark":
        planted.add("train", "images/dark.png", "a", np.zeros((40, 40, 3), np.uint8))
    elif fault == "gone":
        planted.add_row("train", "images/gone.png a")
    diagnosis = planted.examine()
    assert {fail_on: diagnosis.passed(fail_on) for fail_on in passed} == passed


def test_findings_are_ordered_and_rows_are_plain_json(planted):
    plant_everything(planted)
    findings = planted.examine().findings
    severities = [SEVERITIES.index(f.severity) for f in findings]
    assert severities == sorted(severities)
    row = json.loads(json.dumps(findings[0].row(), allow_nan=False))
    assert list(row) == [
        "code", "severity", "message", "fix", "split", "files", "lines", "label", "value",
        "threshold",
    ]  # fmt: skip
    assert all(f.files or f.lines for f in findings)


@given(st.permutations(range(6)))
def test_order_does_not_depend_on_the_order_of_the_checks(order):
    findings = [
        found(code, "m", split="train", lines=[Line("train.txt", number)])
        for number in (1, 2)
        for code in ("image.grey", "image.missing", "image.dark")
    ]
    assert in_order([findings[i] for i in order]) == in_order(findings)


def test_findings_document_on_disk_is_the_generated_one(repository):
    document = findings_document()
    assert (repository / "docs" / "findings.md").read_text(encoding="utf-8") == document
    assert all(f"`{code}`" in document for code in CODES)


def test_every_threshold_is_documented():
    options = {code.option for code in CODES.values()} - {None}
    told = {"near_duplicate_radius"}  # in the meaning of the near duplicates
    assert options | told == set(AuditOptions.__dataclass_fields__)


def test_locate():
    root = Path("/data/set")
    assert locate(root, "a/../b.png") == (Path("/data/set/b.png"), True)
    assert locate(root, "../set/b.png") == (Path("/data/set/b.png"), True)
    assert locate(root, "../set2/b.png") == (Path("/data/set2/b.png"), False)
    assert locate(root, "/etc/passwd") == (Path("/etc/passwd"), False)
    assert locate(root, ".") == (Path("/data/set"), False)


def test_root_is_found_below_only_when_it_is_the_only_one(planted):
    planted.write_lists()
    above = planted.root.parent
    assert find_root(planted.root) == planted.root
    assert find_root(above) == planted.root
    second = above / "second" / "deep"
    second.mkdir(parents=True)
    for split in planted.rows:
        (second / f"{split}.txt").touch()
    with pytest.raises(DatasetError, match=r"2 folders below it have.*second"):
        find_root(above)


def test_root_that_is_not_there(tmp_path):
    with pytest.raises(DatasetError, match="does not exist"):
        find_root(tmp_path / "none")
    with pytest.raises(DatasetError, match=r"holds no train\.txt"):
        find_root(tmp_path)


def test_all_missing_lists_are_named(planted):
    planted.write_lists()
    (planted.root / "gallery.txt").unlink()
    (planted.root / "query.txt").unlink()
    with pytest.raises(DatasetError, match=r"no gallery\.txt and no query\.txt"):
        load_dataset(planted.root)


@pytest.mark.slow
def test_real_photographs_and_drawings_give_few_warnings(grocery):
    photographs = examine(load_dataset(grocery)).counts
    assert photographs["severity"]["error"] == 0
    assert photographs["severity"]["warning"] <= 5
    drawings = examine(load_dataset(grocery.parent / "omniglot")).counts
    assert (drawings["severity"]["error"], drawings["severity"]["warning"]) == (0, 0)
