"""Every family of backbones as an exported graph: what inference makes of it is the network."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.conformance.seeded import fill
from toolkit.inference.export import export_inference
from toolkit.models.recognizer import Recognizer
from toolkit.registry import BACKBONES

# Paddle's inference stumbles over transformers most easily; the others are for make test-all.
QUICK = {"TinyCLIPViT", "TinyPPLCNet", "TinyResNet", "TinyViT"}
TINY = [
    pytest.param(
        name,
        more,
        marks=() if name in QUICK or (name, more) == ("TinySwin", 8) else [pytest.mark.slow],
    )
    for name in BACKBONES.names()
    if name.startswith("Tiny")
    for more in (0, 8)
]


@pytest.mark.parametrize(("name", "more"), TINY)
def test_an_export_computes_what_the_network_does(
    name: str, more: int, tmp_path: Path, steps: list[dict[str, dict[str, Any]]]
) -> None:
    # 8 pixels more are no multiple of a patch, and maps get odd sides.
    network = Recognizer(BACKBONES.build(name))
    fill(network)
    side = 2 * max(32, network.backbone.smallest_side) + more
    report = export_inference(
        network,
        tmp_path,
        model_name="Tiny_rec",
        image_size=(side, side),
        transform_ops=steps,
    )
    assert report.lowest_cosine >= 1 - 1e-6
