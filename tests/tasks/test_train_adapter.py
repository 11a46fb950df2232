"""Train.adapter as a person meets it: fitted behind a trained network, exported, used like any."""

import json

import numpy as np
import pytest
import yaml

from toolkit import create_model, run
from toolkit.build import supervised
from toolkit.cards.weights import read_weights, write_weights
from toolkit.config.load import load_config
from toolkit.errors import ConfigError, DatasetError, WeightsError
from toolkit.index.whitening import Whitening

TRAIN = "Global.mode=train"


@pytest.fixture
def adapt(configure, tmp_path, trained_base):
    def start(*overrides, output="adapted", **options):
        config = configure(
            TRAIN, f"Global.output={tmp_path / output}", f"Global.cache_dir={tmp_path / 'cache'}",
            f"Train.pretrain_weight_path={trained_base}", "Export.onnx=false", *overrides,
            **options,
        )  # fmt: skip
        return run(config)

    return start


@pytest.fixture(scope="module")
def trained_base(tmp_path_factory, tiny_config, drawn_dataset):
    """The output folder of a short run."""
    folder = tmp_path_factory.mktemp("base")
    file = folder / "recipe.yaml"
    file.write_text(tiny_config.format(dataset=drawn_dataset, output=folder / "output"))
    run(load_config(file, [TRAIN, "Export.onnx=false", "Train.skip_check=true"]))
    return folder / "output"


@pytest.fixture
def bare(monkeypatch):
    """Leaves out the exports, which take most of a tiny run."""
    monkeypatch.setattr(supervised, "build_exporter", lambda *_: lambda _: None)


def features_of(folder, paths):
    model = create_model(model_dir=folder, engine="paddle")
    return np.stack([found["feature"] for found in model.predict([str(path) for path in paths])])


def paths_of(dataset, split):
    rows = (dataset / f"{split}.txt").read_text().splitlines()
    return [dataset / row.split()[0] for row in rows], [row.split()[1] for row in rows]


@pytest.mark.slow
def test_the_export_holds_the_model_and_the_map_behind_it(adapt, drawn_dataset, trained_base):
    report = adapt("Train.adapter=whitening", "Adapter.dimension=5", "Train.skip_check=true")
    train, labels = paths_of(drawn_dataset, "train")
    expected = Whitening.learned_from_classes(
        features_of(trained_base, train), np.array(labels), 5, shrinkage=0.3
    )
    query, _ = paths_of(drawn_dataset, "query")
    inference = report.output / "best_model/inference"
    np.testing.assert_allclose(
        features_of(inference, query), expected.apply(features_of(trained_base, query)), atol=2e-4
    )
    facts = yaml.safe_load((inference / "inference.yml").read_text())["Toolkit"]
    assert (facts["dimension"], facts["layer"]) == (5, "whitening adapter")
    for name, array in read_weights(trained_base / "best_model").items():
        if not name.startswith("head."):
            own = read_weights(report.output / "best_model")[f"backbone.network.{name}"]
            np.testing.assert_array_equal(own, array)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pca", "linear"])
def test_before_is_the_model_alone_and_after_is_what_evaluate_finds(
    adapt, configure, trained_base, kind
):
    report = adapt(f"Train.adapter={kind}", "Adapter.dimension=6", "Train.skip_check=true")
    written = json.loads((report.output / "train_result.json").read_text())["adapter"]
    for side, folder in (("before", trained_base), ("after", report.output)):
        section = [f"Evaluate.weight_path={folder / 'best_model/inference'}"]
        found = run(configure("Global.mode=evaluate", f"Global.output={folder}", *section))
        for name in ("recall1", "mAP"):
            measured = found.outcome.result.metrics[name]
            assert written[side]["metrics"][name] == pytest.approx(measured, abs=1e-4)
            low, high = written[side]["intervals"][name]
            assert low <= measured <= high
    assert "before" in report.summary()
    assert "recall@1 changed by" in report.summary()
    # The checkpoint too, by the configuration that stands beside it.
    again = run(load_config(report.output / "config.yaml", ["Global.mode=evaluate"]))
    assert again.outcome.result.metrics["mAP"] == pytest.approx(written["after"]["metrics"]["mAP"])


@pytest.mark.slow
def test_linear_learns_on_and_resumes_bit_for_bit(adapt, bare):
    whole = adapt("Train.adapter=linear", "Train.skip_check=true", "Train.epochs_iters=3")
    assert whole.fit.position.step == 12
    start = read_weights(whole.output / "epoch_1")["neck.linear.weight"]
    end = read_weights(whole.output / "latest")["neck.linear.weight"]
    assert not np.allclose(start, np.eye(len(start)))
    assert not np.array_equal(start, end)
    again = adapt(
        "Train.adapter=linear", "Train.skip_check=true", "Train.epochs_iters=3",
        f"Train.resume_path={whole.output / 'epoch_2/epoch_2.pdparams'}", output="again",
    )  # fmt: skip
    for name, array in read_weights(whole.output / "latest").items():
        np.testing.assert_array_equal(array, read_weights(again.output / "latest")[name])


def predicted(folder, dataset, model):
    settings = ("Global.mode=predict", f"Predict.model_dir={model}", "Predict.save=npy")
    return (
        *settings,
        f"Predict.input={dataset / 'images'}",
        "Predict.engine=paddle",
    ), "features.npy"


def extracted(folder, dataset, model):
    pytest.importorskip("pyarrow")
    settings = ("Global.mode=extract", f"Extract.model_dir={model}", "Extract.engine=paddle")
    file = folder / "features.parquet"
    return (*settings, f"Extract.input={dataset / 'images'}", f"Extract.output={file}"), file.name


@pytest.mark.slow
@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("made", [predicted, extracted])
def test_features_of_a_file_are_used_and_those_of_another_model_refused(
    adapt, configure, drawn_dataset, tmp_path, trained_base, capfd, made
):
    settings, name = made(tmp_path, drawn_dataset, trained_base)
    run(configure(*settings, f"Global.output={tmp_path / 'made'}"))
    (file,) = tmp_path.rglob(name)
    given = ("Train.adapter=pca", "Train.skip_check=true", f"Adapter.features={file}")
    known = adapt(*given)
    assert "32 of 32 features are taken from" in capfd.readouterr().err
    computed = adapt("Train.adapter=pca", "Train.skip_check=true", output="computed")
    np.testing.assert_allclose(
        read_weights(known.output / "latest")["neck.mean"],
        read_weights(computed.output / "latest")["neck.mean"],
        atol=1e-5,
    )
    other = tmp_path / "other/features.npy"
    other.parent.mkdir()
    paths, _ = paths_of(drawn_dataset, "train")
    np.save(other, np.random.default_rng(0).normal(size=(len(paths), 8)).astype(np.float32))
    (other.parent / "paths.txt").write_text("".join(f"{path}\n" for path in paths))
    given = (*given[:2], f"Adapter.features={other}")
    with pytest.raises(DatasetError, match=r"another feature of .* \(cosine"):
        adapt(*given, output="refused")


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["Train.adapter=pca", "Train.resume_path=x"], ConfigError, "fitted at once"),
        (["Train.adapter=pca", "Adapter.features=none.npy"], DatasetError, "Adapter.features is"),
        (
            ["Train.adapter=pca", "Train.pretrain_weight_path=null"],
            ConfigError,
            "no weights of SmallResNet_rec are published",
        ),
    ],
)
def test_what_cannot_be_adapted_is_told(adapt, overrides, error, message):
    with pytest.raises(error, match=message):
        adapt("Train.skip_check=true", *overrides)


@pytest.mark.slow
def test_weights_of_a_backbone_alone_are_told_apart(adapt, tmp_path, trained_base, bare):
    whole = read_weights(trained_base / "best_model")
    own = {n[9:]: array for n, array in whole.items() if n.startswith("backbone.")}
    write_weights(tmp_path / "backbone.pdparams", own)
    given = f"Train.pretrain_weight_path={tmp_path / 'backbone.pdparams'}"
    with pytest.raises(WeightsError, match=r"set Arch\.Neck to null"):
        adapt("Train.adapter=pca", "Train.skip_check=true", given)
    report = adapt("Train.adapter=pca", "Train.skip_check=true", given, "Arch.Neck=null")
    assert report.passed


def test_the_sections_refuse_what_does_not_go_together(configure):
    with pytest.raises(ConfigError, match="adapter is pca and unfreeze_at is 2"):
        configure("Train.adapter=pca", "Train.freeze_backbone=true", "Train.unfreeze_at=2")
    with pytest.raises(ConfigError, match=r"Adapter\.shrinkage"):
        configure("Adapter.shrinkage=1.5")
    assert configure("Train.adapter=whitening", "Loss=[]").Loss == []
    with pytest.raises(ConfigError, match="nothing to train with"):
        configure("Train.adapter=linear", "Loss=[]")
