"""The mode export: the weights beside the export, and an export made from an archive."""

import tarfile

import numpy as np
import pytest

from toolkit import run
from toolkit.build.model import build_recognizer
from toolkit.cards.weights import read_weights, write_state
from toolkit.training.learner import state_arrays


@pytest.fixture
def weights(configure, tmp_path):
    file = tmp_path / "w.pdparams"
    write_state(file, state_arrays(build_recognizer(configure().Arch, 5)))
    return file


@pytest.mark.parametrize("suffix", ["safetensors", "pdparams"])
def test_the_weights_are_also_written_as_one_file(configure, weights, tmp_path, suffix):
    arguments = ("Global.mode=export", f"Export.weight_path={weights}", f"Export.weights={suffix}")
    report = run(configure(*arguments))
    assert report.copied == tmp_path / f"output/SmallResNet_rec.{suffix}"
    assert report.to_json()["copied"] == str(report.copied)
    assert str(report.copied) in report.summary()
    given, written = read_weights(weights), read_weights(report.copied)
    assert set(written) == set(given)
    assert any(name.startswith("head.") for name in written)
    for name, array in given.items():
        np.testing.assert_array_equal(written[name], array, err_msg=name)


def test_nothing_else_is_written_unless_asked_for(configure, weights, tmp_path):
    report = run(configure("Global.mode=export", f"Export.weight_path={weights}"))
    assert report.copied is None
    assert not list((tmp_path / "output").glob("*.safetensors"))


def test_an_archive_is_exported_from(configure, weights, tmp_path):
    with tarfile.open(tmp_path / "w.tar.gz", "w:gz") as tar:
        tar.add(weights, arcname="run/best_model.pdparams")
    cache = tmp_path / "cache"
    arguments = (f"Export.weight_path={tmp_path / 'w.tar.gz'}", f"Global.cache_dir={cache}")
    report = run(configure("Global.mode=export", *arguments))
    assert report.weights.is_relative_to(cache)
    assert (report.exported.directory / "inference.pdiparams").is_file()
