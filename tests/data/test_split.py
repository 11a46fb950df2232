import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from toolkit.data import replace_files as replacing
from toolkit.data.manifest import CAMERA_COLUMNS, Sample, read_manifest
from toolkit.data.replace_files import replace_files, restore
from toolkit.data.split import OpenSetError, SplitOptions, divide, split_dataset
from toolkit.errors import DatasetError

SPLITS = ("train", "gallery", "query")


def options(by="image", percents=(50, 30, 20), **others):
    return SplitOptions(*percents, by=by, **others)


def samples_of(sizes):
    return [
        Sample(f"{label}/{i}.jpg", label, 1) for label, size in sizes.items() for i in range(size)
    ]


def counts(split):
    return {name: dict(Counter(s.label for s in rows)) for name, rows in split.samples.items()}


def read(root, name):
    manifest = read_manifest(root / f"{name}.txt", root=root, split=name)
    assert manifest.problems == []
    return [(s.path, s.label) for s in manifest.samples]


def write(root, **lists):
    for name, text in lists.items():
        root.joinpath(f"{name}.txt").write_bytes(text.encode())


def closed_set(root):
    write(
        root,
        train="".join(f"{label}/{i}.jpg {label}\n" for label in "ab" for i in range(6)),
        gallery="".join(f"{label}/{i}.jpg {label}\n" for label in "ab" for i in (6, 7)),
        query="".join(f"{label}/{i}.jpg {label}\n" for label in "ab" for i in (8, 9)),
    )
    return root


def contents(root):
    return {path.name: path.read_bytes() for path in root.iterdir()}


@pytest.mark.parametrize(
    "percents", [(33.4, 33.3, 33.3), (0.1 + 0.2, 49.7, 50), (50, 30, 20), (98, 1, 1)]
)
def test_percents_that_add_up(percents):
    assert options(percents=percents).percents == percents


@pytest.mark.parametrize(
    ("percents", "message"),
    [
        ((50, 30, 30), r"add up to 100, got 50 \+ 30 \+ 30, which is 110"),
        ((100, 0, 0), "must be above 0"),
        ((110, -5, -5), "must be above 0"),
        ((float("nan"), 50, 50), "must be above 0"),
    ],
)
def test_percents_that_do_not(percents, message):
    with pytest.raises(ValueError, match=message):
        options(percents=percents)


def test_unknown_way():
    with pytest.raises(ValueError, match="'image' or 'class', got 'label'"):
        options(by="label")


def test_by_image_divides_every_class():
    split = divide(samples_of({"a": 10, "b": 20, "c": 3, "d": 2, "e": 1}), options())
    assert counts(split) == {
        "train": {"a": 5, "b": 10, "c": 1, "d": 2, "e": 1},
        "gallery": {"a": 3, "b": 6, "c": 1},
        "query": {"a": 2, "b": 4, "c": 1},
    }
    assert split.small_classes == ["d", "e"]


def test_by_image_totals_follow_the_percents_over_many_small_classes():
    # Rounded class by class, 50 classes of 7 would give 4 + 2 + 1: 57% + 29% + 14%.
    split = divide(samples_of({str(i): 7 for i in range(50)}), options())
    assert [len(split.samples[name]) for name in SPLITS] == [175, 105, 70]


def test_by_class_keeps_classes_apart():
    split = divide(samples_of({str(i): 10 for i in range(10)}), options("class"))
    train, gallery, query = (set(counts(split)[name]) for name in SPLITS)
    assert len(train) == 5
    assert gallery == query
    assert not train & gallery
    assert set(counts(split)["gallery"].values()) == {6}
    assert set(counts(split)["query"].values()) == {4}


def test_by_class_puts_lone_images_into_the_gallery():
    split = divide(samples_of({str(i): 1 + i % 2 for i in range(40)}), options("class"))
    lone = {str(i) for i in range(0, 40, 2)}
    assert set(split.small_classes) <= lone
    assert split.small_classes
    assert set(split.small_classes) <= set(counts(split)["gallery"])
    assert not lone & set(counts(split)["query"])


def test_the_seed_decides_and_the_order_of_rows_does_not():
    samples = samples_of({"a": 30, "b": 30})
    for by in ("image", "class"):
        first = divide(samples, options(by, seed=1))
        assert divide(samples[::-1], options(by, seed=1)) == first
        assert any(divide(samples, options(by, seed=seed)) != first for seed in (2, 3, 4))


def test_rows_of_one_picture_stay_together():
    samples = samples_of({"a": 9, "b": 9})
    twice = [*samples, *(Sample(f"./{s.path}", s.label, 2) for s in samples)]
    for seed in range(5):
        split = divide(twice, options(seed=seed))
        places = [{Path(s.path) for s in rows} for rows in split.samples.values()]
        assert sum(map(len, places)) == 18
        assert sum(map(len, split.samples.values())) == 36


@settings(deadline=None, derandomize=True)
@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 25), min_size=2),
    st.tuples(st.integers(1, 60), st.integers(1, 39)),
    st.sampled_from(["image", "class"]),
    st.integers(0, 3),
)
def test_every_row_lands_once_and_classes_reach_gallery_and_query(sizes, shares, by, seed):
    train, gallery = shares
    samples = samples_of(sizes)
    possible = any(size >= 3 for size in sizes.values())
    if by == "class":
        possible = all(size >= 2 for size in sizes.values())
    assume(possible)
    split = divide(samples, options(by, (train, gallery, 100 - train - gallery), seed=seed))
    rows = [s for name in SPLITS for s in split.samples[name]]
    assert sorted(rows, key=lambda s: s.path) == sorted(samples, key=lambda s: s.path)
    found = counts(split)
    assert all(found.values())
    held_out = set(sizes) - set(found["train"]) if by == "class" else set(sizes)
    whole = held_out - set(split.small_classes)
    assert set(found["query"]) == whole
    assert whole <= set(found["gallery"])
    assert set(split.small_classes) == {
        label for label in held_out if sizes[label] < (3 if by == "image" else 2)
    }


@pytest.mark.parametrize(
    ("sizes", "by", "message"),
    [
        ({"a": 2, "b": 1}, "image", "No class has 3 images"),
        ({"a": 9}, "class", "at least 2 classes, found 1"),
        ({"a": 1, "b": 1}, "class", "no query would be left"),
    ],
)
def test_outcomes_with_an_empty_list_are_refused(sizes, by, message):
    with pytest.raises(DatasetError, match=message):
        divide(samples_of(sizes), options(by))


def test_files_are_joined_without_fusing_rows(tmp_path):
    # No line end at the end of any file, one with a byte order mark, one missing.
    write(tmp_path, train="a 1.jpg\t1\nb.jpg 1", gallery="\ufeffc.jpg 1\r\nd.jpg 1\r\ne.jpg 1")
    split_dataset(tmp_path, options())
    rows = [row for name in SPLITS for row in read(tmp_path, name)]
    assert sorted(rows) == [
        ("a 1.jpg", "1"), ("b.jpg", "1"), ("c.jpg", "1"), ("d.jpg", "1"), ("e.jpg", "1"),
    ]  # fmt: skip


def test_originals_are_kept_and_the_first_one_for_ever(tmp_path):
    before = contents(closed_set(tmp_path))
    first = split_dataset(tmp_path, options())
    assert [path.name for path in first.backups] == [f"{name}.txt.bak" for name in SPLITS]
    second_before = contents(tmp_path)
    split_dataset(tmp_path, options(seed=1))
    split_dataset(tmp_path, options(seed=2))
    after = contents(tmp_path)
    for name in SPLITS:
        assert after[f"{name}.txt.bak"] == before[f"{name}.txt"]
        assert after[f"{name}.txt.bak.1"] == second_before[f"{name}.txt"]
    assert set(after) == {
        f"{name}.txt{s}" for name in SPLITS for s in ("", ".bak", ".bak.1", ".bak.2")
    }


def test_cameras_survive(tmp_path):
    write(tmp_path, train="".join(f"{i}.jpg 1 c{i}\n" for i in range(5)))
    split_dataset(tmp_path, options(), CAMERA_COLUMNS)
    manifest = read_manifest(
        tmp_path / "train.txt", root=tmp_path, split="train", columns=CAMERA_COLUMNS
    )
    assert all(sample.camera == f"c{sample.path[0]}" for sample in manifest.samples)


def test_an_open_set_is_not_split_by_image(tmp_path):
    write(
        tmp_path,
        train="a.jpg 1\nb.jpg 1\nc.jpg 1\n",
        gallery="d.jpg 2\n",
        query="e.jpg 2\nf.jpg 2\n",
    )
    before = contents(tmp_path)
    with pytest.raises(OpenSetError, match=r"split\.by: class"):
        split_dataset(tmp_path, options())
    assert contents(tmp_path) == before
    split_dataset(tmp_path, options("class"))
    split_dataset(tmp_path, options(force=True))
    assert {label for _, label in read(tmp_path, "query")} == {"1", "2"}


def test_rows_that_cannot_be_read_are_all_named_and_nothing_changes(tmp_path):
    write(tmp_path, train="a.jpg 1\nb.jpg\n", query="c\td\te\nf.jpg 1\n")
    before = contents(tmp_path)
    with pytest.raises(DatasetError) as caught:
        split_dataset(tmp_path, options())
    assert "train.txt:2: 1 blank-separated" in str(caught.value)
    assert "query.txt:1: 3 tab-separated" in str(caught.value)
    assert contents(tmp_path) == before


def test_nothing_to_split(tmp_path):
    with pytest.raises(DatasetError, match="has none of train"):
        split_dataset(tmp_path, options())
    write(tmp_path, train="\n")
    with pytest.raises(DatasetError, match="have no rows"):
        split_dataset(tmp_path, options())


class Killed(BaseException):
    """Stands for the process being killed: nothing runs after it."""


def steps_of(monkeypatch, run):
    """Counts the file operations of a call, by letting none of them fail."""
    return _fail_at(monkeypatch, run, None, OSError)


def _fail_at(monkeypatch, run, at, error):
    done = 0

    def counted(original):
        def operation(*arguments, **options):
            nonlocal done
            if done == at:
                done += 1
                raise error
            done += 1
            return original(*arguments, **options)

        return operation

    with monkeypatch.context() as patch:
        for name in ("replace", "unlink", "write_bytes", "read_bytes"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        run()
    return done


TEXTS = {"train.txt": "new\n", "gallery.txt": "new too\n", "query.txt": "made new\n"}


def two_lists(root):
    for path in root.iterdir():
        path.unlink()
    write(root, train="old\n", gallery="old too\n")
    root.joinpath("train.txt.bak").write_text("oldest\n")
    return root


def test_a_failure_at_any_step_changes_nothing(tmp_path, monkeypatch):
    before = contents(two_lists(tmp_path))
    steps = steps_of(monkeypatch, lambda: replace_files(tmp_path, TEXTS))
    assert steps > 20
    assert contents(tmp_path) == {
        **{name: text.encode() for name, text in TEXTS.items()},
        "train.txt.bak": b"oldest\n",
        "train.txt.bak.1": b"old\n",
        "gallery.txt.bak": b"old too\n",
    }
    for step in range(steps):
        two_lists(tmp_path)
        with pytest.raises(DatasetError, match=r"cannot be written in .*: disk full"):
            _fail_at(
                monkeypatch, lambda: replace_files(tmp_path, TEXTS), step, OSError("disk full")
            )
        assert contents(tmp_path) == before, f"step {step}"


def test_a_process_killed_at_any_step_is_put_back_by_the_next(tmp_path, monkeypatch):
    before = contents(two_lists(tmp_path))
    steps = steps_of(monkeypatch, lambda: replace_files(tmp_path, TEXTS))
    for step in range(steps):
        two_lists(tmp_path)
        with monkeypatch.context() as patch:
            # A killed process tidies nothing.
            patch.setattr(replacing, "restore", lambda _: False)
            with pytest.raises(Killed):
                _fail_at(monkeypatch, lambda: replace_files(tmp_path, TEXTS), step, Killed())
        restore(tmp_path)
        found = {name: data for name, data in contents(tmp_path).items() if ".tmp" not in name}
        assert found == before, f"step {step}"


def test_being_killed_while_putting_back_does_no_harm(tmp_path, monkeypatch):
    two_lists(tmp_path)
    before = contents(tmp_path)
    # As it stands after the first rename.
    entries = [
        {"name": "train.txt", "new": ".train.txt.new", "backup": "train.txt.bak.1"},
        {"name": "gallery.txt", "new": ".gallery.txt.new", "backup": "gallery.txt.bak"},
        {"name": "query.txt", "new": ".query.txt.new", "backup": None},
    ]
    names = {
        **before,
        "train.txt": b"new\n",
        "train.txt.bak.1": b"old\n",
        ".gallery.txt.new": b"new",
    }
    names |= {"gallery.txt.bak": b"old too\n", ".query.txt.new": b"made new\n"}
    names[".replace.journal.json"] = json.dumps({"format_version": 1, "files": entries}).encode()
    for step in range(20):
        for path in tmp_path.iterdir():
            path.unlink()
        for name, data in names.items():
            tmp_path.joinpath(name).write_bytes(data)
        try:
            _fail_at(monkeypatch, lambda: restore(tmp_path), step, Killed())
        except Killed:
            assert restore(tmp_path)
        assert contents(tmp_path) == before, f"step {step}"


def test_restore_without_a_journal_and_with_a_later_one(tmp_path):
    assert not restore(tmp_path)
    tmp_path.joinpath(".replace.journal.json").write_text('{"format_version": 2, "files": []}')
    with pytest.raises(DatasetError, match="format version 2, expected 1"):
        restore(tmp_path)


def half_replaced(root):
    """The lists as a process leaves them that was killed after the first of three renames."""
    closed_set(root)
    entries = [
        {"name": f"{name}.txt", "new": f".{name}.txt.new", "backup": f"{name}.txt.bak"}
        for name in SPLITS
    ]
    for name in SPLITS:
        root.joinpath(f"{name}.txt.bak").write_bytes(root.joinpath(f"{name}.txt").read_bytes())
        root.joinpath(f".{name}.txt.new").write_text("a/0.jpg a\n")
    root.joinpath(".train.txt.new").replace(root / "train.txt")
    journal = {"format_version": 1, "files": entries}
    root.joinpath(".replace.journal.json").write_text(json.dumps(journal))
    return root


def test_a_split_after_a_killed_one_starts_from_the_original_lists(tmp_path):
    (tmp_path / "killed").mkdir()
    (tmp_path / "whole").mkdir()
    again = split_dataset(half_replaced(tmp_path / "killed"), options())
    plain = split_dataset(closed_set(tmp_path / "whole"), options())
    assert counts(again) == counts(plain)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_reading_after_a_killed_split_starts_from_the_original_lists(tmp_path):
    from toolkit.audit.dataset import find_root, load_dataset

    dataset = load_dataset(find_root(half_replaced(tmp_path)))
    assert [len(manifest.samples) for manifest in dataset.manifests] == [12, 4, 4]
    assert not (tmp_path / ".replace.journal.json").exists()
