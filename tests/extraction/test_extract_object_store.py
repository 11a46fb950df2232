"""Objects of an S3-compatible store on this machine; skipped without moto or s3fs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.extraction.conftest import SPOILT
from toolkit.errors import ExtraError
from toolkit.extraction.addresses import Addresses
from toolkit.extraction.records import Record

pytestmark = [
    pytest.mark.slow,
    # botocore and aiohttp have their own about their future.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """The endpoint of a store with two buckets."""
    pytest.importorskip("s3fs", reason="s3fs is not installed (extra object-store)")
    moto = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    server = moto.ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def uploaded(store, pictures, monkeypatch) -> list[str]:
    import boto3

    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = boto3.client("s3", endpoint_url=store)
    for bucket in ("mine", "other"):
        client.create_bucket(Bucket=bucket)
    names = []
    for file in pictures:
        client.upload_file(str(file), "mine", f"a folder/{file.name}")
        names.append(f"s3://mine/a folder/{file.name}")
    return names


def test_a_list_of_objects(run_extract, store, uploaded, pictures, vectors, tmp_path: Path):
    source = tmp_path / "objects.txt"
    extra = ["s3://mine/gone.png", "s3://other/a.png"]
    source.write_text("".join(f"{name}\n" for name in [*uploaded, *extra]), encoding="utf-8")
    keys = {"s3_endpoint": store, "allowed_buckets": ["mine"]}
    report = run_extract(source, "x.npy", **keys)
    assert report.merged.causes == {"not an image": len(SPOILT), "missing": 1, "forbidden": 1}
    rows = np.load(tmp_path / "x.npy")
    for row, vector in zip(rows, vectors(pictures), strict=False):
        assert np.isnan(row).all() if vector is None else np.allclose(row, vector, atol=1e-6)
    run_extract(source, "y.npy", num_worker=2, shard_size=4, **keys)
    assert (tmp_path / "x.npy").read_bytes() == (tmp_path / "y.npy").read_bytes()


def test_oss_through_its_s3_endpoint(store, uploaded, pictures):
    """The virtual addressing that OSS wants has the bucket in the host, which loopback has not."""
    addresses = Addresses(stores={"oss": {"endpoint_url": store}})
    name = uploaded[0].replace("s3://", "oss://")
    assert addresses.read(Record(name, "address", name)) == pictures[0].read_bytes()


def test_without_the_extra_it_is_named(run_extract, tmp_path):
    try:
        import s3fs  # noqa: F401 - only whether it is there
    except ModuleNotFoundError:
        (tmp_path / "list.txt").write_text("s3://bucket/a.png\n")
        with pytest.raises(ExtraError, match=r"\[object-store\]"):
            run_extract(tmp_path / "list.txt")
    else:
        pytest.skip("s3fs is installed")
