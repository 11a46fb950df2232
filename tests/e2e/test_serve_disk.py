"""Full disks and damaged files: what can be kept is kept, and the rest is told."""

import io
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.e2e.served import Served, as_text
from tests.serving.conftest import drawn

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")
pytest.importorskip("python_multipart")
pytest.importorskip("onnxruntime")
pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PNG = {"Content-Type": "image/png"}


def test_a_full_disk_refuses_what_it_cannot_keep_and_keeps_the_rest(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    small = f'mount -t tmpfs -o size=16m none {root} && exec "$@"'
    inside = ["unshare", "--map-root-user", "--mount", "sh", "-c", small, "sh"]
    tried = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", str(root)]
    if subprocess.run(tried, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be made here")
    server = Served(root, tmp_path / "out", inside=inside)
    try:
        server.call("init", backend="oss", root_path="oss://default")
        server.call("add", database_name="a")
        written = io.BytesIO()
        Image.effect_noise((400, 400), 90).save(written, "PNG")
        picture, acknowledged, refused = written.getvalue(), list[int](), list[dict[str, Any]]()
        for number in range(100):
            path = f"/v1/databases/a/images?group_id=g&intra_id={number}&savename={number}.png"
            status, answer = server.ask(path, picture, **PNG)
            if status == 201:
                acknowledged.append(number)
            else:
                assert (status, answer["kind"]) == (507, "disk_full")
                refused.append(answer)
                if len(refused) == 5:
                    break
        assert len(acknowledged) > 5
        assert len(refused) == 5
        told = server.call("db_set", database_name="a", group_id="h", image=as_text(picture))
        assert told["success"] or told["error_code"] == 6004
        for number in acknowledged:
            with server.open(f"/v1/databases/a/picture?group_id=g&intra_id={number}") as shown:
                assert shown.read() == picture
        # Whoever makes room can go on.
        for number in acknowledged[2:]:
            told = server.call("db_del", database_name="a", group_id="g", intra_id=number)
            assert told["success"] is True
        path = "/v1/databases/a/images?group_id=new&savename=new.png"
        assert server.ask(path, picture, **PNG)[0] == 201
    finally:
        server.kill()


@pytest.mark.parametrize("damage", ["header", "records", "description", "gone"])
def test_a_damaged_database_says_so_and_the_others_work(tmp_path: Path, damage: str) -> None:
    server = Served(tmp_path / "root", tmp_path / "out")
    server.call("init", backend="oss", root_path="oss://default")
    for name in ("a", "b"):
        server.call("add", database_name=name)
        for seed in range(5):
            server.call(
                "db_set", database_name=name, group_id=str(seed), image=as_text(drawn(seed))
            )
    assert server.stop() == 0
    folder = tmp_path / "root" / "default" / "a"
    (records,) = (folder / "index").glob("records-*.sqlite")
    file = {
        "header": folder / "index" / "index.json",
        "records": records,
        "description": folder / "database.json",
        "gone": records,
    }[damage]
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(b"\x00damaged" * 600)
    server = Served(tmp_path / "root", tmp_path / "out")
    try:
        server.call("init", backend="oss", root_path="oss://default")
        picture = as_text(drawn(3))
        told = server.call("db_search", database_name="a", image=picture)
        assert (told["success"], told["error_code"]) == (False, 3004)
        assert server.ask("/v1/databases/a/search", drawn(3), **PNG)[0] == 503
        (good,) = server.call("db_search", database_name="b", image=picture)["result"]
        assert good["group_id"] == "3"
        with server.open("/metrics") as answer:
            assert b"toolkit_databases_damaged 1.0" in answer.read()
        assert server.call("delete", database_name="a")["status"] is True
        assert server.call("add", database_name="a")["status"] is True
    finally:
        server.kill()
