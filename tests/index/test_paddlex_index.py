import faiss
import numpy as np
import pytest
import yaml

from tests.index.database.conftest import make_vectors
from toolkit.errors import VectorIndexError
from toolkit.index.database.opening import create_index
from toolkit.index.paddlex import read_paddlex, write_paddlex


def _paddlex(folder, kind="Flat", metric="IP", n=40, numbers=None):
    """Writes what PaddleX 3's IndexData.save writes (specification: section 7 of its notes)."""
    folder.mkdir()
    vectors = make_vectors("cosine", n)
    numbers = np.arange(n) if numbers is None else numbers
    measure = faiss.METRIC_INNER_PRODUCT if metric == "IP" else faiss.METRIC_L2
    text = {"Flat": "IDMap2,Flat", "HNSW32": "IDMap2,HNSW32", "IVF": "IDMap2,IVF5,Flat"}[kind]
    index = faiss.index_factory(16, text, measure)
    index.train(vectors)
    index.add_with_ids(vectors, numbers)
    faiss.write_index(index, str(folder / "vector.index"))
    facts = {
        "id_map": {int(i): f"标签 {i % 3}" for i in numbers},
        "index_type": kind,
        "metric_type": metric,
    }
    (folder / "id_map.yaml").write_text(yaml.safe_dump(facts, allow_unicode=True), encoding="utf-8")
    return vectors


@pytest.mark.parametrize("kind", ["Flat", "HNSW32", "IVF"])
@pytest.mark.parametrize("metric", ["IP", "L2"])
def test_every_kind_of_paddlex_is_read(tmp_path, kind, metric):
    numbers = np.arange(40) * 3 + 5
    vectors = _paddlex(tmp_path / "px", kind, metric, numbers=numbers)
    found = read_paddlex(tmp_path / "px")
    assert (found.metric, found.dimension) == ({"IP": "inner_product", "L2": "l2"}[metric], 16)
    (block,) = found.blocks()
    assert block[0] == [str(n) for n in numbers]
    assert (block[1] == vectors).all()
    assert block[2][4] == {"label": f"标签 {numbers[4] % 3}"}


@pytest.mark.parametrize("metric", ["inner_product", "l2", "cosine"])
def test_an_index_goes_to_paddlex_and_back(tmp_path, metric):
    with create_index(tmp_path / "index", dimension=16, metric=metric) as index:
        records = [{"label": f"l{n % 4}"} if n % 5 else {} for n in range(30)]
        index.add([str(n + 7) for n in range(30)], make_vectors(metric, 30), records)
        index.remove(["9"])
        files = write_paddlex(index, tmp_path / "px")
        assert [file.name for file in files] == ["vector.index", "id_map.yaml"]
        ids, vectors, labels = next(read_paddlex(tmp_path / "px").blocks())
        for key, vector, record in zip(ids, vectors, labels, strict=True):
            (entry,) = index.get([key])
            assert (entry.vector == vector).all()
            assert record["label"] == entry.record.get("label", key)
        assert len(ids) == 29


def test_names_that_are_no_numbers_are_numbered(tmp_path):
    with create_index(tmp_path / "index", dimension=16) as index:
        index.add(["b", "a"], make_vectors("cosine", 2))
        write_paddlex(index, tmp_path / "px")
    assert next(read_paddlex(tmp_path / "px").blocks())[0] == ["0", "1"]


def test_a_pickle_is_never_read(tmp_path):
    _paddlex(tmp_path / "px")
    (tmp_path / "px" / "id_map.yaml").unlink()
    (tmp_path / "px" / "id_map.pkl").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(VectorIndexError, match="is a pickle, which can run code"):
        read_paddlex(tmp_path / "px")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not YAML"),
        ("a: 1", "no id_map"),
        ("{id_map: {0: a}, metric_type: IP}", "no label for the id 1"),
        ("{id_map: {0: a}, metric_type: hamming}", "metric_type is 'hamming'"),
        ("!!python/object/apply:os.system ['exit 1']", "is not YAML"),
    ],
)
def test_damaged_maps_are_told(tmp_path, text, message):
    _paddlex(tmp_path / "px")
    (tmp_path / "px" / "id_map.yaml").write_text(text)
    with pytest.raises(VectorIndexError, match=message):
        read_paddlex(tmp_path / "px")


def test_damaged_vectors_are_told(tmp_path):
    _paddlex(tmp_path / "px")
    (tmp_path / "px" / "vector.index").write_bytes(b"what is this" * 10)
    with pytest.raises(VectorIndexError, match="is not an index with a map of ids"):
        read_paddlex(tmp_path / "px")


def test_any_label_goes_to_paddlex_as_it_is(tmp_path):
    labels = ["a\nb: c", "'\"#", "苹果 \x85 \x7f", "😀", "", " x ", "7", "\\n", "- a" * 200]
    with create_index(tmp_path / "index", dimension=4) as index:
        index.add(
            [f"id{n}" for n in range(len(labels))],
            np.ones((len(labels), 4)),
            [{"label": label} for label in labels],
        )
        write_paddlex(index, tmp_path / "px")
    assert list(read_paddlex(tmp_path / "px").labels.values()) == labels


def test_a_whitened_index_does_not_go_to_paddlex(tmp_path):
    with create_index(tmp_path / "index", dimension=16) as index:
        index.add([str(n) for n in range(30)], make_vectors("cosine", 30))
        index.whiten(4)
        with pytest.raises(VectorIndexError, match="does not whiten"):
            write_paddlex(index, tmp_path / "px")
