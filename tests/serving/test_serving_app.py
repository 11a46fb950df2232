"""The application through ASGI: tokens, limits, envelopes, /v1, PaddleX's routes, the page."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("httpx2")
pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")
pytest.importorskip("python_multipart")
from starlette.testclient import TestClient

from tests.serving.conftest import WRITER, as_text, drawn
from toolkit.serving.job import JobFiles
from toolkit.serving.jobs import Jobs
from toolkit.serving.service import Service
from toolkit.serving.web.page_routes import page_routes


def _predict(client: TestClient, name: str, **parameters: Any) -> dict[str, Any]:
    body = json.dumps({"function_name": name, "function_params": parameters})
    answer = client.post("/api/predict/img_retrieval_001", content=body)
    assert answer.status_code == 200
    return answer.json()


@pytest.mark.parametrize("token", [None, "", "wrong", "Bearer wrong"])
@pytest.mark.parametrize("path", ["/v1", "/api/predict/img_match_001", "/shitu-infer", "/metrics"])
def test_nobody_comes_in_without_a_token(
    open_client: Callable[..., TestClient], token: str | None, path: str
) -> None:
    answer = open_client(token).post(path, content=b"{}")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()


def test_probes_need_no_token(open_client: Callable[..., TestClient]) -> None:
    client = open_client(None)
    assert client.get("/healthz").json()["status"] == "ready"
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 200
    assert client.get("/health").json()["errorCode"] == 0
    assert client.get("/openapi.json").status_code == 200


def test_the_envelope_and_the_status_of_pai(client: TestClient) -> None:
    path = "/api/predict/img_retrieval_001"
    assert client.get(path).status_code == 405
    assert client.post("/api/predict/unknown", content=b"{}").status_code == 404
    for body in (b"", b"{", b"[]", b"\xff", b'{"a": NaN}', b"[" * 100_000):
        answer = client.post(path, content=body)
        assert answer.status_code == 400
        assert answer.json()["success"] is False
        assert answer.json()["error_code"] == 1001
    told = _predict(client, "db_search", database_name="a")
    assert (told["success"], told["error_code"]) == (False, 2001)
    picture = as_text(drawn(1))
    match = client.post(
        "/api/predict/img_match_001", content=json.dumps({"imagea": picture, "imageb": picture})
    ).json()
    assert match["success"] is True
    assert match["similarity"] >= 0.9999
    assert match["request_id"]


def test_databases_and_pictures(client: TestClient) -> None:
    assert client.put("/v1/databases/a").status_code == 201
    assert client.put("/v1/databases/a", json={"metric": "l2"}).status_code == 409
    assert client.put("/v1/databases/.a").status_code == 422
    assert client.put("/v1/databases/a b").status_code == 422
    for seed in range(3):
        form = {"group_id": f"g{seed}", "data": json.dumps({"n": seed})}
        files = {"image": ("x.png", drawn(seed), "image/png")}
        answer = client.post("/v1/databases/a/images", data=form, files=files)
        assert answer.status_code == 201
        assert answer.json()["data"] == {"n": seed}
    bare = client.post(
        "/v1/databases/a/search?k=2", content=drawn(1), headers={"Content-Type": "image/png"}
    ).json()
    assert bare["neighbours"][0]["group_id"] == "g1"
    body = {"image": as_text(drawn(1)), "k": 9, "where": {"data.n": [0, 2]}}
    found = client.post("/v1/databases/a/search", json=body).json()["neighbours"]
    assert sorted(one["group_id"] for one in found) == ["g0", "g2"]
    listed = client.get("/v1/databases/a/images", params={"offset": 1, "limit": 1}).json()
    assert (listed["count"], [one["group_id"] for one in listed["pictures"]]) == (3, ["g1"])
    shown = client.get("/v1/databases/a/picture", params={"group_id": "g1", "intra_id": 0})
    assert (shown.content, shown.headers["content-type"]) == (drawn(1), "image/png")
    assert "sandbox" in shown.headers["content-security-policy"]
    small = client.get(
        "/v1/databases/a/picture", params={"group_id": "g1", "intra_id": 0, "side": 16}
    )
    assert small.headers["content-type"] == "image/jpeg"
    gone = client.delete("/v1/databases/a/images", params={"group_id": "g1"})
    assert gone.json() == {"deleted": 1}
    assert client.delete("/v1/databases/a/images?group_id=g1").status_code == 404
    assert client.post("/v1/databases/a/clean").json() == {"deleted": 2}
    assert client.delete("/v1/databases/a").status_code == 200
    assert client.get("/v1/databases").json() == {"databases": []}


def test_features_and_match(client: TestClient) -> None:
    answer = client.post("/v1/features", json={"image": as_text(drawn(1))}).json()
    assert len(answer["feature"]) == answer["dimension"] == 256
    assert sum(value * value for value in answer["feature"]) == pytest.approx(1, abs=1e-5)
    files = {"imagea": drawn(1), "imageb": drawn(2)}
    match = client.post("/v1/match", files=files).json()
    assert match["l2_distance"] ** 2 == pytest.approx(2 - 2 * match["cosine_similarity"], abs=1e-5)


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"x", {"Content-Type": "text/plain"}, 415),
        (b"x", {}, 415),
        (b"{", {"Content-Type": "application/json"}, 400),
        (b"[]", {"Content-Type": "application/json"}, 400),
        (b"{}", {"Content-Type": "application/json"}, 422),
        (b'{"image": 1}', {"Content-Type": "application/json"}, 422),
        (b'{"image": "AAAA", "k": 0}', {"Content-Type": "application/json"}, 422),
        (b'{"image": "AAAA", "k": "1"}', {"Content-Type": "application/json"}, 422),
        (b'{"image": "AAAA", "z": 1}', {"Content-Type": "application/json"}, 422),
        (b"", {"Content-Type": "image/png"}, 422),
        (b"GIF89a", {"Content-Type": "image/png"}, 422),
        (b"<script>alert(1)</script>", {"Content-Type": "image/png"}, 422),
        (b"--x\r\nbroken", {"Content-Type": "multipart/form-data; boundary=x"}, 422),
        (b"", {"Content-Type": "multipart/form-data"}, 422),
    ],
)
def test_bad_requests_are_told_what_is_wrong(
    client: TestClient, content: bytes, headers: dict[str, str], status: int
) -> None:
    client.put("/v1/databases/a")
    answer = client.post("/v1/databases/a/search", content=content, headers=headers)
    assert answer.status_code == status
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["detail"]


def test_a_picture_that_is_also_something_else_is_shown_as_a_picture(client: TestClient) -> None:
    client.put("/v1/databases/a")
    polyglot = drawn(1) + b"<html><script>alert(1)</script></html>"
    added = client.post(
        "/v1/databases/a/images?group_id=g", content=polyglot, headers={"Content-Type": "image/png"}
    )
    assert added.status_code == 201
    shown = client.get("/v1/databases/a/picture?group_id=g&intra_id=0")
    assert shown.headers["content-type"] == "image/png"
    assert shown.headers["x-content-type-options"] == "nosniff"


def test_a_reader_and_a_stranger(open_client: Callable[..., TestClient]) -> None:
    writer, reader, other = open_client("w0rd"), open_client("r3ad"), open_client("0ther")
    writer.put("/v1/databases/a")
    assert reader.get("/v1/databases/a").status_code == 200
    about = reader.get("/v1").json()
    assert (about["access"], about["max_pixels"], about["max_body_bytes"]) == (
        "read",
        1_000_000,
        20_000_000,
    )
    image = {"content": drawn(1), "headers": {"Content-Type": "image/png"}}
    for answer in (
        reader.put("/v1/databases/b"),
        reader.delete("/v1/databases/a"),
        reader.post("/v1/databases/a/clean"),
        reader.post("/v1/databases/a/images?group_id=g", **image),  # type: ignore[arg-type]
        reader.delete("/v1/databases/a/images?group_id=g"),
        reader.post("/shitu-index-build", json={}),
    ):
        assert answer.status_code == 403
    assert other.get("/v1/databases").json() == {"databases": []}
    assert other.get("/v1/databases/a").status_code == 404


def test_long_bodies_and_too_many_requests(open_client: Callable[..., TestClient]) -> None:
    client = open_client(max_body_bytes=1000)
    answer = client.post("/v1/features", content=b"x" * 1001)
    assert answer.status_code == 413
    assert client.get("/v1").status_code == 200
    hurried = open_client(rate=2.0)
    answers = [hurried.get("/v1") for _ in range(6)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert open_client(max_requests=0).get("/v1").headers["retry-after"] == "1"
    assert (
        open_client(max_buffered_bytes=10).post("/v1/features", content=b"x" * 11).status_code
        == 503
    )


def test_nothing_secret_is_in_the_log(
    client: TestClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("toolkit"), "propagate", True)
    picture = as_text(drawn(1))
    with caplog.at_level(logging.INFO, "toolkit"):
        _predict(
            client,
            "init",
            backend="oss",
            root_path="oss://bucket/a",
            oss_io_config={"ak_id": "k3yname", "ak_secret": "s3cret"},
        )
        _predict(client, "add", database_name="a")
        _predict(client, "db_set", database_name="a", group_id="g", image=picture)
        client.get("/v1?token=w0rd")
    own = [record for record in caplog.records if record.name.startswith("toolkit.")]
    said = "".join(str(vars(record)) for record in own)
    assert "request" in said
    for secret in ("w0rd", "k3yname", "s3cret", picture[:40]):
        assert secret not in said


def test_numbers_for_prometheus(client: TestClient) -> None:
    client.put("/v1/databases/a")
    client.post(
        "/v1/databases/a/images?group_id=g", content=drawn(1), headers={"Content-Type": "image/png"}
    )
    text = client.get("/metrics").text
    for line in (
        'toolkit_index_records{database="a",folder="default"} 1.0',
        'toolkit_requests_total{function="",route="/v1/databases/{name}/images",status="201"} 1.0',
        "toolkit_queue_depth 0.0",
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "toolkit_request_seconds_bucket",
    ):
        assert line in text


def test_the_page_may_be_kept_and_loads_nothing_else(tmp_path: Path) -> None:
    from fastapi import FastAPI

    (tmp_path / "index.html").write_text('<script src="page/app.js"></script>', encoding="utf-8")
    (tmp_path / "app.js").write_text("1", encoding="utf-8")
    app = FastAPI()
    app.include_router(page_routes(tmp_path))
    client = TestClient(app)
    index = client.get("/")
    assert index.headers["cache-control"] == "no-cache"
    assert "default-src 'none'" in index.headers["content-security-policy"]
    address = index.text.split('"')[1]
    script = client.get(f"/{address}")
    assert script.text == "1"
    assert "immutable" in script.headers["cache-control"]
    assert client.get("/page/app.js").headers["cache-control"] == "no-cache"
    again = client.get("/", headers={"If-None-Match": index.headers["etag"]})
    assert again.status_code == 304


def _finished(client: TestClient, job: str) -> dict[str, Any]:
    until = time.monotonic() + 20
    while (told := client.get(f"/v1/jobs/{job}").json())["state"] in ("waiting", "running"):
        assert time.monotonic() < until
    return told


def test_a_job_writes_its_rows_and_tells_which_failed(client: TestClient) -> None:
    client.put("/v1/databases/a")
    rows = [{"image": as_text(drawn(seed)), "group_id": "g"} for seed in range(20)]
    rows[7] = {"image": "AAAA", "group_id": "g"}
    rows[9] = {"image": as_text(drawn(9)), "group_id": ""}
    started = client.post("/v1/databases/a/jobs", json={"rows": rows})
    assert started.status_code == 202
    told = _finished(client, started.json()["id"])
    assert (told["state"], told["total"], told["done"], told["failed"]) == ("done", 20, 20, 2)
    assert [one["row"] for one in told["errors"]] == [7, 9]
    records = client.get("/v1/databases/a/images").json()
    assert [one["intra_id"] for one in records["pictures"]] == list(range(18))
    assert all(
        set(one) == {"group_id", "intra_id", "savename", "data"} for one in records["pictures"]
    )
    assert [one["id"] for one in client.get("/v1/jobs").json()["jobs"]] == [told["id"]]
    assert client.delete(f"/v1/jobs/{told['id']}").json()["state"] == "done"
    for wrong in ({}, {"rows": []}, {"rows": rows, "file": "x"}, {"file": "bm8K"}):
        assert client.post("/v1/databases/a/jobs", json=wrong).status_code in (400, 422)
    assert client.post("/v1/databases/b/jobs", json={"rows": rows}).status_code == 404
    assert client.get("/v1/jobs/none").status_code == 404


def test_a_job_that_was_killed_writes_no_row_twice(client: TestClient, service: Service) -> None:
    """Rows are written and the note of them is not: what a kill leaves at the worst moment."""
    client.put("/v1/databases/a")
    rows = [{"image": as_text(drawn(seed)), "group_id": "g"} for seed in range(5)]
    job = _finished(client, client.post("/v1/databases/a/jobs", json={"rows": rows}).json()["id"])
    databases = service.databases(WRITER)
    files = JobFiles(databases.folder)
    files.save(replace(files.get(job["id"]), state="running", done=0))
    jobs = Jobs(service)
    jobs.resume(databases)
    assert _finished(client, job["id"])["done"] == 5
    jobs.close()
    assert client.get("/v1/databases/a").json()["count"] == 5
