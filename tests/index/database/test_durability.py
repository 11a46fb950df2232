"""What was acknowledged is there after a kill, a cut log, or a full disk."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from tests.index.database.conftest import make_vectors
from toolkit.errors import StorageError
from toolkit.index.database.opening import create_index, open_index

_WRITER = textwrap.dedent(
    """
    import sys
    import numpy as np
    from toolkit.index.database.opening import open_index

    index, start = open_index(sys.argv[1]), int(sys.argv[2])
    print("open", flush=True)
    for number in range(start, start + 100000):
        vectors = np.random.default_rng(number).normal(size=(3, 16)).astype("f4")
        index.upsert([f"{number}-{n}" for n in range(3)], vectors, [{"number": number}] * 3)
        if number % 3 == 2:
            index.remove([f"{number - 1}-0"])
        print(number, flush=True)
    """
)


def _run_and_kill(folder, start, lines):
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(folder), str(start)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout.readline() == "open\n"
    said = [int(writer.stdout.readline()) for _ in range(lines)]
    os.kill(writer.pid, signal.SIGKILL)
    rest, _ = writer.communicate()
    return said + [int(line) for line in rest.splitlines() if line.endswith(tuple("0123456789"))]


def _check(index, acknowledged):
    """Every acknowledged write is whole; at most one more is there, and that one whole too."""
    there = {}
    for entry in index.entries({"number": {"ge": acknowledged[0]}}):
        there.setdefault(entry.record["number"], set()).add(entry.id)
    last = acknowledged[-1]
    assert there.keys() - set(acknowledged) <= {last + 1}
    for number in there.keys() | set(acknowledged):
        expected = {f"{number}-{n}" for n in range(3)}
        first = {f"{number}-0"} if number % 3 == 1 else set()
        # The last removal may have been done and not acknowledged.
        optional = first if number >= last else set()
        gone = first if number < last else set()
        assert expected - gone - optional <= there[number] <= expected - gone
        vectors = np.random.default_rng(number).normal(size=(3, 16)).astype("f4")
        for n, hits in enumerate(index.search(vectors, 1)):
            if f"{number}-{n}" in there[number]:
                assert hits[0].id == f"{number}-{n}"


def _kill_rounds(folder, rounds, seed):
    create_index(folder, dimension=16).close()
    rng, acknowledged = np.random.default_rng(seed), []
    for number in range(rounds):
        mine = _run_and_kill(folder, 1000 * 3 * number, int(rng.integers(1, 26)))
        acknowledged += mine
        with open_index(folder) as index:
            assert set(acknowledged) <= {entry.record["number"] for entry in index.entries()}
            _check(index, mine)


def test_nothing_acknowledged_is_lost_to_a_kill(tmp_path):
    _kill_rounds(tmp_path / "index", rounds=1, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_nothing_acknowledged_is_lost_to_many_kills(tmp_path, seed):
    _kill_rounds(tmp_path / "index", rounds=8, seed=seed)


def test_a_cut_log_loses_only_what_was_behind_the_cut(small, tmp_path):
    index = small(n=0)
    index.save()
    sizes = []
    folder, log = tmp_path / "index", "records-1.sqlite-wal"
    for number in range(6):
        index.add([str(number)], make_vectors("cosine", 1, seed=number))
        sizes.append((folder / log).stat().st_size)
    for number in range(6):
        copy = tmp_path / f"copy{number}"
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*-shm", ".lock"))
        with (copy / log).open("r+b") as file:
            file.truncate(sizes[number] - 100)
        with open_index(copy) as cut:
            assert [entry.id for entry in cut.entries()] == [str(n) for n in range(number)]
            assert [
                cut.search(make_vectors("cosine", 1, seed=n), 1)[0][0].id for n in range(number)
            ] == [str(n) for n in range(number)]
            cut.add([str(number)], make_vectors("cosine", 1, seed=number))


def test_a_flipped_bit_in_the_log_ends_it_there(small, tmp_path):
    index = small(n=0)
    index.save()
    index.add(["whole"], make_vectors("cosine", 1))
    folder, log = tmp_path / "index", "records-1.sqlite-wal"
    size = (folder / log).stat().st_size
    index.add(["torn"], make_vectors("cosine", 1, seed=1))
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*-shm", ".lock"))
    with (copy / log).open("r+b") as file:
        file.seek(size + 5000)
        byte = file.read(1)
        file.seek(size + 5000)
        file.write(bytes([byte[0] ^ 4]))
    with open_index(copy) as cut:
        assert [entry.id for entry in cut.entries()] == ["whole"]


_FULL = textwrap.dedent(
    """
    import resource, sys
    import numpy as np
    from toolkit.errors import StorageError
    from toolkit.index.database.opening import create_index, open_index

    def vectors(n, seed):
        return np.random.default_rng(seed).normal(size=(n, 64)).astype("f4")

    index = create_index(sys.argv[1], dimension=64)
    index.add(["a", "b"], vectors(2, 0))
    index.save()
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
    try:
        index.add([str(n) for n in range(5000)], vectors(5000, 1))
    except StorageError as error:
        print(error)
    assert index.count() == 2, index.count()
    assert index.search(vectors(2, 0), 1)[1][0].id == "b"
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    index.add(["c"], vectors(1, 2))
    index.close()
    with open_index(sys.argv[1]) as index:
        assert [entry.id for entry in index.entries()] == ["a", "b", "c"]
    print("well")
    """
)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no file sizes")
def test_a_full_disk_refuses_the_write_and_loses_nothing(tmp_path):
    done = _run(_FULL, tmp_path / "index")
    assert done.stdout.endswith("well\n"), done.stderr
    assert "Nothing of this write was kept" in done.stdout


_FULL_STRUCTURE = textwrap.dedent(
    """
    import resource, sys
    import numpy as np
    from toolkit.errors import StorageError
    from toolkit.index.database.opening import create_index, open_index

    vectors = np.random.default_rng(0).normal(size=(2000, 64)).astype("f4")
    index = create_index(sys.argv[1], dimension=64)
    index.add([str(n) for n in range(2000)], vectors)
    index.save()
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    for kind in ("hnsw", "binary"):
        try:
            index.rebuild(kind)
        except StorageError as error:
            print(error)
        assert index.facts.kind == ("flat" if kind == "hnsw" else "binary"), index.facts.kind
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert index.search(vectors[7:8], 1)[0][0].id == "7"
    index.rebuild("hnsw")
    index.close()
    with open_index(sys.argv[1]) as index:
        assert index.facts.kind == "hnsw"
        assert index.search(vectors[7:8], 1)[0][0].id == "7"
    print("well")
    """
)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no file sizes")
def test_a_disk_too_full_for_a_structure_leaves_the_one_that_serves(tmp_path):
    done = _run(_FULL_STRUCTURE, tmp_path / "index")
    assert done.stdout.endswith("well\n"), done.stderr
    assert "no room" in done.stdout


def test_two_processes_do_not_write_one_index(small, tmp_path):
    index, folder = small(n=3), tmp_path / "index"
    opening = "import sys\nfrom toolkit.index.database.opening import open_index\n"
    second = _run(opening + "open_index(sys.argv[1])", folder)
    assert "open for writing in another process" in second.stderr
    reader = _run(opening + "print(open_index(sys.argv[1], read_only=True).count())", folder)
    assert reader.stdout == "3\n", reader.stderr
    index.close()
    writer = _run(opening + "open_index(sys.argv[1]).remove(['id0'])", folder)
    assert writer.returncode == 0, writer.stderr


def _run(program, folder):
    return subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=False
    )


def test_one_bad_write_does_not_take_its_neighbours_along(small, monkeypatch):
    from toolkit.index.database.record_store import RecordStore

    index = small(n=0)
    real = RecordStore.insert

    def insert(self, start, ids, texts, vectors):
        if "poison" in ids:
            raise StorageError("full")
        real(self, start, ids, texts, vectors)

    monkeypatch.setattr(RecordStore, "insert", insert)
    index.add(["good"], make_vectors("cosine", 1))
    with pytest.raises(StorageError):
        index.add(["poison"], make_vectors("cosine", 1))
    index.add(["better"], make_vectors("cosine", 1))
    assert [entry.id for entry in index.entries()] == ["good", "better"]
