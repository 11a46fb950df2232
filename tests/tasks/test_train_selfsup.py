"""Training without labels through main's front door: what it leaves, reads and refuses."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from selfsup_files import METHODS, make_config

from toolkit import create_model, run
from toolkit.cards.weights import read_weights
from toolkit.errors import ConfigError, DatasetError, WeightsError
from toolkit.reports.run_rows import read_rows

TRAIN = "Global.mode=train"


@pytest.fixture
def configure_selfsup(tmp_path, drawn_dataset):
    def build(method, *overrides, dataset=drawn_dataset, output="output"):
        return make_config(tmp_path, method, *overrides, dataset=dataset, output=output)

    return build


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_method_trains_resumes_exports_evaluates_and_predicts(
    configure_selfsup, drawn_dataset, configure, method
):
    config = configure_selfsup(method, TRAIN, "Export.onnx=false")
    content = run(config).to_json()
    output = Path(config.Global.output)
    assert (content["best_by"], content["num_classes"]) == ("metric", 0)
    for name in (
        "recall1",
        "mAP",
        "knn",
        "feature_std",
        "effective_rank",
        "alignment",
        "uniformity",
    ):
        assert np.isfinite(content["best_metrics"][name])
    for folder in ("epoch_1", "epoch_2", "best_model", "latest"):
        facts = yaml.safe_load((output / folder / "inference/inference.yml").read_text())["Toolkit"]
        assert (facts["dimension"], facts["layer"]) == (8, "backbone")
    # The whole run again from its first epoch: the same weights, bit for bit.
    shutil.copytree(output / "epoch_1", output.parent / "epoch_1")
    resume = f"Train.resume_path={output.parent / 'epoch_1'}"
    again = run(configure_selfsup(method, TRAIN, resume, "Export.onnx=false", output="again"))
    for name, array in read_weights(output / "latest").items():
        np.testing.assert_array_equal(array, read_weights(again.output / "latest")[name])
    measured = run(configure_selfsup(method, "Global.mode=evaluate")).outcome.result.metrics
    assert measured["recall1"] == pytest.approx(content["best_metrics"]["recall1"])
    model = create_model(model_dir=output / "best_model/inference", engine="paddle")
    (found,) = model.predict(str(drawn_dataset / "images/0_0.png"))
    assert len(found["feature"]) == 8
    # And a run with labels starts from it in one line.
    start = f"Train.pretrain_weight_path={output}"
    assert run(configure(TRAIN, start, "Train.max_steps=1")).passed


def unlabelled(folder, drawn_dataset):
    """The drawn pictures as an index of paths, with one that is not a picture."""
    rows = (drawn_dataset / "train.txt").read_text().split("\n")
    paths = [row.split()[0] for row in rows if row]
    shutil.copytree(drawn_dataset / "images", folder / "images")
    (folder / "bad.png").write_bytes(b"not a picture")
    index = folder / "index.txt"
    index.write_text("\n".join([*paths, "bad.png", ""]))
    return index


def test_an_index_of_paths_is_checked_and_trained_on(configure_selfsup, tmp_path, drawn_dataset):
    index = unlabelled(tmp_path, drawn_dataset)
    given = ("Global.dataset_dir=null", f"SelfSup.images={index}", "Train.max_steps=2")
    checked = run(configure_selfsup("MoCo", *given, "CheckDataset.fail_on=never"))
    codes = set(checked.diagnosis.counts["code"])
    assert "image.not_an_image" in codes
    assert not {code for code in codes if code.startswith("label.")}
    fixed = (tmp_path / "output/check_dataset/fixed/train.txt").read_text()
    assert "bad.png" not in fixed
    assert len(fixed.splitlines()) == 32
    report = run(configure_selfsup("MoCo", TRAIN, *given, "Train.skip_check=true"))
    assert report.to_json()["best_by"] == "last_epoch"
    (row,) = [r for r in read_rows(tmp_path / "output/metrics.jsonl") if r["kind"] == "evaluation"]
    assert set(row["metrics"]) == {"feature_std", "effective_rank", "alignment", "uniformity"}


@pytest.mark.parametrize("kind", ["tfrecord", "webdataset"])
def test_packed_pictures_are_trained_on(configure_selfsup, tmp_path, drawn_dataset, kind):
    packed = tmp_path / "packed"
    index = unlabelled(tmp_path, drawn_dataset)
    pack = (
        "Global.mode=pack", f"Pack.label_file={index}", "Pack.label_source=unlabelled",
        f"Pack.output_tfrecord={packed}/p", f"Pack.format={kind}", f"Pack.image_root={tmp_path}",
    )  # fmt: skip
    run(configure_selfsup("MoCo", *pack))
    given = (TRAIN, f"SelfSup.images={packed}", "Global.dataset_dir=null", "Train.max_steps=2")
    assert run(configure_selfsup("MoCo", *given)).to_json()["images"] == 16


@pytest.mark.parametrize("kind", ["tfrecord", "webdataset"])
def test_packed_pictures_are_checked(configure_selfsup, tmp_path, drawn_dataset, kind):
    packed = tmp_path / "packed"
    index = unlabelled(tmp_path, drawn_dataset)
    rows = index.read_text().splitlines()[:4]
    shutil.copyfile(tmp_path / rows[0], tmp_path / "images/twice.png")
    index.write_text("\n".join([*rows, "images/twice.png", ""]))
    pack = (
        "Global.mode=pack", f"Pack.label_file={index}", "Pack.label_source=unlabelled",
        f"Pack.output_tfrecord={packed}/p", f"Pack.format={kind}", f"Pack.image_root={tmp_path}",
    )  # fmt: skip
    run(configure_selfsup("MoCo", *pack))
    given = ("Global.dataset_dir=null", f"SelfSup.images={packed}", "CheckDataset.fail_on=never")
    checked = run(configure_selfsup("MoCo", *given))
    codes = set(checked.diagnosis.counts["code"])
    assert any(code.startswith("duplicate.") for code in codes), codes
    assert not {code for code in codes if code.startswith("label.")}
    files = sorted((tmp_path / "output/check_dataset/unpacked").rglob("0*.*"))
    assert [file.stem for file in files] == [f"{number:08d}" for number in range(5)]
    # A second check leaves them as they are.
    before = [file.stat().st_mtime_ns for file in files]
    run(configure_selfsup("MoCo", *given))
    assert [file.stat().st_mtime_ns for file in files] == before


def test_a_damaged_record_is_named(configure_selfsup, tmp_path, drawn_dataset):
    packed = tmp_path / "packed"
    index = unlabelled(tmp_path, drawn_dataset)
    pack = (
        "Global.mode=pack", f"Pack.label_file={index}", "Pack.label_source=unlabelled",
        f"Pack.output_tfrecord={packed}/p", f"Pack.image_root={tmp_path}",
    )  # fmt: skip
    run(configure_selfsup("MoCo", *pack))
    (file,) = packed.glob("*.tfrecord")
    content = bytearray(file.read_bytes())
    content[200] ^= 255
    file.write_bytes(content)
    given = ("Global.dataset_dir=null", f"SelfSup.images={packed}", "CheckDataset.fail_on=never")
    checked = run(configure_selfsup("MoCo", *given))
    assert any("record 0" in note for note in checked.notes)
    (missing,) = [one for one in checked.diagnosis.findings if "00000000" in one.message]
    assert missing.severity == "error"


def test_a_folder_of_pictures_is_enough(configure_selfsup, drawn_dataset):
    given = (f"SelfSup.images={drawn_dataset / 'images'}", "Train.max_steps=1")
    report = run(configure_selfsup("MoCo", TRAIN, "Global.dataset_dir=null", *given))
    assert report.to_json()["images"] == 8


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["Train.pretrain_weight_path=x.pdparams"], ConfigError, "use_pretrained is false"),
        (["SelfSup.use_pretrained=true"], WeightsError, r"SelfSup\.use_pretrained to false"),
        (
            ["SelfSup.use_pretrained=true", "Train.pretrain_weight_path=no/such/file"],
            WeightsError,
            r"No weights at no/such/file.*SelfSup\.use_pretrained to false",
        ),
        (["SelfSup.views.0.count=3"], ConfigError, "exactly 2 views of one size"),
        (["SelfSup.images=no/such/folder"], DatasetError, "no/such/folder"),
        (["Arch.Head={name: FC}"], ConfigError, r"Arch\.Head"),
        (["Data.sampler={name: PKSampler}"], ConfigError, "PKSampler"),
        (["Loss=[CELoss]"], ConfigError, "SelfSup"),
    ],
)
def test_what_cannot_be_is_refused_with_a_way_out(configure_selfsup, overrides, error, message):
    with pytest.raises(error, match=message) as raised:
        run(configure_selfsup("MoCo", TRAIN, *overrides))
    assert raised.value.exit_code == 2


def test_a_run_with_neither_loss_nor_selfsup_is_refused(configure):
    with pytest.raises(ConfigError, match="give one loss or more, or SelfSup"):
        configure("Loss=[]")


def test_every_step_is_logged_with_what_shows_a_collapse(configure_selfsup, tmp_path):
    run(configure_selfsup("SwAV", TRAIN, "Train.max_steps=2", "SelfSup.judge_images=0"))
    rows = [r for r in read_rows(tmp_path / "output/metrics.jsonl") if r["kind"] == "step"]
    assert set(rows[0]["losses"]) == {"SwAV", "spread", "prototype_usage"}
    assert "loss" in json.dumps(rows[0])
