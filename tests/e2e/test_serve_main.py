"""main.py in mode serve, asked as PAI's clients ask."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.served import ROOT, TOKEN, Served, as_text
from tests.serving.conftest import drawn

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")
pytest.importorskip("python_multipart")
pytest.importorskip("onnxruntime")
pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path / "root", tmp_path / "out")
    yield served
    served.kill()


def test_pai_scripts_work_and_a_restart_changes_nothing(tmp_path: Path) -> None:
    server = Served(tmp_path / "root", tmp_path / "out")
    picture = as_text(drawn(1, form="JPEG"))
    body = json.dumps({"imagea": picture, "imageb": picture}).encode()
    status, match = server.ask("/api/predict/img_match_001", body)
    assert (status, match["similarity"] >= 0.9999) == (200, True)
    assert server.call("db_search", database_name="shop")["error_code"] == 2001
    keys = {"ak_id": "a", "ak_secret": "s3cret", "hosts": "oss-cn.example", "buckets": ["b"]}
    opening = {"backend": "oss", "root_path": "oss://bucket/shop/", "oss_io_config": keys}
    assert server.call("init", **opening)["info"] == "init db success."
    schema = {"feature_dim_dict": {"feature": 256}, "feature_distance_dict": {"feature": "Cosine"}}
    assert server.call("add", database_name="tongxin_demo", **schema)["status"] is True
    for seed in range(8):
        told = server.call(
            "db_set",
            database_name="tongxin_demo",
            image=as_text(drawn(seed)),
            group_id="888",
            intra_id=10 + seed,
            savename=f"{seed}.png",
        )
        assert told["info"]["add"] is True
    asked = {"database_name": "tongxin_demo", "image": as_text(drawn(3)), "search_topk": 5}
    before = server.call("db_search", **asked)["result"]
    assert (before[0]["group_id"], before[0]["intra_id"]) == ("888", 13)
    assert server.call("save", database_name="tongxin_demo")["success"] is True
    assert server.stop() == 0
    report = json.loads((tmp_path / "out" / "serve_result.json").read_text(encoding="utf-8"))
    assert (report["done_flag"], report["records"]) == (True, 8)
    assert "s3cret" not in server.log.read_text(encoding="utf-8")
    assert TOKEN not in server.log.read_text(encoding="utf-8")
    again = Served(tmp_path / "root", tmp_path / "out")
    assert again.call("db_search", **asked)["error_code"] == 2001
    again.call("init", **opening)
    again.call("load", database_name="tongxin_demo")
    assert again.call("db_search", **asked)["result"] == before
    assert again.stop() == 0


@pytest.mark.parametrize("metric", ["Cosine", "L2"])
def test_search_is_what_features_and_a_loop_say(server: Served, metric: str) -> None:
    """The oracle has the vectors of /v1/features, numpy, and nothing of the index."""
    server.call("init", backend="oss", root_path="oss://default")
    server.call("add", database_name="a", feature_distance_dict={"feature": metric})
    vectors = []
    for seed in range(40):
        image = as_text(drawn(seed))
        told = server.call("db_set", database_name="a", image=image, group_id=str(seed % 7))
        assert told["success"] is True
        body = json.dumps({"image": image}).encode()
        status, answer = server.ask("/v1/features", body, **{"Content-Type": "application/json"})
        assert status == 200
        vectors.append(np.array(answer["feature"]))
    for seed in (0, 11, 39):
        distances = [float(np.linalg.norm(vector - vectors[seed])) for vector in vectors]
        cosines = [float(vector @ vectors[seed]) for vector in vectors]
        order = sorted(range(40), key=lambda at: (distances[at], at))[:10]
        asked = {"database_name": "a", "image": as_text(drawn(seed)), "search_topk": 10}
        result = server.call("db_search", **asked)["result"]
        assert [(one["group_id"], one["intra_id"]) for one in result] == [
            (str(at % 7), at // 7) for at in order
        ]
        for one, at in zip(result, order, strict=True):
            expected = 1 / (1 + distances[at]) if metric == "L2" else cosines[at]
            assert one["similarity"] == pytest.approx(
                expected, abs=2e-3 if metric == "L2" else 1e-5
            )


def test_a_second_server_on_the_same_folder_is_refused(server: Served, tmp_path: Path) -> None:
    done = _main(
        f"Serve.root={tmp_path / 'root'}", "Serve.port=0", word="x", output=tmp_path / "out2"
    )
    assert done.returncode == 2
    assert "Another service" in done.stderr
    assert server.ask("/healthz")[0] == 200


def test_a_taken_port_and_no_token_are_told(server: Served, tmp_path: Path) -> None:
    port = server.address.rpartition(":")[2]
    done = _main(
        f"Serve.root={tmp_path / 'other'}",
        f"Serve.port={port}",
        word="x",
        output=tmp_path / "out2",
    )
    assert (done.returncode, "cannot be listened on" in done.stderr) == (2, True)
    done = _main(f"Serve.root={tmp_path / 'other'}", word="", output=tmp_path / "out2")
    assert (done.returncode, "There is no token" in done.stderr) == (2, True)


def _main(*overrides: str, output: Path, word: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "main.py", "-c", "configs/service/retrieval.yaml"]
    for override in (f"Global.output={output}", *overrides):
        command += ["-o", override]
    environment = {**os.environ, "TOOLKIT_TOKEN": word}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
