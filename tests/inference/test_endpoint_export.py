"""Endpoints as ONNX files: the rows of the network, without Paddle."""

import json
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("paddle2onnx")
pytest.importorskip("onnxruntime")

from toolkit.build.endpoints import open_endpoint
from toolkit.errors import ModelError
from toolkit.inference.endpoint_export import export_endpoint
from toolkit.inference.engines.endpoint_onnx import EndpointOnnxEngine

WITHOUT_PADDLE = """
import sys
sys.modules["paddle"] = None
from pathlib import Path
import numpy as np
from toolkit.inference.engines.endpoint_onnx import EndpointOnnxEngine
engine = EndpointOnnxEngine(Path(sys.argv[1]), threads=2)
picture = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
image = engine.pipeline(picture, np.random.default_rng(0))
for run in engine.streams():
    rows = run(image[np.newaxis])
np.save(sys.argv[2], rows)
"""


def pictures(engine, count):
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 256, (count, 90, 120, 3), np.uint8)
    return np.stack([engine.pipeline(one, rng) for one in drawn])


@pytest.mark.parametrize(
    ("name", "endpoint", "pool"),
    [
        ("PPLCNet_x0_25", "stage_2", "gem"),
        ("PPLCNet_x0_25", "last_map", None),
        ("SmallResNet_general", "feature", None),
        pytest.param("mobilenet_v2", "layer_5/expansion_output", "max", marks=pytest.mark.slow),
        pytest.param("mobilenet_v2", "class", None, marks=pytest.mark.slow),
        pytest.param("mobilenet_v2", "Logits", None, marks=pytest.mark.slow),
        pytest.param("efficientnet_b0", "probs", None, marks=pytest.mark.slow),
        pytest.param("inception_v4", "Mixed_3a", "avg", marks=pytest.mark.slow),
        pytest.param("ViT_tiny_patch16_224", "block_3", None, marks=pytest.mark.slow),
    ],
)
def test_an_export_gives_the_rows_of_the_network(tmp_path, name, endpoint, pool):
    weights = "auto" if name == "SmallResNet_general" else "random"
    engine = open_endpoint(name, endpoint, pool=pool, weights=weights)
    exported = export_endpoint(engine, tmp_path)
    images = pictures(engine, 3)
    rows, expected = exported.run(images), engine.run(images)
    assert rows.dtype == expected.dtype == engine.dtype
    np.testing.assert_allclose(rows, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert rows.tobytes() == np.concatenate([exported.run(one[None]) for one in images]).tobytes()
    for fact in ("shape", "length", "dtype", "fingerprint"):
        assert getattr(exported, fact) == getattr(engine, fact)
    np.testing.assert_array_equal(pictures(exported, 1), images[:1])


def test_an_export_runs_without_paddle_and_holds_only_what_it_needs(tmp_path):
    engine = open_endpoint("PPLCNet_x0_25", "stage_1", pool="avg", weights="random")
    export_endpoint(engine, tmp_path)
    # The whole network has 240,184 parameters.
    assert (tmp_path / "endpoint.onnx").stat().st_size < 20_000
    command = [sys.executable, "-c", WITHOUT_PADDLE, str(tmp_path), str(tmp_path / "rows.npy")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = np.load(tmp_path / "rows.npy")
    np.testing.assert_allclose(rows, engine.run(pictures(engine, 1)), rtol=1e-4, atol=1e-5)


def test_what_is_no_export_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"no exported endpoint: it has no endpoint\.json"):
        EndpointOnnxEngine(tmp_path)
    export_endpoint(open_endpoint("PPLCNet_x0_25", "stage_1", weights="random"), tmp_path)
    facts = json.loads((tmp_path / "endpoint.json").read_text("utf-8"))
    graph = (tmp_path / "endpoint.onnx").read_bytes()
    for changed, said in (
        ({**facts, "format_version": 2}, "format version 2; this toolkit reads 1"),
        ({**facts, "graph": "0" * 16}, "is not the graph that"),
        ({**facts, "preprocessing": [{"Turn": {}}]}, "is damaged"),
        ({**facts, "shape": None}, "is damaged"),
        ([], "format version None"),
    ):
        (tmp_path / "endpoint.json").write_text(json.dumps(changed), encoding="utf-8")
        with pytest.raises(ModelError, match=said):
            EndpointOnnxEngine(tmp_path)
    (tmp_path / "endpoint.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match="cannot be read"):
        EndpointOnnxEngine(tmp_path)
    (tmp_path / "endpoint.json").write_text(json.dumps(facts), encoding="utf-8")
    (tmp_path / "endpoint.onnx").write_bytes(graph[:-1])
    with pytest.raises(ModelError, match="is not the graph that"):
        EndpointOnnxEngine(tmp_path)


@pytest.mark.parametrize("name", ["original_image", "preprocessed_images"])
def test_what_goes_into_a_network_is_not_exported(tmp_path, name):
    engine = open_endpoint("PPLCNet_x0_25", name, weights="random")
    with pytest.raises(ModelError, match=f"{name} is what goes into the network"):
        export_endpoint(engine, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_differs_does_not_take_the_place_of_a_good_one(tmp_path, monkeypatch):
    engine = open_endpoint("PPLCNet_x0_25", "stage_1", weights="random")
    export_endpoint(engine, tmp_path)
    good = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert set(good) == {"endpoint.onnx", "endpoint.json"}
    monkeypatch.setattr(EndpointOnnxEngine, "run", lambda _, images: engine.run(images) * 1.01)
    with pytest.raises(ModelError, match=r"computes something else.*Nothing was written"):
        export_endpoint(engine, tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == good
