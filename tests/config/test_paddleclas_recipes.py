"""The published recipes of PaddleClas: what they become here, or which of their keys are refused.

The files in paddleclas_files/ are ours, in PaddleClas's format, with the options of its published
recipes; expected.yml beside them is written by hand.
"""

import contextlib
import json
import re
from pathlib import Path

import pytest
import yaml
from paddleclas_reading import FILES, V1, V2, problems, read, translated, value

from toolkit.config.load import check_document, dump_config, load_config
from toolkit.config.paddleclas.translate import translate
from toolkit.config.yaml_core import Document
from toolkit.errors import ConfigError

EXPECTED = yaml.safe_load((FILES / "expected.yml").read_text(encoding="utf-8"))
BECOMES = {name: entry["becomes"] for name, entry in EXPECTED.items() if "becomes" in entry}
REFUSED = {name: entry["refused"] for name, entry in EXPECTED.items() if "refused" in entry}


def test_every_file_is_expected_to_become_something() -> None:
    assert {file.stem for file in FILES.glob("*.yaml")} == {*BECOMES, *REFUSED}


@pytest.mark.parametrize(
    ("name", "key", "expected"),
    [(name, key, wanted) for name, keys in BECOMES.items() for key, wanted in keys.items()],
)
def test_a_recipe_becomes_ours(name: str, key: str, expected) -> None:
    assert value(translated(name), key) == (
        pytest.approx(expected) if isinstance(expected, float) else expected
    )


@pytest.mark.parametrize("name", list(BECOMES))
def test_the_translation_is_a_configuration_of_ours(name: str, tmp_path: Path) -> None:
    config = check_document(read(name))
    file = tmp_path / "config.yaml"
    file.write_text(dump_config(config), encoding="utf-8")
    assert load_config(file) == config


@pytest.mark.parametrize("name", list(REFUSED))
def test_everything_that_is_not_supported_is_told_at_once_with_its_line(name: str) -> None:
    lines = (FILES / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    found = []
    for problem in problems(name):
        match = re.match(r".*\.yaml, line (\d+): ([\w.]+): ", problem)
        assert match, problem
        key = match[2].split(".")[-1]
        # A list that an anchor repeats has its only line where the anchor stands.
        assert f"{key}:" in lines[int(match[1]) - 1], problem
        found.append(match[2])
    assert found == REFUSED[name]


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("Vehicle_ResNet50_ReID", ["DataLoader.Train.dataset.transform_ops.3={RandFlipImage: {}}"]),
        (
            "DeepHash_DCH",
            ["Global.feature_normalize=True", "Global.feature_binarize=null"],
        ),
    ],
)
def test_the_rest_of_a_refused_recipe_is_translated(name: str, overrides: list[str]) -> None:
    data = translated(name, *overrides)
    expected = {
        "Vehicle_ResNet50_ReID": {
            "Arch.Neck": {"name": "VehicleNeck", "embedding_size": 512},
            "Loss.1": {"SupConLoss": {"weight": 1.0}},
            "Data.sampler": {
                "name": "RandomIdentitySampler",
                "sample_per_id": 2,
                "drop_last": False,
            },
        },
        "DeepHash_DCH": {
            "Arch": {"Backbone": {"name": "AlexNet", "class_num": 48}},
            "Loss.0": {"DCHLoss": {"weight": 1.0, "gamma": 20.0, "quantization_weight": 0.1}},
            "Optimizer.name": "Momentum",
            "Optimizer.momentum": 0.0,
            "Optimizer.lr": {"name": "Piecewise", "milestones": [200], "factors": [0.1]},
            "Train.learning_rate": 0.005,
        },
    }[name]
    for key, wanted in expected.items():
        assert value(data, key) == wanted


def test_the_strong_baseline_runs_with_lists_opencv_and_one_optimizer() -> None:
    """The person re-identification recipe, once what it cannot keep is replaced."""
    steps = "[ResizeImage: {size: [128, 256]}, NormalizeImage: {order: hwc}]"
    lists = [
        f"DataLoader.{part}.dataset={{name: VeriWild, image_root: D, cls_label_path: D/{part}.txt, "
        f"transform_ops: {steps}}}"
        for part in ("Train", "Eval.Query", "Eval.Gallery")
    ]
    lr = (
        "{name: Piecewise, decay_epochs: [30, 60], values: [3.5e-4, 3.5e-5, 3.5e-6], "
        "warmup_epoch: 10, warmup_start_lr: 3.5e-6, by_epoch: True}"
    )
    optimizer = f"Optimizer={{name: Adam, lr: {lr}, regularizer: {{name: L2, coeff: 5.0e-4}}}}"
    data = translated("reid_softmax_triplet_with_center", *lists, optimizer)
    assert data["Arch"]["Backbone"] == {"name": "ResNet50_last_stage_stride1", "stem_act": None}
    assert value(data, "Loss.2") == {"CenterLoss": {"weight": 5e-4, "feature_from": "backbone"}}
    # PaddleClas counts its epochs from the end of the warm-up of ten.
    assert value(data, "Optimizer.lr.milestones") == [40, 70]
    assert value(data, "Optimizer.lr.factors") == pytest.approx([0.1, 0.01])
    assert value(data, "Optimizer.lr.by_epoch") is True
    assert value(data, "Train.learning_rate") == 3.5e-4


def test_the_weight_of_a_single_loss_is_told() -> None:
    document = read(V1, "Loss.Train.0.CELoss.weight=2.0")
    assert value(document.data, "Loss.0") == {"CELoss": {"weight": 2.0}}
    assert any("only loss and has the weight 2.0" in note for note in document.notes)
    assert not any("only loss" in note for note in read(V1).notes)


def test_what_is_left_out_is_one_line_with_every_key_and_its_reason() -> None:
    (line,) = [note for note in read(V2).notes if note.startswith("Left out")]
    for said in (
        "Global.use_dali",
        "AMP.level",
        "Arch.infer_add_softmax",
        "Arch.Neck.num_features: follows from the backbone's feature",
        "Loss.Eval: retrieval is measured by Metric",
        "DataLoader.Train.loader.use_shared_memory",
        "DataLoader.Train.dataset.relabel",
    ):
        assert said in line


def mappings(data, path=()):
    """Every mapping of a document that has options, names of steps and losses left out."""
    if isinstance(data, dict):
        if not (len(data) == 1 and path and isinstance(path[-1], int)):
            yield path
        for key, item in data.items():
            yield from mappings(item, (*path, key))
    elif isinstance(data, list):
        for number, item in enumerate(data):
            yield from mappings(item, (*path, number))


@pytest.mark.parametrize("name", list(BECOMES))
def test_no_key_of_a_file_is_passed_over(name: str) -> None:
    """A key that nobody knows, in each mapping of the file in turn: it is refused every time."""
    text = (FILES / f"{name}.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    data["Loss"].pop("Eval", None)
    data.pop("Infer", None)
    places = list(mappings(data))
    assert len(places) > 35
    for path in places:
        # Parsing again separates what an anchor repeats.
        changed = json.loads(json.dumps(data))
        node = changed
        for step in path:
            node = node[step]
        node["qqq"] = 1
        translation = translate(Document(changed), mode="train", output=None)
        assert any("qqq" in problem for problem in translation.problems), path


def leaves(data, path=()):
    """Every place of a document that holds a plain value, or nothing."""
    entries = data.items() if isinstance(data, dict) else enumerate(data)
    for key, item in entries:
        if isinstance(item, dict | list) and item:
            yield from leaves(item, (*path, key))
        else:
            yield (*path, key)


@pytest.mark.parametrize("wrong", [None, "word", -1, 0.5, True, [], [[1]], {}, {"a": {"b": 1}}])
@pytest.mark.parametrize("name", [*BECOMES, "reid_softmax_triplet_with_center", "DeepHash_DCH"])
def test_no_wrong_value_is_a_bug_of_ours(name: str, wrong) -> None:
    """Whatever stands in place of a value or a part: it passes, or it is a told problem."""
    text = (FILES / f"{name}.yaml").read_text(encoding="utf-8")
    data = json.loads(json.dumps(yaml.safe_load(text)))
    whole = {path[:length] for path in leaves(data) for length in range(1, len(path) + 1)}
    for path in sorted(whole, key=str):
        changed = json.loads(json.dumps(data))
        node = changed
        for step in path[:-1]:
            node = node[step]
        node[path[-1]] = wrong
        document = translate(Document(changed), mode="train", output=None)
        with contextlib.suppress(ConfigError):
            check_document(document)
