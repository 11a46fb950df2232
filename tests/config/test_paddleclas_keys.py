"""Single keys of PaddleClas's files, in the file or as -o: where they go, and what is refused."""

import json
from pathlib import Path

import pytest
import yaml
from paddleclas_reading import FILES, HOST, V1, problems, read, translated, value

from toolkit.config.load import check_document, load_config
from toolkit.errors import ConfigError

WITHOUT_SSLD = f"{HOST}/legendary_models/PPLCNet_x2_5_pretrained.pdparams"


@pytest.mark.parametrize(
    ("mode", "overrides", "expected"),
    [
        (
            "train",
            ["Global.pretrained_model=w/best_model"],
            {"Train.pretrain_weight_path": "w/best_model"},
        ),
        (
            "evaluate",
            ["Global.pretrained_model=w/best_model"],
            {"Evaluate.weight_path": "w/best_model"},
        ),
        (
            "export",
            ["Global.pretrained_model=w/best_model"],
            {"Export.weight_path": "w/best_model", "Global.output": "OUTPUT/inference"},
        ),
        (
            "export",
            [],
            {"Export.weight_path": "OUTPUT/best_model", "Global.output": "OUTPUT/inference"},
        ),
        ("export", ["Global.output=mine"], {"Global.output": "mine"}),
        ("train", ["Global.output=mine"], {"Global.output": "mine"}),
        ("train", ["Global.output_dir=theirs"], {"Global.output": "theirs"}),
        ("train", ["Global.checkpoints=o/latest"], {"Train.resume_path": "o/latest"}),
        (
            "train",
            ["Arch.Backbone.pretrained=f.pdparams"],
            {"Train.pretrain_weight_path": "f.pdparams"},
        ),
        (
            "train",
            ["Arch.Backbone.use_ssld=False"],
            {"Train.pretrain_weight_path": WITHOUT_SSLD},
        ),
        ("train", ["Global.update_freq=4"], {"Train.accumulate_steps": 4}),
        ("train", ["EMA={decay: 0.9999}"], {"Train.ema_decay": 0.9999}),
        ("train", ["Optimizer.regularizer=null"], {"Optimizer.weight_decay": 0.0}),
        (
            "train",
            ["Metric.Eval=[Recallk: {topk: 1}, Precisionk: {topk: [1, 10]}, mINP: {}]"],
            {"Metric": {"recall_k": [1], "precision_k": [1, 10]}},
        ),
        (
            "train",
            ["Arch.Head={name: ArcMargin, embedding_size: 512, class_num: 9}"],
            {"Arch.Head": {"name": "ArcMargin", "margin": 0.5, "scale": 80.0}},
        ),
        (
            "train",
            ["Loss.Train.0={TripletLoss: {weight: 1.0}}"],
            {
                "Loss.0": {
                    "TripletLossV2": {"weight": 1.0, "margin": 1.0, "normalize_feature": False}
                }
            },
        ),
        (
            "train",
            ["Loss.Train.0={CELoss: {weight: 1.0, epsilon: null, reduction: mean}}"],
            {"Loss.0": {"CELoss": {"weight": 1.0}}},
        ),
        (
            "train",
            ["Arch.BackboneStopLayer=null", "Arch.Neck.embedding_size=1000"],
            {"Arch.Backbone.class_num": 1000},
        ),
        (
            "train",
            ["AMP={use_amp: True, level: O2, scale_loss: 128, use_fp16_test: False}"],
            {"Train.amp": {"dtype": "float16", "level": "O2", "scale_loss": 128.0}},
        ),
        ("train", ["AMP={scale_loss: 128}"], {"Train.amp.dtype": "float16"}),
        (
            "train",
            ["Train.max_steps=1", "Data.num_workers=0"],
            {"Train.max_steps": 1, "Data.num_workers": 0},
        ),
    ],
)
def test_single_keys(mode: str, overrides: list[str], expected: dict) -> None:
    data = translated(V1, *overrides, mode=mode)
    for key, wanted in expected.items():
        assert value(data, key) == wanted


@pytest.mark.parametrize("mode", ["evaluate", "export", "predict"])
def test_only_training_starts_from_the_weights_of_a_backbone(mode: str) -> None:
    assert "pretrain_weight_path" not in translated(V1, mode=mode)["Train"]
    assert "pretrain_weight_path" not in translated(V1, "Arch.Backbone.pretrained=False")["Train"]


def test_the_weights_of_the_whole_model_go_before_those_of_the_backbone() -> None:
    document = read(V1, "Global.pretrained_model=whole")
    assert value(document.data, "Train.pretrain_weight_path") == "whole"
    assert any("both given: the first" in note for note in document.notes)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (
            "Arch.Neck.embedding_size=1024",
            "Arch.Neck.embedding_size: is 1024, and the backbone's feature gives 1280",
        ),
        (
            "Arch.Head.embedding_size=256",
            "Arch.Head.embedding_size: is 256, and the embedding gives 512",
        ),
        (
            "Arch.Neck.class_num=256",
            "Arch.Head.embedding_size: is 512, and the embedding gives 256",
        ),
        ("Global.image_shape=[3, 256, 128]", "Global.image_shape: [3, 256, 128] is not what"),
        ("Global.epoch=1", "Global.epoch: 1 is not supported: unknown key. Did you mean 'epochs'?"),
        ("Global.epochs=many", "Train.epochs_iters: Input should be a valid integer"),
        ("Global.device=xpu", "Global.device: Unknown device 'xpu'"),
        ("Global.use_dali=True", "Global.use_dali: True is not supported"),
        (
            "Global.retrieval_feature_from=backbone",
            "Global.retrieval_feature_from: 'backbone' is not",
        ),
        ("AMP={use_amp: True, level: O3}", "Train.amp.level: Input should be 'O1' or 'O2'"),
        ("AMP={use_dynamic_loss_scaling: False}", "AMP.use_dynamic_loss_scaling: False is not"),
        ("EMA={decy: 0.9}", "EMA.decy: 0.9 is not supported: unknown key. Did you mean 'decay'?"),
        ("Slim={prune: {name: fpgm}}", "Slim: {'prune': {'name': 'fpgm'}} is not supported"),
        ("Arch.name=AttentionModel", "Arch.name: 'AttentionModel' is not supported"),
        ("Arch.infer_add_softmax=True", "Arch.infer_add_softmax: True is not supported"),
        ("Arch.Backbone.name=PPLCNet_x3", "Unknown backbone 'PPLCNet_x3'. Did you mean"),
        (
            "Arch.Backbone.lr_mult_list=[1]",
            "Arch.Backbone.lr_mult_list: [1] is not supported: backbone",
        ),
        ("Arch.BackboneStopLayer.name=avg_pool", "Arch.BackboneStopLayer.name: 'avg_pool' is not"),
        (
            "Arch.Neck.bias_attr={learning_rate: 0.1}",
            "Arch.Neck.bias_attr: learning_rate 0.1 is not",
        ),
        (
            "Arch.Head.weight_attr={initializer: {name: Uniform}}",
            "Arch.Head.weight_attr: the initializer",
        ),
        (
            "Loss.Train.0={CELos: {weight: 1}}",
            "Loss.0.CELos: Unknown loss 'CELos'. Did you mean 'CELoss'?",
        ),
        (
            "Loss.Train.0.CELoss.reduction=sum",
            "Loss.Train.0.CELoss.reduction: 'sum' is not supported",
        ),
        ("Optimizer.name=Lamb", "Optimizer.name: Unknown optimizer 'Lamb'"),
        ("Optimizer.clip_norm=1.0", "Optimizer.clip_norm: is not supported"),
        ("Optimizer.regularizer.name=L1", "Optimizer.regularizer.name: 'L1' is not supported"),
        ("Optimizer.lr.last_epoch=0", "Optimizer.lr.last_epoch: 0 is not supported"),
        (
            "Optimizer.lr={name: Piecewise, learning_rate: 1, decay_epochs: [1], values: [2, 1]}",
            "is 1, and values begins with 2",
        ),
        (
            "DataLoader.Train.sampler.name=MultiScaleSampler",
            "DataLoader.Train.sampler.name: 'MultiScaleSampler'",
        ),
        (
            "DataLoader.Train.dataset.delimiter=;",
            "DataLoader.Train.dataset.delimiter: ';' is not supported",
        ),
        (
            "DataLoader.Train.loader.batch_transform_ops=[MixupOperator: {alpha: 0.2}]",
            "loader.batch_transform_ops",
        ),
        (
            "DataLoader.Train.dataset.transform_ops.1={Pad: {padding: 10}}",
            "Pad: is supported only right before",
        ),
        (
            "DataLoader.Train.dataset.transform_ops.1={ToTensor: {}}",
            "ToTensor: is supported only right before",
        ),
        (
            "DataLoader.Train.dataset.transform_ops.1={Normalize: {}}",
            "Normalize: is supported only right behind",
        ),
        (
            "DataLoader.Train.dataset.transform_ops.0.DecodeImage.to_rgb=False",
            "DecodeImage.to_rgb: False is not",
        ),
        (
            "DataLoader.Train.dataset.transform_ops.1.RandCropImage.backend=pil",
            "RandCropImage.backend: 'pil'",
        ),
        (
            "DataLoader.Train.dataset.transform_ops.3.NormalizeImage.order=chw",
            "NormalizeImage.order: 'chw'",
        ),
        (
            "DataLoader.Train.dataset.transform_ops.1={TimmAutoAugment: {config_str: original}}",
            "config_str: 'original'",
        ),
        (
            "DataLoader.Eval.Gallery.dataset.transform_ops.1.ResizeImage.size=256",
            "Gallery.dataset.transform_ops: differ",
        ),
        (
            "DataLoader.Eval.Query.sampler.drop_last=True",
            "DataLoader.Eval.Query.sampler.drop_last: True",
        ),
        ("DataLoader.Eval=null", "DataLoader.Eval: has nothing; it must have Query and Gallery"),
        ("Metric.Eval.0={HammingDistance: {}}", "Metric.Eval.0.HammingDistance: is not supported"),
        ("Trian.epochs=1", "-o Trian.epochs=1: unknown section 'Trian'. Did you mean 'Train'?"),
        ("Train.epochs=1", "Train.epochs: Unknown key of Train"),
        ("Metric.recall=1", "Metric.recall"),
    ],
)
def test_what_is_refused_and_why(override: str, expected: str) -> None:
    assert any(expected in problem for problem in problems(V1, override)), problems(V1, override)


def test_an_error_of_the_schema_leads_to_the_line_of_their_file(tmp_path: Path) -> None:
    text = (FILES / f"{V1}.yaml").read_text(encoding="utf-8")
    text = text.replace("epochs: 100", "epochs: many").replace("margin: 0.2", "margin: wide")
    file = tmp_path / "theirs.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    lines = text.splitlines()
    epochs = next(n for n, line in enumerate(lines, 1) if "epochs: many" in line)
    margin = next(n for n, line in enumerate(lines, 1) if "margin: wide" in line)
    assert f"theirs.yaml, line {epochs}: Train.epochs_iters: " in str(caught.value)
    assert f"theirs.yaml, line {margin}: Arch.Head.margin: " in str(caught.value)


def test_overrides_in_either_spelling_the_later_of_ours_wins() -> None:
    data = translated(
        V1, "Train.epochs_iters=3", "Global.epochs=1", "DataLoader.Train.sampler.batch_size=8"
    )
    assert data["Train"]["epochs_iters"] == 3  # ours is laid over the translation
    assert data["Train"]["batch_size"] == 8


def test_a_file_of_ours_is_not_taken_for_theirs(tmp_path: Path) -> None:
    file = tmp_path / "ours.yaml"
    file.write_text("Global: {model: SmallResNet_rec}\nArch: {name: RecModel}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"Arch\.name: Unknown key of Arch"):
        load_config(file)


@pytest.mark.parametrize(
    ("dataset", "row", "columns"),
    [
        ("VeriWild", "a.png 0 3", ["path", "label", "camera"]),
        ("VeriWild", "a.png 0", None),
        ("VeriWild", "a.png\t0\t3", ["path", "label", "camera"]),
        ("ImageNetDataset", "a.png 0 3", "reads two of them"),
        ("VeriWild", "a.png 0 3 4", "has 4 columns"),
    ],
)
def test_a_third_column_is_read_where_their_dataset_reads_it(
    tmp_path: Path, dataset: str, row: str, columns
) -> None:
    file = tmp_path / "list.txt"
    file.write_text(f"\n{row}\n", encoding="utf-8")
    query = "DataLoader.Eval.Query.dataset"
    overrides = [f"{query}.cls_label_path={file}", f"{query}.name={dataset}"]
    if isinstance(columns, str):
        assert any(columns in problem for problem in problems(V1, *overrides))
    else:
        assert translated(V1, *overrides)["Data"]["lists"]["query"].get("columns") == columns


def test_a_single_list_is_searched_in_itself() -> None:
    text = yaml.safe_load((FILES / f"{V1}.yaml").read_text(encoding="utf-8"))
    only = json.dumps({"Query": text["DataLoader"]["Eval"]["Query"]})
    document = read(V1, f"DataLoader.Eval={only}")
    config = check_document(document)
    assert config.Data.lists.query == config.Data.lists.gallery
    assert any("searched in itself" in note for note in document.notes)
