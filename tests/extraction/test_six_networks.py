"""Fifty photographs, two of them corrupt, through EasyVision's six networks.

Weights are random: what is compared is bytes, between 1 and 3 workers and between the runners.
"""

import json
from pathlib import Path

import pytest

import toolkit

pytest.importorskip("paddle")
GROCERY = Path(__file__).parents[2] / ".." / "shared" / "data" / "grocery"
LAYERS = {
    "resnet_v1_50": "resnet_v1_50/block4",
    "resnet_v1_101": "AvgPool_1a",
    "inception_v3": "Mixed_7c",
    "inception_v4": "PreLogitsFlatten",
    "mobilenet_v2": "layer_18/expansion_output",
    "efficientnet_b0": "block_5/expansion_output",
}
CORRUPT = (7, 31)


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """A list of 50 photographs; two of the files end in their middle."""
    if not (GROCERY / "train.txt").is_file():
        pytest.skip(f"{GROCERY} is not there")
    folder = tmp_path_factory.mktemp("photographs")
    rows = (GROCERY / "train.txt").read_text(encoding="utf-8").splitlines()[::50][:50]
    files = []
    for number, row in enumerate(rows):
        data = (GROCERY / row.rsplit(maxsplit=1)[0]).read_bytes()
        file = folder / f"{number:02d}.jpg"
        file.write_bytes(data[: len(data) // 2] if number in CORRUPT else data)
        files.append(file)
    place = folder / "list.txt"
    place.write_text("".join(f"{file}\n" for file in files), encoding="utf-8")
    return place


@pytest.mark.slow
@pytest.mark.parametrize("model", LAYERS)
def test_one_worker_three_workers_and_ray_give_the_same_bytes(model, listed, tmp_path):
    outputs = {}
    runs = {"one": {"num_worker": 1}, "three": {"num_worker": 3}}
    try:
        import ray  # noqa: F401
    except ImportError:
        pass
    else:
        runs["ray"] = {"num_worker": 3, "runner": "ray"}
    for name, keys in runs.items():
        output = tmp_path / f"{name}.txt"
        report = toolkit.extract(
            listed, output, model=model, feature_name=LAYERS[model], weights="random",
            pool="none", shard_size=8, batch_size=8, device="cpu", **keys,
        )  # fmt: skip
        assert (report.merged.rows, report.failed, report.passed) == (50, 2, True)
        outputs[name] = output.read_bytes()
    assert len(set(outputs.values())) == 1
    lines = outputs["one"].decode().splitlines()
    missing = [n for n, line in enumerate(lines) if line.endswith(',  {"feature": null}')]
    assert missing == list(CORRUPT)
    length = len(json.loads(lines[0].split(",  ", 1)[1])["feature"])
    assert length == report.merged.length
