"""Every function of PAI's services over a socket, one test a row of what their users expect."""

import io
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.served import Served, as_text
from tests.serving.conftest import EXPORT, drawn
from toolkit.inference.model_fingerprint import model_fingerprint
from toolkit.serving.database_folder import create_database
from toolkit.serving.picture_records import PictureRecord

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")
pytest.importorskip("python_multipart")
pytest.importorskip("onnxruntime")
pytestmark = [pytest.mark.e2e, pytest.mark.slow]

MATCH, RETRIEVAL = "/api/predict/img_match_001", "/api/predict/img_retrieval_001"
EXIF_ORIENTATION, TURNED_RIGHT = 0x0112, 6


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path / "root", tmp_path / "out")
    yield served
    served.kill()


def test_every_function_does_what_its_name_says(server: Served, tmp_path: Path) -> None:
    call, picture = server.call, as_text(drawn(1))
    assert call("add", database_name="a")["error_code"] == 2001
    told = call("init", backend="oss", root_path="oss://bucket/shop/", oss_io_config={"ak_id": "a"})
    assert (told["status"], told["info"]) == (True, "init db success.")
    told = call("add", database_name="a", feature_dim_dict={"feature": 256})
    assert (told["success"], told["status"], told["name"]) == (True, True, "a")
    assert call("add", database_name="a")["status"] is False
    assert list(call("get")["db_dict"]) == list(call("list")["db_dict"]) == ["a"]
    told = call("db_set", database_name="a", image=picture, group_id=888, savename="1.png")
    assert (told["info"]["add"], told["group_id"], told["intra_id"]) == (True, "888", 0)
    kept = tmp_path / "root" / "bucket" / "shop" / "a" / "images" / "1.png"
    assert kept.read_bytes() == drawn(1)
    other = as_text(drawn(2))
    assert call("db_set", database_name="a", image=other, group_id="888")["intra_id"] == 1
    found = call("db_get", database_name="a", group_id="888")["result"]
    assert [one["intra_id"] for one in found] == [0, 1]
    told = call("db_update", database_name="a", image=as_text(drawn(3)), group_id="888", intra_id=1)
    assert told["info"] == {"update": True}
    result = call("db_search", database_name="a", image=as_text(drawn(3)), search_topk=9)["result"]
    assert [one["rank"] for one in result] == [1, 2]
    assert (result[0]["group_id"], result[0]["intra_id"]) == ("888", 1)
    assert result[0]["similarity"] >= 0.9999
    assert set(result[0]) == {
        *("rank", "group_id", "intra_id", "similarity", "distance", "savename", "data")
    }
    for name in ("save", "load"):
        assert call(name, database_name="a")["success"] is True
    assert call("db_del", database_name="a", group_id="888", intra_id=1)["info"] == {"delete": 1}
    assert call("db_clean", database_name="a")["info"] == {"delete": 1}
    assert call("get", database_name="a")["db_dict"]["a"]["count"] == 0
    assert call("delete", database_name="a")["status"] is True
    assert call("db_search", database_name="a", image=picture)["error_code"] == 3001


def test_the_gateway_says_what_pais_says(server: Served) -> None:
    good = json.dumps({"imagea": as_text(drawn(1)), "imageb": as_text(drawn(1))}).encode()
    assert server.ask(MATCH, good)[1]["similarity"] >= 0.9999
    asked = {"function_name": "match", "function_params": {**json.loads(good), "metric": "L2"}}
    assert server.ask(MATCH, json.dumps(asked).encode())[1]["l2_distance"] < 1e-3
    for path, body, token, status in (
        (MATCH, good, "wrong", 401), (MATCH, good, "", 401), (MATCH + "x", good, "", 401),
        ("/api/predict/img_match_002", good, None, 404), (MATCH, None, None, 405),
        (MATCH, b"{", None, 400), (RETRIEVAL, b"[]", None, 400),
    ):  # fmt: skip
        given = {} if token is None else {"token": token}
        answer = server.ask(path, body, **given)
        assert (answer[0], answer[1]["success"]) == (status, False)
        assert isinstance(answer[1]["error_code"], int)
        assert answer[1]["error_msg"]


def test_the_public_mode_has_five_databases(server: Served) -> None:
    key = server.call("init", uid="1234")["uid_key"]
    for number in range(5):
        assert server.call("add", database_name=f"d{number}")["status"] is True
    told = server.call("add", database_name="d5")
    assert (told["success"], told["error_code"]) == (False, 3003)
    server.call("init", backend="oss", root_path="oss://b")
    assert server.call("get")["db_dict"] == {}
    server.call("init", uid_key=key)
    assert len(server.call("get")["db_dict"]) == 5


def _pixels() -> Image.Image:
    return Image.open(io.BytesIO(drawn(5, side=64)))


def _file(form: str, mode: str = "RGB", *, turned: bool = False) -> bytes:
    image, written, exif = _pixels().convert(mode), io.BytesIO(), Image.Exif()
    if turned:  # stored lying on its side, with the word that it is to be turned back
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif[EXIF_ORIENTATION] = TURNED_RIGHT
    image.save(written, form, exif=exif, **({"quality": 95} if form != "PNG" else {}))
    return written.getvalue()


def test_every_usual_form_of_a_picture_is_the_same_picture(server: Served) -> None:
    upright = as_text(_file("PNG"))
    forms = {
        "jpeg": as_text(_file("JPEG")),
        "webp": as_text(_file("WEBP")),
        "rgba": as_text(_file("PNG", "RGBA")),
        "cmyk": as_text(_file("JPEG", "CMYK")),
        "turned": as_text(_file("JPEG", turned=True)),
        "data uri": "data:image/png;base64," + upright,
        "lines": "\n".join(upright[at : at + 76] for at in range(0, len(upright), 76)),
    }
    likeness = {}
    for name, text in forms.items():
        body = json.dumps({"imagea": upright, "imageb": text}).encode()
        likeness[name] = server.ask(MATCH, body)[1]["similarity"]
    assert {name: value for name, value in likeness.items() if value < 0.98} == {}
    grey = json.dumps({"imagea": upright, "imageb": as_text(_file("PNG", "L"))}).encode()
    assert server.ask(MATCH, grey)[1]["success"] is True


def test_a_large_database_is_searched_quickly_while_it_is_written(tmp_path: Path) -> None:
    """100,000 records; p95 stays below a second, which is hundreds of times what a search takes."""
    vectors = np.random.default_rng(0).standard_normal((100_000, 256), dtype=np.float32)

    def fill(index: object, _: Path) -> None:
        for start in range(0, len(vectors), 10_000):
            records = [PictureRecord(str(at), 0) for at in range(start, start + 10_000)]
            ids, block = [record.key for record in records], vectors[start : start + 10_000]
            index.add(ids, block, [record.kept() for record in records])  # type: ignore[attr-defined]

    create_database(
        tmp_path / "root" / "default" / "large",
        dimension=256,
        metric="cosine",
        kind="flat",
        feature="feature",
        fingerprint=model_fingerprint(EXPORT),
        fill=fill,
    )
    server = Served(tmp_path / "root", tmp_path / "out")
    stop, written = threading.Event(), list[int]()

    def write() -> None:
        while not stop.is_set():
            told = server.call("db_set", database_name="large", group_id="new", image=picture)
            written.append(told["intra_id"])

    try:
        server.call("init", backend="oss", root_path="oss://default")
        picture, seconds = as_text(drawn(1)), list[float]()
        writer = threading.Thread(target=write)
        writer.start()
        for _ in range(100):
            before, started = len(written), time.monotonic()
            result = server.call("db_search", database_name="large", image=picture, search_topk=20)
            seconds.append(time.monotonic() - started)
            scores = [one["similarity"] for one in result["result"]]
            keys = [(one["group_id"], one["intra_id"]) for one in result["result"]]
            assert scores == sorted(scores, reverse=True)
            assert len(set(keys)) == 20
            # What was acknowledged before the search is found by it.
            new = sum(one["group_id"] == "new" for one in result["result"])
            assert new >= min(before, 20)
        stop.set()
        writer.join()
        assert sorted(written) == list(range(len(written)))
        assert np.percentile(seconds, 95) < 1
    finally:
        stop.set()
        server.kill()
