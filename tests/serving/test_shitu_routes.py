"""PaddleX's routes through ASGI, and search for what a detector finds."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("httpx2")
pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")
pytest.importorskip("python_multipart")
from PIL import Image
from starlette.testclient import TestClient

from tests.serving.conftest import as_text, drawn
from toolkit.inference.detection.detector import Detection
from toolkit.serving.service import Service


def test_paddlex_routes(client: TestClient) -> None:
    pairs = [{"image": as_text(drawn(seed)), "label": f"l{seed}"} for seed in range(4)]
    built = client.post("/shitu-index-build", json={"imageLabelPairs": pairs[:3]}).json()
    key = built["result"]["indexKey"]
    assert (built["errorCode"], built["result"]["imageCount"]) == (0, 3)
    added = client.post("/shitu-index-add", json={"imageLabelPairs": pairs[3:], "indexKey": key})
    assert added.json()["result"] == {"imageCount": 4, "ids": [3]}
    body = {"image": pairs[2]["image"], "indexKey": key, "topk": 2, "recThreshold": -1}
    (box,) = client.post("/shitu-infer", json=body).json()["result"]["detectedObjects"]
    assert box["bbox"] == [0, 0, 48, 48]
    assert box["recResults"][0]["label"] == "l2"
    assert len(box["recResults"]) == 2
    boxes = {**body, "boxes": [[0, 0, 24, 24], [24, 24, 48, 48]]}
    found = client.post("/shitu-infer", json=boxes).json()["result"]["detectedObjects"]
    assert [one["bbox"] for one in found] == boxes["boxes"]
    strict = {**body, "recThreshold": 0.9999, "topk": 5}
    (box,) = client.post("/shitu-infer", json=strict).json()["result"]["detectedObjects"]
    assert [one["id"] for one in box["recResults"]] == [2]
    left = client.post("/shitu-index-remove", json={"ids": [2], "indexKey": key}).json()["result"]
    assert left["imageCount"] == 3
    for wrong in (
        {**body, "indexKey": "../a"},
        {**body, "topk": 0},
        {**body, "boxes": [[0, 0, 99, 9]]},
    ):
        answer = client.post("/shitu-infer", json=wrong)
        assert answer.status_code == answer.json()["errorCode"] == 422


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_the_whole_picture_is_a_box_the_right_way_up(
    client: TestClient, form: str, orientation: int
) -> None:
    exif, written = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.new("RGB", (40, 20), "green").save(written, form, exif=exif)
    text = as_text(written.getvalue())
    pairs = {"imageLabelPairs": [{"image": text, "label": "green"}]}
    key = client.post("/shitu-index-build", json=pairs).json()["result"]["indexKey"]
    answer = client.post("/shitu-infer", json={"image": text, "indexKey": key}).json()
    (box,) = answer["result"]["detectedObjects"]
    assert box["bbox"] == ([0, 0, 20, 40] if orientation == 6 else [0, 0, 40, 20])


class _LeftHalf:
    """A detector that is sure of the left half of every picture, less of the right, and knows when
    there is nothing: where the first pixel is black."""

    def detect(self, pixels: Any, threshold: float) -> list[Detection]:
        height, width = pixels.shape[:2]
        halves = [
            Detection("thing", 0.9, (0.0, 0.0, width / 2, float(height))),
            Detection("thing", 0.6, (width / 2, 0.0, float(width), float(height))),
        ]
        return [one for one in halves if one.score > threshold and pixels[0, 0].any()]


@pytest.fixture
def with_detector(service: Service) -> Service:
    return replace(service, detector=_LeftHalf())  # type: ignore[arg-type]


def test_what_the_detector_finds_is_searched_for(
    with_detector: Service, client_of: Callable[[Service], TestClient]
) -> None:
    client = client_of(with_detector)
    pairs = [{"image": as_text(drawn(seed)), "label": f"l{seed}"} for seed in range(4)]
    key = client.post("/shitu-index-build", json={"imageLabelPairs": pairs}).json()["result"][
        "indexKey"
    ]
    both = Image.new("RGB", (96, 48))
    for at, seed in enumerate((1, 3)):
        both.paste(Image.open(io.BytesIO(drawn(seed))), (48 * at, 0))
    written = io.BytesIO()
    both.save(written, "PNG")
    body = {"image": as_text(written.getvalue()), "indexKey": key, "topk": 1}
    found = client.post("/shitu-infer", json=body).json()["result"]["detectedObjects"]
    assert [one["bbox"] for one in found] == [[0, 0, 48, 48], [48, 0, 96, 48]]
    assert [one["score"] for one in found] == [0.9, 0.6]
    assert [one["recResults"][0]["label"] for one in found] == ["l1", "l3"]
    surer = client.post("/shitu-infer", json={**body, "detThreshold": 0.7})
    assert len(surer.json()["result"]["detectedObjects"]) == 1
    # Boxes of the client come first, and where nothing is found the picture is the thing.
    given = client.post("/shitu-infer", json={**body, "boxes": [[48, 0, 96, 48]]})
    assert given.json()["result"]["detectedObjects"][0]["recResults"][0]["label"] == "l3"
    unsure = client.post("/shitu-infer", json={**body, "detThreshold": 0.95})
    assert unsure.json()["result"]["detectedObjects"][0]["bbox"] == [0, 0, 96, 48]
    client.put("/v1/databases/a")
    for seed in range(4):
        client.post(
            f"/v1/databases/a/images?group_id=g{seed}",
            content=drawn(seed),
            headers={"Content-Type": "image/png"},
        )
    asked = {"content": written.getvalue(), "headers": {"Content-Type": "image/png"}}
    answer = client.post("/v1/databases/a/search?k=1&detect=true", **asked).json()  # type: ignore[arg-type]
    assert answer["box"] == [0, 0, 48, 48]
    assert answer["neighbours"][0]["group_id"] == "g1"
    assert "box" not in client.post("/v1/databases/a/search?k=1", **asked).json()  # type: ignore[arg-type]


def test_without_a_detector_detect_is_told(client: TestClient) -> None:
    client.put("/v1/databases/a")
    body = {"image": as_text(drawn(1)), "detect": True}
    answer = client.post("/v1/databases/a/search", json=body)
    assert (answer.status_code, "detector_dir" in answer.json()["detail"]) == (422, True)


def test_one_bad_picture_builds_no_index(client: TestClient, service: Service) -> None:
    pairs = [{"image": as_text(drawn(1)), "label": "a"}, {"image": "AAAA", "label": "b"}]
    assert client.post("/shitu-index-build", json={"imageLabelPairs": pairs}).status_code == 422
    assert service.folders.at(service.folders.root / "paddlex").names() == []
