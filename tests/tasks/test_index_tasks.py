"""The modes build_index and search as functions: what goes in is found again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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
