"""One file of all features, written row by row."""

import tracemalloc

import numpy as np
import pytest

from toolkit.inference.saving import feature_files, open_features

PATHS = ["a.png", "two words/b.png", "线\\new\nline.png"]


def write(folder, form, vectors, paths):
    with open_features(folder, form) as add:
        for vector, path in zip(vectors, paths, strict=True):
            add(vector, path)
    return feature_files(folder, form)


@pytest.mark.parametrize("rows", [1, 3, 1003])
def test_npy_holds_every_row_in_order(tmp_path, rows):
    vectors = np.random.default_rng(rows).normal(size=(rows, 7)).astype(np.float32)
    paths = [f"{row}.png" for row in range(rows)]
    features, names = write(tmp_path, "npy", vectors, paths)
    loaded = np.load(features, allow_pickle=False)
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, vectors)
    assert names.read_text(encoding="utf-8").splitlines() == paths


def test_paths_are_one_line_each_whatever_they_hold(tmp_path):
    _, names = write(tmp_path, "npy", np.eye(3, dtype=np.float32), PATHS)
    lines = names.read_bytes().decode("utf-8").split("\n")
    assert lines == ["a.png", "two words/b.png", "线\\\\new\\nline.png", ""]


@pytest.mark.parametrize("rows", [1, 3, 5000])  # 5000 is more than a row group
def test_parquet_holds_every_row_in_order(tmp_path, rows):
    parquet = pytest.importorskip("pyarrow.parquet")
    vectors = np.random.default_rng(rows).normal(size=(rows, 7)).astype(np.float32)
    paths = [PATHS[row % 3] for row in range(rows)]
    (file,) = write(tmp_path, "parquet", vectors, paths)
    table = parquet.read_table(file)
    assert table["input_path"].to_pylist() == paths
    assert str(table.schema.field("feature").type) == "fixed_size_list<element: float>[7]"
    np.testing.assert_array_equal(np.array(table["feature"].to_pylist(), dtype=np.float32), vectors)


@pytest.mark.parametrize("form", ["npy", "parquet"])
def test_no_row_replaces_the_file_of_an_earlier_run(tmp_path, form):
    if form == "parquet":
        pytest.importorskip("pyarrow")
    write(tmp_path, form, np.eye(3, dtype=np.float32), PATHS)
    files = write(tmp_path, form, [], [])
    if form == "npy":
        assert len(np.load(files[0])) == 0
        assert files[1].read_text(encoding="utf-8") == ""
    else:
        from pyarrow import parquet

        assert parquet.read_table(files[0]).num_rows == 0


@pytest.mark.parametrize("form", ["npy", "parquet"])
def test_a_run_that_fails_leaves_what_was_there(tmp_path, form):
    if form == "parquet":
        pytest.importorskip("pyarrow")
    files = write(tmp_path, form, np.eye(3, dtype=np.float32), PATHS)
    before = [file.read_bytes() for file in files]
    with pytest.raises(ValueError, match="zip"):
        write(tmp_path, form, np.zeros((1, 3), dtype=np.float32), ["x.png", "y.png"])
    assert [file.read_bytes() for file in files] == before
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_memory_does_not_grow_with_the_rows(tmp_path):
    vector = np.ones(512, dtype=np.float32)
    tracemalloc.start()
    with open_features(tmp_path, "npy") as add:
        for row in range(2000):
            add(vector + row, f"{row}.png")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20  # all rows together are 4 MiB
