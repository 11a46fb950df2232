"""Batches of every layout, and the small pieces that the slow references share."""

import numpy as np
import paddle

LAYOUTS = {
    "P x K": [0, 0, 0, 1, 1, 1, 2, 2, 2],
    "pairs": [3, 3, 0, 0, 2, 2],
    "uneven": [0, 1, 1, 2, 2, 2, 3, 1],
    "mostly alone": [0, 1, 2, 3, 3],
    "one class": [3, 3, 3, 3],
    "all alone": [0, 1, 2, 3],
    "one sample": [2],
}
NUM_CLASSES = 4


def make_batch(layout, *, width=4, shift=0.3):
    """Float64 vectors of a layout and its labels."""
    labels = np.array(LAYOUTS[layout])
    return np.random.default_rng(len(labels)).normal(shift, 1, (len(labels), width)), labels


def value_of(loss, vectors, labels):
    """The loss of vectors as the network's features."""
    return float(loss({"features": paddle.to_tensor(vectors)}, paddle.to_tensor(labels)))


def unit(vectors):
    return np.array([vector / np.linalg.norm(vector) for vector in vectors])


def squared(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))


def positives(labels, anchor):
    return [row for row in range(len(labels)) if row != anchor and labels[row] == labels[anchor]]


def negatives(labels, anchor):
    return [row for row in range(len(labels)) if labels[row] != labels[anchor]]


def mean(values):
    """0 of nothing: an anchor that is undefined is not in the list."""
    return sum(values) / len(values) if values else 0.0
