"""A detector beside the model, in a server that cannot import Paddle."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")
pytest.importorskip("python_multipart")
pytest.importorskip("onnxruntime")
pytest.importorskip("paddle")
pytest.importorskip("paddle2onnx")

from tests.e2e.served import Served, as_text
from tests.inference.tiny_detectors import export_detector
from tests.serving.conftest import drawn

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    import paddle2onnx

    folder = export_detector(tmp_path / "detector", "finished")
    paddle2onnx.export(
        str(folder / "inference.json"),
        str(folder / "inference.pdiparams"),
        str(folder / "inference.onnx"),
        enable_optimize=False,
    )
    return folder


def _post(server: Served, path: str, body: dict[str, Any]) -> dict[str, Any]:
    status, answer = server.ask(
        path, json.dumps(body).encode(), **{"Content-Type": "application/json"}
    )
    assert status == 200, answer
    return dict(answer)


def test_what_is_found_is_recognised(detector: Path, tmp_path: Path) -> None:
    server = Served(tmp_path / "root", tmp_path / "out", f"Serve.detector_dir={detector}")
    try:
        pairs = [{"image": as_text(drawn(seed)), "label": f"l{seed}"} for seed in range(4)]
        key = _post(server, "/shitu-index-build", {"imageLabelPairs": pairs})["result"]["indexKey"]
        # What the tiny detector calls a thing is bright red.
        pixels = np.zeros((128, 128, 3), np.uint8)
        pixels[32:64, 64:96, 0] = 255
        written = io.BytesIO()
        Image.fromarray(pixels).save(written, "PNG")
        body = {"image": as_text(written.getvalue()), "indexKey": key, "recThreshold": -1}
        found = _post(server, "/shitu-infer", body)["result"]["detectedObjects"]
        assert found[0]["score"] == pytest.approx(1, abs=1e-5)
        left, top, right, bottom = found[0]["bbox"]
        assert (left < 80 < right, top < 48 < bottom) == (True, True)
        assert all(len(one["recResults"]) == 4 for one in found)
        unsure = _post(server, "/shitu-infer", {**body, "detThreshold": 1.5})
        (whole,) = unsure["result"]["detectedObjects"]
        assert (whole["bbox"], whole["score"]) == ([0, 0, 128, 128], 0)
    finally:
        server.kill()


def test_a_folder_that_is_no_detector_is_told_before_anybody_asks(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="not that of a detector"):
        Served(
            tmp_path / "root",
            tmp_path / "out",
            "Serve.detector_dir=toolkit/cards/embedded/SmallResNet_general",
        )
