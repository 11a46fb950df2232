import numpy as np
import pytest

from toolkit.evaluation.recall_change import recall_change
from toolkit.evaluation.retrieval import Embeddings, evaluate_retrieval


def _result(angles_of_queries, labels):
    """Gallery a, b, c at 0, 90 and 180 degrees; queries at given angles."""

    def side(degrees, names, prefix):
        radians = np.radians(degrees)
        vectors = np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)
        return Embeddings(vectors, list(names), [f"{prefix}{i}" for i in range(len(names))])

    return evaluate_retrieval(
        side(angles_of_queries, labels, "q"),
        side([0, 90, 180], "abc", "g"),
        rng=np.random.default_rng(0),
        bootstrap_samples=0,
    )


def test_numbers_before_and_after_and_their_difference():
    # The first two find their class before and after; the third (a at 80 degrees) finds b first
    # before and a after at 30; the fourth (b at 100) goes to c at 150, where b is second. The last
    # has no match in the gallery, and no number counts it.
    before = _result([10, 100, 80, 100, 0], "abab?")
    after = _result([10, 100, 30, 150, 0], "abab?")
    change = recall_change(before, after, np.random.default_rng(0), resamples=200)
    assert change.num_queries == 4
    assert change.before == {"recall1": 0.75, "recall5": 1.0, "mAP": (3 + 1 / 2) / 4}
    assert change.after == {"recall1": 0.75, "recall5": 1.0, "mAP": (3 + 1 / 2) / 4}
    assert change.recall1.mean == 0
    # One won and one lost of four: resampled means are between -1 and 1, and not all 0.
    assert -1 <= change.recall1.low < 0 < change.recall1.high <= 1


def test_a_loss_is_negative_and_is_told_in_points():
    before, after = _result([10, 100], "ab"), _result([10, 170], "ab")
    change = recall_change(before, after, np.random.default_rng(0), resamples=200)
    assert change.recall1.mean == -0.5
    assert "-50.00 points" in change.summary()
    assert change.to_json()["recall1_change"] == -0.5
    assert change.to_json()["queries"] == 2


def test_other_queries_cannot_be_compared():
    with pytest.raises(ValueError, match="same queries"):
        recall_change(
            _result([10, 100], "ab"), _result([10], "a"), np.random.default_rng(0), resamples=10
        )
