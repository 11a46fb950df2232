"""Against lists and loops: numbering, search, groups, quotas, kept pictures, reopening."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from toolkit.errors import VectorIndexError
from toolkit.serving.database_folder import create_database
from toolkit.serving.picture_database import PictureDatabase
from toolkit.serving.picture_records import PictureRecord, hit_json
from toolkit.serving.problems import Kind, Problem

DIMENSION = 8


def _made(folder: Path, metric: str = "cosine", max_records: int | None = None) -> PictureDatabase:
    create_database(
        folder, dimension=DIMENSION, metric=metric, kind="flat", feature="f", fingerprint="m"
    )
    return PictureDatabase(folder, "m", max_records)


def _vectors(count: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(count, DIMENSION)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@pytest.mark.parametrize("metric", ["cosine", "l2", "inner_product"])
@pytest.mark.parametrize("by_group", [False, True])
@pytest.mark.parametrize("k", [1, 7, 300])
def test_search_is_what_a_loop_finds(tmp_path: Path, metric: str, by_group: bool, k: int) -> None:
    database, vectors = _made(tmp_path / "a", metric), _vectors(120)
    groups = [str(number % 13) for number in range(120)]
    database.append(list(vectors), [PictureRecord(group, 0) for group in groups])
    query = _vectors(1, seed=9)[0]
    expected = []
    for vector, group in zip(vectors.astype(np.float64), groups, strict=True):
        distance = float(np.sqrt(((vector - query) ** 2).sum()))
        product = float(vector @ query)
        similarity = 1 / (1 + distance) if metric == "l2" else product
        expected.append((similarity, group))
    expected.sort(key=lambda pair: -pair[0])
    if by_group:
        best = dict[str, float]()
        for similarity, group in expected:
            best.setdefault(group, similarity)
        expected = [(similarity, group) for group, similarity in best.items()]
    hits = database.search(query, k, by_group=by_group)
    assert [hit.record["group_id"] for hit in hits] == [group for _, group in expected[:k]]
    found = [hit.score for hit in hits]
    assert found == pytest.approx([similarity for similarity, _ in expected[:k]], abs=1e-5)
    database.close()


def test_ties_come_in_the_order_of_writing_and_filters_apply(tmp_path: Path) -> None:
    database, vector = _made(tmp_path / "a"), _vectors(1)[0]
    for number in range(5):
        data = {"side": "left" if number % 2 else "right"}
        database.append([vector], [PictureRecord("g", 0, None, data)])
    assert [hit_json(hit, 1)["intra_id"] for hit in database.search(vector, 9)] == [0, 1, 2, 3, 4]
    left = database.search(vector, 9, where={"data.side": "left"})
    assert [hit.record["intra_id"] for hit in left] == [1, 3]
    assert database.search(vector, 9, threshold=1.1) == []
    database.close()


def test_numbers_go_on_above_the_largest_and_replacing_is_told(tmp_path: Path) -> None:
    database, vector = _made(tmp_path / "a"), _vectors(1)[0]
    assert database.put(vector, PictureRecord("g", 7)) is True
    assert database.put(vector, PictureRecord("g", 7)) is False
    (record,) = database.append([vector], [PictureRecord("g", 0)])
    assert record.intra_id == 8
    assert database.put(vector, PictureRecord("g", 20)) is True
    (record,) = database.append([vector], [PictureRecord("g", 0)])
    assert record.intra_id == 21
    assert database.remove_where({"group_id": "g"}) == 4
    (record,) = database.append([vector], [PictureRecord("g", 0)])
    assert record.intra_id == 0
    database.close()


def test_many_who_add_at_once_get_numbers_of_their_own(tmp_path: Path) -> None:
    database, vector = _made(tmp_path / "a"), _vectors(1)[0]
    with ThreadPoolExecutor(8) as pool:
        written = list(
            pool.map(
                lambda number: database.append([vector], [PictureRecord(str(number % 3), 0)])[0],
                range(60),
            )
        )
    keys = {record.key for record in written}
    assert keys == {f"{group}/{number}" for group in range(3) for number in range(20)}
    assert database.facts.count == 60
    database.close()


def test_the_quota_holds_for_many_at_once_and_replacing_needs_no_room(tmp_path: Path) -> None:
    database, vector = _made(tmp_path / "a", max_records=10), _vectors(1)[0]

    def add(number: int) -> bool:
        try:
            database.append([vector], [PictureRecord("g", 0)])
        except Problem as problem:
            if problem.kind is not Kind.QUOTA:
                raise
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(add, range(30))) == 10
    assert database.put(vector, PictureRecord("g", 0)) is False
    with pytest.raises(Problem):
        database.put(vector, PictureRecord("g", 99))
    database.close()


def test_a_kept_picture_lives_as_long_as_a_record_names_it(tmp_path: Path) -> None:
    database, vector = _made(tmp_path / "a"), _vectors(1)[0]
    database.put(vector, PictureRecord("g", 0, "x.png"), b"one")
    database.put(vector, PictureRecord("g", 1, "x.png"), b"one")
    database.put(vector, PictureRecord("g", 0, "y.png"), b"two")
    assert (database.picture("x.png"), database.picture("y.png")) == (b"one", b"two")
    database.remove_where({"intra_id": 1})
    assert (database.picture("x.png"), database.picture("y.png")) == (None, b"two")
    database.put(vector, PictureRecord("g", 0))
    assert database.picture("y.png") is None
    assert list((tmp_path / "a" / "images").iterdir()) == []
    database.close()


def test_a_refused_record_leaves_no_picture(tmp_path: Path) -> None:
    database = _made(tmp_path / "a")
    with pytest.raises(VectorIndexError):
        database.put(np.full(DIMENSION, np.nan, np.float32), PictureRecord("g", 0, "x.png"), b"one")
    assert database.picture("x.png") is None
    for name in ("../x", ".x", "a/../b"):
        with pytest.raises(Problem):
            database.put(_vectors(1)[0], PictureRecord("g", 0, name), b"one")
    database.put(_vectors(1)[0], PictureRecord("g", 0, "a/b.png"), b"one")
    with pytest.raises(Problem, match="cannot be a file"):
        database.put(_vectors(1)[0], PictureRecord("g", 1, "a"), b"one")
    assert database.facts.count == 1
    database.close()


def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    database, vectors = _made(tmp_path / "a"), _vectors(9)
    database.append(list(vectors), [PictureRecord("g", 0)] * 9)
    before = database.search(vectors[4], 9)
    database.close()
    with pytest.raises(Problem, match="closed"):
        database.search(vectors[4], 9)
    again = PictureDatabase(tmp_path / "a", "m")
    assert again.search(vectors[4], 9) == before
    again.close()
    with pytest.raises(VectorIndexError, match="fingerprint"):
        PictureDatabase(tmp_path / "a", "another model")
