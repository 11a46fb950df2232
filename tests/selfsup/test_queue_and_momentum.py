"""Queues, slow copies and split statistics, each against an obvious loop."""

import math
from collections import deque

import numpy as np
import paddle
import pytest
from paddle import nn

from toolkit.models.backbones.small_resnet import SmallResNet
from toolkit.models.backbones.vit import ViT
from toolkit.models.recognizer import Recognizer
from toolkit.selfsup.contrast import contrast
from toolkit.selfsup.momentum import MomentumNetwork, MomentumSchedule
from toolkit.selfsup.projection import perceptron, spread, unit
from toolkit.selfsup.queue import KeyQueue
from toolkit.selfsup.split_norm import shuffled_in_groups


@pytest.mark.parametrize("batch", [1, 3, 5, 7, 12])
def test_a_queue_is_the_last_vectors_whatever_the_batch(batch):
    """A ring of 7 that batches do not divide, against a deque of rows."""
    queue, rows = KeyQueue(7, 2), deque(maxlen=7)
    rng = np.random.default_rng(batch)
    for turn in range(6):
        vectors = rng.normal(size=(batch, 2)).astype("float32")
        queue.take_in(paddle.to_tensor(vectors))
        rows.extend(map(tuple, vectors))
        held = {tuple(row) for row in queue.keys.numpy()}
        assert set(rows) <= held
        assert queue.fill == min(1.0, (turn + 1) * batch / 7)
        # The newest row stands just before the place that is written next.
        newest = (int(queue.written) - 1) % 7
        np.testing.assert_array_equal(queue.keys.numpy()[newest], vectors[-1])


def test_a_queue_begins_with_random_unit_vectors():
    lengths = np.linalg.norm(KeyQueue(50, 8).keys.numpy(), axis=1)
    np.testing.assert_allclose(lengths, 1.0, rtol=1e-5)


def test_what_is_taken_in_does_not_disturb_the_gradient_of_the_batch():
    queue = KeyQueue(4, 3)
    before = queue.keys.numpy()
    queries = paddle.to_tensor(np.eye(3, dtype="float32"), stop_gradient=False)
    loss = contrast(unit(queries), unit(queries).detach(), queue.keys, 0.2)
    queue.take_in(paddle.ones([4, 3]))
    loss.backward()
    again = paddle.to_tensor(np.eye(3, dtype="float32"), stop_gradient=False)
    contrast(unit(again), unit(again).detach(), paddle.to_tensor(before), 0.2).backward()
    np.testing.assert_array_equal(queries.grad.numpy(), again.grad.numpy())


def test_contrast_is_the_loop():
    rng = np.random.default_rng(0)
    queries, keys, queue = (
        x / np.linalg.norm(x, axis=1, keepdims=True)
        for x in (rng.normal(size=(n, 5)).astype("float32") for n in (4, 4, 9))
    )
    expected = 0.0
    for query, key in zip(queries, keys, strict=True):
        own = math.exp(query @ key / 0.2)
        expected -= math.log(own / (own + sum(math.exp(query @ other / 0.2) for other in queue)))
    found = contrast(*map(paddle.to_tensor, (queries, keys, queue)), 0.2)
    assert float(found) == pytest.approx(expected / 4, rel=1e-5)


def test_momentum_rises_along_half_a_cosine():
    rising = MomentumSchedule(0.99, 1.0, 100)
    assert rising(0) == pytest.approx(0.99)
    assert rising(50) == pytest.approx(0.995)
    assert rising(25) == pytest.approx(1 - 0.01 * (1 + math.cos(math.pi / 4)) / 2)
    assert rising(100) == rising(150) == pytest.approx(1.0)
    assert MomentumSchedule(0.999, None, 100)(70) == 0.999


def test_a_slow_copy_is_the_weighted_sum_of_all_it_followed():
    paddle.seed(0)
    network, head = (
        Recognizer(SmallResNet(widths=[4], stage_strides=[2])),
        perceptron([4, 3], norm=True),
    )
    slow = MomentumNetwork(network, [head])
    first = [p.numpy() for p in slow.parameters()]
    originals = [*network.parameters(), *head.parameters()]
    for original, own in zip(originals, first, strict=True):
        np.testing.assert_array_equal(original.numpy(), own)
    for step in range(3):
        for original in originals:
            original.set_value(original.numpy() + step + 1)
        slow.follow(network, [head], 0.9)
    # x0; x0 + 1; x0 + 3; x0 + 6
    gained = 0.1 * (0.81 * 1 + 0.9 * 3 + 6)
    for start, own in zip(first, slow.parameters(), strict=True):
        np.testing.assert_allclose(own.numpy(), start + gained, rtol=1e-4, atol=1e-5)
        assert own.stop_gradient


def test_a_slow_copy_drops_no_branches_and_takes_no_gradient():
    network = Recognizer(ViT("smallest", 32, drop_path_rate=0.5))
    slow = MomentumNetwork(network, [])
    slow.train()
    images = paddle.randn([2, 3, 32, 32])
    np.testing.assert_array_equal(slow(images).numpy(), slow(images).numpy())
    assert slow(images).stop_gradient


@pytest.mark.parametrize(
    ("batch", "groups", "sizes"), [(8, 2, [4, 4]), (7, 3, [3, 2, 2]), (3, 4, [3])]
)
def test_statistics_are_those_of_random_groups_and_the_order_stays(batch, groups, sizes):
    norm, seen = nn.BatchNorm1D(2), []
    norm.train()

    def run(images):
        seen.append(images.numpy())
        return norm(images)

    paddle.seed(3)
    images = paddle.randn([batch, 2])
    outputs = shuffled_in_groups(run, images, groups).numpy()
    assert sorted(map(len, seen)) == sorted(sizes)
    rows = [tuple(row) for part in seen for row in part]
    given = [tuple(row) for row in images.numpy()]
    assert sorted(rows) == sorted(given)
    assert (rows != given) == (len(sizes) > 1)  # shuffled only where it is split
    for part in seen:
        expected = (part - part.mean(0)) / np.sqrt(part.var(0) + 1e-5)
        for row, values in zip(part, expected, strict=True):
            place = given.index(tuple(row))
            np.testing.assert_allclose(outputs[place], values, rtol=1e-3, atol=1e-4)


def test_spread_is_zero_for_one_vector_and_one_for_all_directions():
    assert float(spread(paddle.ones([6, 4]) / 2)) == 0.0
    both = paddle.to_tensor(np.concatenate([np.eye(4), -np.eye(4)]).astype("float32"))
    assert float(spread(both)) == pytest.approx(1.0)
