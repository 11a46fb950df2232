"""Whitening from labels and shrinkage, beside loops over pairs."""

from itertools import combinations

import numpy as np
import pytest

from toolkit.errors import VectorIndexError
from toolkit.index.whitening import Whitening


def groups(seed=0, classes=12, size=6, width=5):
    """Vectors that differ within their class, most in the first direction, which tells nothing."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, width)) * [0.1, 1, 1, 1, 0.5]
    spread = rng.normal(size=(classes, size, width)) * [9, 0.15, 0.1, 0.2, 0.15]
    vectors = (centres[:, np.newaxis] + spread).reshape(-1, width)
    return vectors.astype(np.float32), np.repeat(np.arange(classes), size)


def recall1(vectors, labels):
    hits = 0
    for place, vector in enumerate(vectors):
        cosines = vectors @ vector
        cosines[place] = -np.inf
        hits += labels[int(np.argmax(cosines))] == labels[place]
    return hits / len(vectors)


def test_differences_within_a_class_become_equal_in_every_direction():
    vectors, labels = groups()
    learned = Whitening.learned_from_classes(vectors, labels, 5)
    turned = (vectors - learned.mean).astype(np.float64) @ learned.matrix
    pairs = [
        turned[i] - turned[j]
        for i, j in combinations(range(len(labels)), 2)
        if labels[i] == labels[j]
    ]
    differences = sum(np.outer(pair, pair) for pair in pairs) / len(pairs)
    # Classes of one size: the mean over pairs is 2 n / (n - 1) of the mean square around centres.
    np.testing.assert_allclose(differences / differences[0, 0], np.eye(5), atol=1e-4)
    spread = turned.var(0)
    assert (np.diff(spread) <= 0).all()


def test_a_direction_that_tells_nothing_is_taken_out():
    vectors, labels = groups()
    other, other_labels = groups(seed=1)
    before = recall1(other / np.linalg.norm(other, axis=1, keepdims=True), other_labels)
    learned = Whitening.learned_from_classes(vectors, labels, 4)
    assert learned.apply(other).shape == (len(other), 4)
    assert recall1(learned.apply(other), other_labels) > before + 0.15


def test_full_shrinkage_only_turns():
    vectors, labels = groups()
    for learned in (
        Whitening.learned(vectors, 5, shrinkage=1),
        Whitening.learned_from_classes(vectors, labels, 5, shrinkage=1),
    ):
        product = learned.matrix.T @ learned.matrix
        np.testing.assert_allclose(product / product[0, 0], np.eye(5), atol=1e-4)


def test_classes_of_one_vector_are_refused():
    vectors, _ = groups()
    with pytest.raises(VectorIndexError, match="class of its own"):
        Whitening.learned_from_classes(vectors, np.arange(len(vectors)), 3)
    with pytest.raises(VectorIndexError, match="more than 5 vectors"):
        Whitening.learned_from_classes(vectors[:5], np.zeros(5), 5)
