from pathlib import Path

import pytest

from toolkit.config.load import check_document, dump_config, load_config, read_document
from toolkit.config.yaml_core import parse_document
from toolkit.errors import ConfigError
from toolkit.registry import BACKBONES, HEADS, LOSSES, NECKS, OPTIMIZERS, SAMPLERS, TRANSFORMS

MINIMAL = "Global:\n  model: SmallResNet_rec\n"

# A file of PaddleX's image feature module, as a user writes it from the documentation's keys.
PADDLEX = """
Global:
  model: {model}
  mode: check_dataset # check_dataset/train/evaluate/export/predict
  dataset_dir: "/paddle/dataset/paddlex/shitu_rec/Inshop_examples"
  device: gpu:0,1,2,3
  output: "output"

CheckDataset:
  convert:
    enable: False
    src_dataset_type: null
  split:
    enable: False
    train_percent: null
    gallery_percent: null
    query_percent: null

Train:
  num_classes: 159
  epochs_iters: 20
  batch_size: 128
  learning_rate: 0.01
  pretrain_weight_path: None
  warmup_steps: 5
  resume_path: null
  log_interval: 1
  eval_interval: 1
  save_interval: 1

Evaluate:
  weight_path: "output/best_model/best_model.pdparams"
  log_interval: 1

Export:
  weight_path: https://example.invalid/x_pretrained.pdparams

Predict:
  batch_size: 1
  model_dir: "output/best_model/inference"
  input: "https://example.invalid/001.jpg"
  kernel_option:
    run_mode: paddle
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "c.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def problems(folder: Path, text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(write(folder, text), overrides)
    return str(caught.value)


@pytest.mark.parametrize(
    "model",
    ["PP-ShiTuV2_rec", "PP-ShiTuV2_rec_CLIP_vit_base", "PP-ShiTuV2_rec_CLIP_vit_large"],
)
def test_a_paddlex_file_runs_unchanged(tmp_path: Path, model: str) -> None:
    config = load_config(write(tmp_path, PADDLEX.replace("{model}", model)))
    assert config.Train.warmup_steps == 5
    assert config.Train.pretrain_weight_path is None
    assert config.Data.eval_transforms[0].name == "ResizeImage"
    assert config.Arch.Neck is not None


def test_the_recipe_of_the_card_fills_what_a_file_lacks(tmp_path: Path) -> None:
    text = MINIMAL + "Loss: [{CELoss: {epsilon: 0.3}}]\n"
    config = load_config(write(tmp_path, text))
    assert config.Loss[0].options == {"epsilon": 0.3, "of": "student", "weight": 1.0}
    assert config.Arch.Backbone.name == "SmallResNet"


def test_every_problem_is_named_at_once_with_its_line_and_the_nearest_key(tmp_path: Path) -> None:
    text = (
        "Global:\n  model: SmallResNet_rec\n  devise: cpu\nTrain:\n  epochs_iters: many\n"
        "  batch_size: 0\nLoss:\n  - CELos: {}\nEvalute: {}\n"
    )
    message = problems(tmp_path, text)
    assert "c.yaml, line 3: Global.devise: Unknown key of Global. Did you mean 'device'?" in message
    assert "c.yaml, line 5: Train.epochs_iters: " in message
    assert "received 'many'" in message
    assert "c.yaml, line 6: Train.batch_size: Input should be greater than 0; received 0" in message
    assert "line 8: Loss.0.CELos: Unknown loss 'CELos'. Did you mean 'CELoss'?" in message
    assert "line 9: Evalute: Unknown key of the configuration. Did you mean 'Evaluate'?" in message


def test_options_of_parts_are_checked_without_importing_them(tmp_path: Path) -> None:
    text = MINIMAL + (
        "Arch:\n  Backbone: {name: PPLCNet_x0_25, class_expand: -1, droput_prob: 0.1}\n"
        "  Head: {name: ArcMargin, margin: wide, class_num: 5}\n"
    )
    message = problems(tmp_path, text)
    assert "Arch.Backbone.class_expand: Input should be greater than 0" in message
    assert "Arch.Backbone.droput_prob: Unknown key of backbone PPLCNet_x0_25." in message
    assert "Arch.Head.margin" in message
    assert "Arch.Head.class_num: Unknown key of head ArcMargin: this is said once, as " in message
    assert "Train.num_classes" in message


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("Optimizer.lr.learning_rate=0.1", "said once, as Train.learning_rate"),
        ("Data.sampler.batch_size=8", "said once, as Train.batch_size"),
        ("Train.batch_size", "expected Section.key=value"),
        ("Loss.7.CELoss.epsilon=0.1", "Loss is a list of 1"),
        ("Global.model.x=1", "which has no key 'x'"),
        ("Train.learning_rate=on", "received 'on'"),
        ("Train.num_classes=0", "received 0"),
        ("Global.mode=eval", "Unknown mode 'eval'"),
        ("Global.device=tpu", "Unknown device 'tpu'"),
        ("Global.model=PP-ShiTuV2_recc", "Did you mean 'PP-ShiTuV2_rec'?"),
        ("CheckDataset.split.enable=true", "must all be given"),
        ("CheckDataset.convert.src_dataset_type=Label", "Unknown source dataset type 'Label'"),
        ("CheckDataset.thresholds.min_sid=3", "Did you mean 'min_side'?"),
        ("Data.columns=[path, colour]", "Data.columns.1"),
        ("Train.learning_rate=.nan", "finite"),
    ],
)
def test_bad_overrides_are_named(tmp_path: Path, override: str, expected: str) -> None:
    text = MINIMAL + "Loss: [{CELoss: {}}]\n"
    assert expected in problems(tmp_path, text, override)


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("Predict.input=http://x/y?a=b&c=d", "http://x/y?a=b&c=d"),
        ("Predict.input=/data/a #1.jpg", "/data/a #1.jpg"),
        ("Predict.input=on", "on"),
        ("Predict.input=os.system('x')", "os.system('x')"),
        ("Predict.input=[a, b]", ["a", "b"]),
        ("Predict.input='12'", "12"),
        ("Predict.input=None", None),
        ("Predict.input=null", None),
        ("Predict.input=", None),
    ],
)
def test_override_values(tmp_path: Path, override: str, value: object) -> None:
    assert load_config(write(tmp_path, MINIMAL), [override]).Predict.input == value


def test_overrides_reach_into_lists_and_make_sections(tmp_path: Path) -> None:
    text = MINIMAL + "Loss:\n  - CELoss: {epsilon: 0.1}\n"
    config = load_config(
        write(tmp_path, text), ["Loss.0.CELoss.epsilon=2e-1", "Train.learning_rate=1e-3"]
    )
    assert config.Loss[0].options["epsilon"] == 0.2
    assert config.Train.learning_rate == 1e-3


def test_the_warm_up_is_said_once(tmp_path: Path) -> None:
    said_twice = ["Train.warmup_steps=3", "Optimizer.lr.warmup_iters=100"]
    assert "said twice" in problems(tmp_path, MINIMAL, *said_twice)


def test_what_is_written_reads_back_equal(tmp_path: Path) -> None:
    for model in ("SmallResNet_rec", "PP-ShiTuV2_rec", "PP-ShiTuV2_rec_CLIP_vit_base"):
        config = load_config(
            write(tmp_path, f"Global: {{model: {model}}}"), ["Global.output=1e-3x"]
        )
        document = parse_document(dump_config(config), "again")
        assert check_document(document) == config


def test_an_own_model_needs_a_whole_recipe(tmp_path: Path) -> None:
    message = problems(tmp_path, "Global: {model: mine}")
    assert "needs the sections" in message
    assert "This key is needed" not in message  # said once


def test_a_missing_recipe_is_told_where_nothing_else_is() -> None:
    with pytest.raises(ConfigError, match=r"Arch: This key is needed.*\n.*Loss: This key"):
        check_document(parse_document("Global: {model: SmallResNet_rec}", "c.yaml"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        read_document(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    "registry",
    [BACKBONES, NECKS, HEADS, LOSSES, TRANSFORMS, SAMPLERS, OPTIMIZERS],
    ids=lambda registry: registry.kind,
)
def test_the_options_in_a_source_are_the_ones_python_sees(registry) -> None:
    import inspect

    for name in registry.names():
        from_source = {option.name for option in registry.options(name)}
        part = registry.get(name)
        fixed = getattr(part, "keywords", {})
        assert from_source == set(inspect.signature(part).parameters) - set(fixed)


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        ("near_duplicate_radius: 17", "less than or equal to 16; received 17"),
        ("odd_size: 1.0", "greater than 1; received 1.0"),
        ("max_aspect: 0.5", "greater than or equal to 1; received 0.5"),
        ("imbalance: 0.5", "greater than or equal to 1; received 0.5"),
    ],
)
def test_thresholds_are_checked_in_every_mode(
    tmp_path: Path, threshold: str, expected: str
) -> None:
    overrides = ["Global.mode=predict", f"CheckDataset.thresholds={{{threshold}}}"]
    message = problems(tmp_path, MINIMAL, *overrides)
    assert f"CheckDataset.thresholds.{threshold.split(':')[0]}: " in message
    assert expected in message


def test_none_is_null_in_the_options_of_parts_too(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, MINIMAL), ["Optimizer.lr.warmup_iters=None"])
    assert config.Optimizer.options["lr"].options["warmup_iters"] is None


def test_options_of_parts_say_what_was_received(tmp_path: Path) -> None:
    message = problems(tmp_path, MINIMAL, "Data.sampler={name: PKSampler, sample_per_id: 0}")
    assert "sample_per_id: Input should be greater than 0; received 0." in message
    assert ".." not in message.split("Data.sampler.sample_per_id")[1]


def test_a_section_without_keys_has_its_defaults(tmp_path: Path) -> None:
    text = MINIMAL + "Evaluate:\nCheckDataset:\n  split:\n"
    config = load_config(write(tmp_path, text), ["Export=None"])
    plain = load_config(write(tmp_path, MINIMAL))
    assert (config.Evaluate, config.CheckDataset) == (plain.Evaluate, plain.CheckDataset)
    assert config.Export == plain.Export


def test_checks_over_several_keys_are_told_with_all_others(tmp_path: Path) -> None:
    text = MINIMAL + (
        "CheckDataset:\n"
        "  convert: {enable: true, src_dataset_typ: CSV}\n"
        "  split: {enable: true, train_percent: 50, gallery_percent: 30, query_percent: 30,"
        " by: images}\n"
    )
    overrides = ["Train.warmup_steps=3", "Optimizer.lr.warmup_iters=9", "Metric.recall_k=[0]"]
    message = problems(tmp_path, text, *overrides)
    for expected in (
        "src_dataset_type is null", "src_dataset_typ: Unknown key", "(50.0, 30.0, 30.0) sum to 110",
        "split.by: Input should be 'image' or 'class'", "warm-up is said twice", "recall_k.0",
    ):  # fmt: skip
        assert expected in message, expected


def test_a_doubled_key_and_a_bad_override_do_not_hide_other_problems(tmp_path: Path) -> None:
    text = MINIMAL + "Metric: {recall_k: [0]}\nMetric: {recall_k: [1]}\n"
    message = problems(tmp_path, text, "Train", "Train.epochs_iters=x")
    for expected in ("Metric is said twice", "-o Train: expected", "epochs_iters", "recall_k.0"):
        assert expected in message, expected


def test_a_whole_global_section_decides_on_the_recipe(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, MINIMAL), ["Global={model: PP-ShiTuV2_rec}"])
    assert config.Arch.Backbone.name == "PPLCNetV2_base_ShiTu"


def test_options_left_over_from_a_renamed_part_come_with_a_way_out(tmp_path: Path) -> None:
    text = "Global: {model: PP-ShiTuV2_rec}"
    message = problems(tmp_path, text, "Data.sampler.name=UniformSampler")
    assert "-o 'Data.sampler={name: UniformSampler}'" in message


def test_arguments_that_are_not_text_are_named(tmp_path: Path) -> None:
    message = problems(tmp_path, MINIMAL, "Global.dataset_dir=caf\udce9")
    assert "caf\\udce9" in message
    assert "not UTF-8" in message
