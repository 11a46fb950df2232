"""The evaluation of a network in two phases: stored features first, the whole network after."""

import numpy as np
import paddle
import pytest

from toolkit.build.embedding import build_embedder
from toolkit.build.frozen import build_feature_store, build_frozen_embedder, freeze
from toolkit.build.model import build_recognizer


@pytest.fixture
def parts(configure, tmp_path, drawn_dataset):
    """(paths, network, features with two phases, features of the whole network)."""
    config = configure("Global.mode=train", f"Global.cache_dir={tmp_path / 'cache'}")
    paddle.seed(2)
    model = freeze(config, build_recognizer(config.Arch, 4))
    store = build_feature_store(config, model)
    paths = sorted((drawn_dataset / "images").iterdir())[:6]
    paths.append(tmp_path / "gone.png")
    return paths, model, build_frozen_embedder(config, model, store), build_embedder(config, model)


def test_while_frozen_only_the_neck_is_computed_anew(parts):
    paths, model, embed, whole = parts
    first, expected = embed(paths), whole(paths)
    np.testing.assert_allclose(first.vectors, expected.vectors, atol=1e-5)
    assert first.rows.tolist() == expected.rows.tolist() == list(range(6))
    assert [(failure.row, failure.message) for failure in first.failures] == [
        (failure.row, failure.message) for failure in expected.failures
    ]
    scale = model.neck.feat_bn.weight
    scale.set_value(paddle.linspace(0.5, 2.0, scale.shape[0]))
    np.testing.assert_allclose(embed(paths[::-1]).vectors, whole(paths[::-1]).vectors, atol=1e-5)
    assert not np.allclose(embed(paths).vectors, first.vectors, atol=1e-3)


def test_after_the_thaw_no_stored_feature_is_used(parts):
    paths, model, embed, whole = parts
    before = embed(paths).vectors
    for parameter in model.backbone.parameters():
        parameter.set_value(parameter + 0.1 * paddle.randn(parameter.shape))
    model.frozen = False
    after = embed(paths).vectors
    np.testing.assert_array_equal(after, whole(paths).vectors)
    assert not np.allclose(after, before, atol=1e-3)
