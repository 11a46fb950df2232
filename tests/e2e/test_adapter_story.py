"""An adapter's export in every mode that takes a model, and a service that runs it."""

from pathlib import Path

import numpy as np
import pytest

from tests.e2e.served import Served
from toolkit import build_index, create_model, extract, run, search
from toolkit.config.load import load_config

for _module in ("fastapi", "uvicorn", "httptools", "prometheus_client", "onnxruntime"):
    pytest.importorskip(_module)
pytestmark = [pytest.mark.e2e, pytest.mark.slow]
DIMENSION = 5


def test_an_adapter_is_extracted_indexed_searched_and_served(
    tmp_path: Path, drawn_dataset: Path, tiny_config: str
) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(tiny_config.format(dataset=drawn_dataset, output=tmp_path / "base"))
    run(load_config(file, ["Global.mode=train", "Train.max_steps=2"]))
    adapter = [f"Train.pretrain_weight_path={tmp_path / 'base'}", "Train.adapter=whitening"]
    adapter += [f"Adapter.dimension={DIMENSION}", f"Global.output={tmp_path / 'adapted'}"]
    run(load_config(file, ["Global.mode=train", *adapter]))
    export = tmp_path / "adapted/best_model/inference"

    pictures = sorted((drawn_dataset / "images").glob("*.png"))
    model = create_model(model_dir=export)
    expected = np.stack([found["feature"] for found in model.predict([str(p) for p in pictures])])
    assert expected.shape == (len(pictures), DIMENSION)

    extract(str(drawn_dataset / "images"), tmp_path / "all.npy", model=export)
    np.testing.assert_allclose(np.load(tmp_path / "all.npy"), expected, atol=1e-5)

    build_index(drawn_dataset / "images", tmp_path / "index", model=export)
    (found,) = search(tmp_path / "index", [pictures[3]], model=export, topk=1)
    assert pictures[3].name in found.hits[0].id

    server = Served(tmp_path / "root", tmp_path / "out", f"Serve.model_dir={export}")
    try:
        png = {"Content-Type": "image/png"}
        status, told = server.ask("/v1/features", pictures[3].read_bytes(), **png)
        assert (status, told["dimension"]) == (200, DIMENSION)
        np.testing.assert_allclose(told["feature"], expected[3], atol=1e-5)
    finally:
        server.kill()
