"""Files of features in every form, and what is refused."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from toolkit.compat.feature_table import read_features, write_features
from toolkit.errors import ConfigError, DatasetError
from toolkit.inference.saving import open_features

VECTORS = {
    "a/b.jpg": np.array([1, 2, 3], np.float32),
    "café.png": np.array([0, -1, 0.5], np.float32),
}


def check(file: Path) -> None:
    table = read_features(file)
    assert table.paths == list(VECTORS)
    assert table.vectors.dtype == np.float32
    np.testing.assert_array_equal(table.vectors, np.stack(list(VECTORS.values())))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("module", ["numpy.core", "numpy._core"])
def test_pickles_of_every_protocol_and_numpy(tmp_path, protocol, module):
    data = pickle.dumps(VECTORS, protocol=protocol)
    if protocol < 4:  # newer ones have the length in front
        data = data.replace(b"numpy._core.", b"numpy.core.").replace(b"numpy.core", module.encode())
    (tmp_path / "x.pkl").write_bytes(data)
    check(tmp_path / "x.pkl")


@pytest.mark.parametrize("name", ["x.pkl", "x.npz"])
def test_what_is_written_is_read(tmp_path, name):
    write_features(tmp_path / name, VECTORS)
    check(tmp_path / name)


def test_a_pickle_is_plain(tmp_path):
    write_features(tmp_path / "x.pkl", VECTORS)
    state = pickle.loads((tmp_path / "x.pkl").read_bytes())  # noqa: S301 - read as people will
    assert list(state) == list(VECTORS)


def test_an_archive_with_an_array_a_picture(tmp_path):
    np.savez(tmp_path / "x.npz", **VECTORS)
    check(tmp_path / "x.npz")


@pytest.mark.parametrize("name", ["x.txt", "paths.txt", "ids.txt"])
def test_an_array_with_a_list_beside_it(tmp_path, name):
    np.save(tmp_path / "x.npy", np.stack(list(VECTORS.values())))
    (tmp_path / name).write_text("\n".join(VECTORS) + "\n", encoding="utf-8")
    check(tmp_path / "x.npy")


def test_what_predict_saves(tmp_path):
    paths = ["line\nbreak.jpg", "back\\slash.jpg"]
    with open_features(tmp_path, "npy") as add:
        for path in paths:
            add(np.ones(3, np.float32), path)
    assert read_features(tmp_path / "features.npy").paths == paths


def test_the_bytes_of_a_path_of_python_2(tmp_path):
    (tmp_path / "x.pkl").write_bytes(
        b"(dp1\nS'caf\\xc3\\xa9'\ncnumpy.core.multiarray\n_reconstruct\n"
        b"(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I1\ntcnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\n"
        b"NNNI-1\nI-1\nI0\ntbI00\nS'\\x00\\x00\\x80?'\ntbs."
    )
    table = read_features(tmp_path / "x.pkl")
    assert table.paths == ["café"]
    assert table.vectors.tolist() == [[1.0]]


class Payload:
    def __reduce__(self):
        return (Path.touch, (Path("made"),))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "holds no feature"),
        ([1, 2], "holds a list, not a dict"),
        ({"a": 3}, r"'a' has int; expected a vector"),
        ({"a": np.ones(3), "b": np.ones(4)}, r"'b' has \[4\]; expected a vector"),
        ({"a": np.ones((2, 2))}, r"'a' has \[2, 2\]"),
        ({"a": np.array([1.0, np.nan])}, "vector of 'a' is not finite"),
        ({"a": Payload()}, "nothing in it has been run"),
    ],
)
def test_other_pickles_are_refused(tmp_path, monkeypatch, state, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(state))
    with pytest.raises(DatasetError, match=message):
        read_features(tmp_path / "x.pkl")
    assert not Path("made").exists()


@pytest.mark.parametrize("name", ["x.pkl", "x.npz", "x.npy"])
def test_damaged_files(tmp_path, name):
    (tmp_path / name).write_bytes(b"no features")
    (tmp_path / "x.txt").write_text("a\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=name):
        read_features(tmp_path / name)


def test_objects_in_an_array_are_not_read(tmp_path):
    np.save(tmp_path / "x.npy", np.array([Payload()], dtype=object))
    (tmp_path / "x.txt").write_text("a\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="cannot be read as features"):
        read_features(tmp_path / "x.npy")


def test_lengths_that_do_not_fit(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((3, 2)))
    (tmp_path / "x.txt").write_text("a\nb\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"2 paths and an array \[3, 2\]"):
        read_features(tmp_path / "x.npy")


def test_no_file_no_list_no_suffix(tmp_path):
    with pytest.raises(DatasetError, match="There is no file"):
        read_features(tmp_path / "x.pkl")
    np.save(tmp_path / "x.npy", np.ones((1, 2)))
    with pytest.raises(DatasetError, match=r"no list of paths beside it.*paths\.txt"):
        read_features(tmp_path / "x.npy")
    with pytest.raises(ConfigError, match=r"written as \.pkl or \.npz"):
        write_features(tmp_path / "x.csv", VECTORS)
