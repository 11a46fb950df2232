"""The same job on a real cluster of Ray on this machine; skipped where Ray is not installed."""

from collections.abc import Iterator

import pytest

from toolkit.errors import DatasetError, ExtractionError, ExtraError
from toolkit.extraction.readers.text_list import TextList
from toolkit.extraction.records import Scan

pytestmark = [
    pytest.mark.slow,
    # Ray's own: files and processes that it leaves to be cleaned up, and options of its future.
    pytest.mark.filterwarnings("ignore"),
]

FORMATS = ["features.txt", "f.npy", "f.parquet", "f.jsonl", "f.pkl"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[object]:
    ray = pytest.importorskip("ray", reason="Ray is not installed (extra ray)")
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.mark.parametrize("name", FORMATS)
def test_one_and_three_actors_write_the_bytes_of_one_process(
    cluster, run_extract, listed, tmp_path, name
):
    run_extract(listed, f"local_{name}")
    expected = (tmp_path / f"local_{name}").read_bytes()
    for count in (1, 3):
        report = run_extract(listed, f"ray_{name}", runner="ray", num_worker=count, shard_size=4)
        assert (report.computed, report.failed) == (21, 3)
        assert (tmp_path / f"ray_{name}").read_bytes() == expected


DIES = """
import os, signal
from pathlib import Path

class Dies:
    def __init__(self, model_path, model_config=None): self.mark = Path(model_path)
    def predict(self, pictures, batch_size):
        if self.mark.with_name("always").exists() or not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return [p.mean(axis=(0, 1)) for p in pictures]
"""


def test_a_worker_that_is_killed_costs_its_shard_only(
    cluster, run_extract, listed, tmp_path, monkeypatch
):
    """The class kills its actor over the first picture that any of them sees."""
    package = tmp_path / "cluster_code"
    package.mkdir()
    (package / "dying_on_ray.py").write_text(DIES)
    monkeypatch.syspath_prepend(package)
    paths = {"PYTHONPATH": str(package)}
    monkeypatch.setattr(cluster, "remote", _with_environment(cluster.remote, paths))
    keys = {"predictor": "dying_on_ray:Dies", "model_dir": str(tmp_path / "mark"), "shard_size": 4}
    (tmp_path / "mark").touch()
    run_extract(listed, "whole.txt", **keys)
    (tmp_path / "mark").unlink()
    run_extract(listed, "again.txt", runner="ray", num_worker=2, **keys)
    assert (tmp_path / "mark").exists(), "an actor was killed"
    assert (tmp_path / "again.txt").read_bytes() == (tmp_path / "whole.txt").read_bytes()
    (tmp_path / "always").touch()
    with pytest.raises(ExtractionError, match=r"died 3 times over shard \d"):
        run_extract(listed, "never.txt", runner="ray", num_worker=2, **keys)


def _with_environment(remote, variables):
    """Actors import a module that only this test has."""

    def wrapped(**options):
        return remote(**options, runtime_env={"env_vars": variables})

    return wrapped


def test_an_error_of_an_actor_is_raised_here(cluster, run_extract, listed, monkeypatch):
    """The list is cut behind the scan."""
    original = TextList.scan

    def then_cut(self: TextList, shard_size: int) -> Scan:
        scan = original(self, shard_size)
        self.path.write_text("x.png\n")
        return scan

    monkeypatch.setattr(TextList, "scan", then_cut)
    with pytest.raises(DatasetError, match="it has changed"):
        run_extract(listed, runner="ray", num_worker=1)


def test_without_ray_the_extra_is_named(run_extract, listed):
    try:
        import ray  # noqa: F401 - only whether it is there
    except ModuleNotFoundError:
        with pytest.raises(ExtraError, match=r"Extract.runner ray needs.*\[ray\]"):
            run_extract(listed, runner="ray")
    else:
        pytest.skip("Ray is installed")
