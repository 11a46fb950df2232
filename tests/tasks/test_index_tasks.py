"""The modes build_index and search as functions: what goes in is found again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.index.stores import NO_MILVUS, has_milvus
from toolkit import run
from toolkit.errors import ConfigError, DatasetError, RecallTooLowError, VectorIndexError
from toolkit.index.database.opening import open_index

BUILD, SEARCH = "Global.mode=build_index", "Global.mode=search"
OWN_MODEL = ("Global.model=SmallResNet_general", "Index.model_dir=null", "Search.model_dir=null")


@pytest.fixture
def do(configure):
    """Runs a mode with the model that ships with the package."""
    pytest.importorskip("onnxruntime")
    return lambda *overrides: run(configure(*OWN_MODEL, *overrides))


@pytest.fixture
def pictures(drawn_dataset, tmp_path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "below").mkdir(parents=True)
    for number in range(6):
        place = folder / ("below" if number % 2 else ".") / f"{number}.png"
        shutil.copy(drawn_dataset / f"images/{number}_0.png", place)
    return folder


def _lines(report):
    return [json.loads(line) for line in report.files[0].read_text("utf-8").splitlines()]


def test_lists_go_in_and_every_picture_finds_itself(do, drawn_dataset, tmp_path):
    built = do(BUILD, f"Index.input={drawn_dataset}/gallery.txt")
    assert (built.facts.count, built.facts.kind, built.passed) == (12, "flat", True)
    assert "every vector is compared" in built.summary()
    report = do(SEARCH, f"Search.input={drawn_dataset}/images", "Search.topk=3", "Search.vote=true")
    by_query = {line["query"]: line for line in _lines(report)}
    names = [row.split()[0] for row in (drawn_dataset / "gallery.txt").read_text().splitlines()]
    for name in names:
        line = by_query[Path(name).name]
        assert line["hits"][0]["id"] == name
        assert line["hits"][0]["score"] == pytest.approx(1, abs=1e-5)
        assert len(line["hits"]) == 3
        assert {"label", "share"} <= line.keys()
    with Image.open(report.files[1]) as sheet:
        assert sheet.size[0] > 3 * 160


def test_the_datasets_own_lists_are_the_defaults(do):
    assert do(BUILD).facts.count == 12
    report = do(SEARCH)
    assert report.searched == 12
    assert report.right is not None
    assert report.to_json()["same_label_first"] == report.right


def test_a_second_build_computes_only_what_is_new(do, pictures):
    first = do(BUILD, f"Index.input={pictures}")
    assert (first.tally.written, first.tally.unchanged) == (6, 0)
    (pictures / "0.png").unlink()
    shutil.copy(pictures / "2.png", pictures / "new.png")
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(pictures / "4.png")
    (pictures / "bad.png").write_bytes(b"no picture")
    second = do(BUILD, f"Index.input={pictures}", "Index.remove_missing=true")
    assert (second.tally.written, second.tally.unchanged, second.tally.removed) == (2, 4, 1)
    assert [failure.split(":")[0] for failure in second.tally.failures] == ["bad.png"]
    assert second.facts.count == 6
    with pytest.raises(ConfigError, match=r"incremental is false"):
        do(BUILD, f"Index.input={pictures}", "Index.incremental=false")


def test_features_of_extract_are_an_input(do, pictures, tmp_path):
    for kind in ("npy", "parquet"):
        if kind == "parquet":
            pytest.importorskip("pyarrow")
        (pictures / "bad.png").write_bytes(b"no picture")
        file = tmp_path / f"features.{kind}"
        do(
            "Global.mode=extract",
            "Extract.model_dir=null",
            f"Extract.input={pictures}",
            f"Extract.output={file}",
            "Extract.num_worker=1",
            "Extract.engine=paddle" if kind == "npy" else "Extract.engine=auto",
        )
        built = do(BUILD, f"Index.input={file}", f"Index.folder={tmp_path / kind}")
        assert built.facts.count == 6
        assert len(built.tally.failures) == 1
        assert built.facts.fingerprint


def test_filters_and_thresholds_reach_the_search(do, drawn_dataset):
    do(BUILD)
    label = (drawn_dataset / "gallery.txt").read_text().split()[1]
    report = do(SEARCH, f"Search.where={{label: '{label}'}}", "Search.topk=12")
    assert {hit["record"]["label"] for line in _lines(report) for hit in line["hits"]} == {label}
    report = do(SEARCH, "Search.threshold=0.999999")
    assert "no match" in report.summary()


@pytest.mark.parametrize("rerank", ["query_expansion", "k_reciprocal"])
def test_reranking_keeps_the_same_pictures(do, rerank):
    do(BUILD)
    plain = _lines(do(SEARCH, "Search.topk=12"))
    again = _lines(do(SEARCH, "Search.topk=12", f"Search.rerank={rerank}"))
    for before, after in zip(plain, again, strict=True):
        assert {hit["id"] for hit in before["hits"]} == {hit["id"] for hit in after["hits"]}


def test_an_index_goes_out_to_paddlex_and_comes_back(do, pictures, tmp_path):
    first = do(BUILD, f"Index.input={pictures}", f"Index.export_paddlex={tmp_path / 'px'}")
    assert [file.name for file in first.files] == ["vector.index", "id_map.yaml"]
    again = do(BUILD, f"Index.input={tmp_path / 'px'}", f"Index.folder={tmp_path / 'again'}")
    assert again.facts.count == 6
    assert again.facts.metric == "inner_product"


def test_an_index_of_another_model_is_not_searched(do, pictures):
    do(BUILD, f"Index.input={pictures}", "Index.fingerprint=another")
    with pytest.raises(VectorIndexError, match="fingerprint 'another'"):
        do(SEARCH, f"Search.input={pictures}")
    report = do(SEARCH, f"Search.input={pictures}", "Search.check_model=false")
    assert report.searched == 6


def test_what_cannot_be_an_input_is_told(do, tmp_path, pictures):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no picture"):
        do(BUILD, f"Index.input={tmp_path / 'empty'}")
    np.save(tmp_path / "x.npy", np.ones((3, 4), np.float32))
    with pytest.raises(DatasetError, match="no names of its rows"):
        do(BUILD, f"Index.input={tmp_path / 'x.npy'}")
    (tmp_path / "x.npy.ids.txt").write_text("a\nb\n")
    with pytest.raises(DatasetError, match="2 lines"):
        do(BUILD, f"Index.input={tmp_path / 'x.npy'}")
    with pytest.raises(VectorIndexError, match="holds no index"):
        do(SEARCH, f"Search.input={pictures}")


def test_a_build_that_finds_too_little_fails(do, tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.normal(size=(3000, 32)).astype(np.float32))
    (tmp_path / "x.npy.ids.txt").write_text("".join(f"{n}\n" for n in range(3000)))
    overrides = (f"Index.input={tmp_path / 'x.npy'}", "Index.kind=ivf")
    with pytest.raises(RecallTooLowError):
        do(BUILD, *overrides, "Index.options={lists: 64, effort: 1}", "Index.min_recall=0.9")
    report = do(BUILD, *overrides, "Index.min_recall=0.9")
    assert report.facts.recall >= 0.9
    assert "recall@10" in report.summary()
    with open_index(report.place) as index:
        assert index.facts.kind == "ivf"


def test_a_wanted_rate_of_false_matches_sets_the_threshold(do, drawn_dataset):
    do(BUILD)
    report = do(SEARCH, "Search.false_match_rate=0.25", "Search.topk=12")
    threshold = report.threshold
    assert threshold.wanted == 0.25
    assert threshold.false_matches <= 0.25
    assert f"Scores from {threshold.threshold:.4f}" in report.summary()
    assert report.to_json()["threshold"]["threshold"] == threshold.threshold
    for line in _lines(report):
        assert all(hit["score"] >= threshold.threshold for hit in line["hits"])
    # Counted once more, from every score of a search without a threshold.
    listed = (line.split() for line in (drawn_dataset / "query.txt").read_text().splitlines())
    label_of, passed, found = dict(listed), [], []
    for line in _lines(do(SEARCH, "Search.topk=12")):
        hits = [hit for hit in line["hits"] if hit["id"] != line["query"]]
        own = label_of[line["query"]]
        strange = next(hit for hit in hits if hit["record"]["label"] != own)
        passed.append(strange["score"] >= threshold.threshold)
        is_match = hits[0]["score"] >= threshold.threshold
        found.append(is_match and hits[0]["record"]["label"] == own)
    assert np.mean(passed) == pytest.approx(threshold.false_matches)
    assert np.mean(found) == pytest.approx(threshold.found)
    with pytest.raises(ConfigError, match=r"Set one of them to null"):
        do(SEARCH, "Search.false_match_rate=0.25", "Search.threshold=0.5")


def test_a_whitened_index_whitens_what_comes_later_and_what_is_searched(do, pictures, tmp_path):
    built = do(BUILD, "Index.whitening=4")
    assert (built.facts.dimension, built.facts.count) == (4, 12)
    assert all(line["hits"][0]["score"] <= 1 for line in _lines(do(SEARCH)))
    later = do(BUILD, f"Index.input={pictures}", "Index.whitening=4")
    assert (later.facts.dimension, later.facts.count) == (4, 18)
    for line in _lines(do(SEARCH, f"Search.input={pictures}", "Search.topk=1")):
        assert line["hits"][0]["score"] == pytest.approx(1, abs=1e-5)
    with pytest.raises(ConfigError, match="is whitened to 4 numbers"):
        do(BUILD, "Index.whitening=5")


def test_what_milvus_has_not_is_told(do, tmp_path):
    for override in ("Index.kind=hnsw", "Index.whitening=4"):
        with pytest.raises(ConfigError, match="is for an index in a folder"):
            do(BUILD, f"Index.milvus={tmp_path / 'index.db'}", override)


@pytest.mark.slow
@pytest.mark.skipif(not has_milvus, reason=NO_MILVUS)
def test_a_collection_of_milvus_is_built_searched_and_added_to(do, drawn_dataset, tmp_path):
    address = tmp_path / "index.db"
    places = (f"Index.milvus={address}", f"Search.milvus={address}", "Search.topk=3")
    built = do(BUILD, *places)
    assert (built.facts.count, built.facts.kind) == (12, "milvus")
    assert built.place == f"pictures at {address}"
    in_folder = do(BUILD)
    assert in_folder.facts.fingerprint == built.facts.fingerprint
    plain = _lines(do(SEARCH, "Search.topk=3"))
    for mine, theirs in zip(plain, _lines(do(SEARCH, *places)), strict=True):
        assert [hit["id"] for hit in mine["hits"]] == [hit["id"] for hit in theirs["hits"]]
        for one, other in zip(mine["hits"], theirs["hits"], strict=True):
            assert other["record"] == one["record"]
            assert other["score"] == pytest.approx(one["score"], abs=1e-5)
    again = do(BUILD, *places)
    assert (again.tally.written, again.tally.unchanged) == (0, 12)
    reranked = do(SEARCH, *places, "Search.rerank=k_reciprocal", "Search.false_match_rate=0.5")
    assert reranked.threshold is not None
    with pytest.raises(VectorIndexError, match="fingerprint"):
        do(BUILD, *places, "Index.fingerprint=another")
