"""Every method on a PP-LCNet, and every configuration that ships, cut down to a few steps."""

import numpy as np
import pytest
import yaml
from selfsup_files import METHODS

from toolkit import run
from toolkit.build import selfsup
from toolkit.build.model import build_recognizer
from toolkit.cards.weights import read_weights
from toolkit.config.load import load_config
from toolkit.runtime import seed_framework
from toolkit.training.run_log import read_rows

TRAIN = "Global.mode=train"
RECIPES = [
    *(f"pai/{name}" for name in ("MOCO_R50", "MOBY_TIMM", "MOCO_TIMM", "SWAV_R50")),
    "paper/DINO_DeiT_S",
]
SMALL = {
    "MoCo": {"hidden": 12, "width": 6, "queue_size": 20},
    "MoBY": {"hidden": 12, "width": 6, "queue_size": 20},
    "SwAV": {"hidden": 12, "width": 6, "prototypes": 10, "queue_size": 8},
    "DINO": {"hidden": 12, "bottleneck": 6, "outputs": 20},
}


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """Leaves out the exports, which take most of a tiny run; test_train_selfsup.py has them."""
    monkeypatch.setattr(selfsup, "build_exporter", lambda *_: lambda _: None)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_pp_lcnet_goes_with_every_method(configure_selfsup, tmp_path, method):
    config = configure_selfsup(
        method, TRAIN, "Arch.Backbone={name: PPLCNet_x0_25}", "Train.max_steps=2",
        "Train.batch_size=4", "SelfSup.judge_images=8", "SelfSup.on_collapse=warn",
    )  # fmt: skip
    report = run(config)
    assert report.fit.position.step == 2
    steps = [r for r in read_rows(tmp_path / "output/metrics.jsonl") if r["kind"] == "step"]
    assert all(np.isfinite(row["loss"]) for row in steps)
    seed_framework(config.Global.seed)
    start = build_recognizer(config.Arch, num_classes=None).state_dict()
    trained = read_weights(report.output / "latest")
    assert trained.keys() == start.keys()
    moved = [n for n, array in trained.items() if not np.array_equal(array, start[n].numpy())]
    assert len(moved) > len(trained) / 2


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_trains_and_resumes_at_a_tiny_size(repository, drawn_dataset, tmp_path, recipe):
    text = yaml.safe_load((repository / f"configs/self_supervised/{recipe}.yaml").read_text())
    method = text["SelfSup"]["method"]["name"]
    is_vit = "DeiT" in text["Arch"]["Backbone"]["name"]
    text["Arch"]["Backbone"] = {"name": "TinyViT" if is_vit else "SmallResNet"}
    text["SelfSup"]["method"] |= SMALL[method]
    text["SelfSup"] |= {"use_pretrained": False, "images": None, "judge_images": 8}
    for view in text["SelfSup"]["views"]:
        view["transforms"][0]["RandCropImage"]["size"] = 32 if view["count"] == 2 else 16
    text["Train"] |= {"epochs_iters": 2, "batch_size": 8, "accumulate_steps": 1}
    text["Train"] |= {"save_interval": 1, "eval_interval": 1, "visualdl": False}
    text["Data"] |= {"num_workers": 0, "cache_mib": 0}
    text["Data"]["train_transforms"] = [{"ResizeImage": {"size": 40}}]
    text["Data"]["eval_transforms"][0]["ResizeImage"]["size"] = 32
    text["Global"] |= {"mode": "train", "dataset_dir": str(drawn_dataset), "device": "cpu"}
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(text))
    whole = run(load_config(file, [f"Global.output={tmp_path / 'whole'}"]))
    again = run(
        load_config(
            file,
            [
                f"Global.output={tmp_path / 'again'}",
                f"Train.resume_path={whole.output / 'epoch_1'}",
            ],
        )
    )
    for name, array in read_weights(whole.output / "latest").items():
        np.testing.assert_array_equal(array, read_weights(again.output / "latest")[name])
