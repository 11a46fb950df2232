"""The methods on batches that a loop can follow."""

import math

import numpy as np
import paddle
import pytest
from paddle import nn

from toolkit.models.recognizer import Recognizer
from toolkit.selfsup.dino import DINO
from toolkit.selfsup.method import crop_features
from toolkit.selfsup.moby import MoBY
from toolkit.selfsup.moco import MoCo
from toolkit.selfsup.sinkhorn import sinkhorn
from toolkit.selfsup.swapped import swapped_cross_entropy
from toolkit.selfsup.swav import SwAV


class Mean(nn.Layer):
    """A backbone that is a linear layer on the mean colour, and counts how it is called."""

    out_features = 4

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)
        self.calls = []

    def forward(self, images):
        self.calls.append(images.shape)
        return self.linear(images.mean([2, 3]))


@pytest.fixture
def network():
    paddle.seed(1)
    return Recognizer(Mean())


def views(*kinds, batch=5):
    rng = np.random.default_rng(0)
    return [
        paddle.to_tensor(rng.normal(size=(batch, count, 3, side, side)).astype("float32"))
        for count, side in kinds
    ]


def log_softmax(row):
    return row - (math.log(np.exp(row - row.max()).sum()) + row.max())


def unit_rows(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# --- views ----------------------------------------------------------------------------------------


def test_views_are_embedded_once_a_size_in_their_order(network):
    groups = views((2, 8), (3, 4))
    features, count = crop_features(network, groups)
    assert (count, network.backbone.calls) == (5, [[10, 3, 8, 8], [15, 3, 4, 4]])
    alone = [
        network.embed(group[:, number]) for group in groups for number in range(group.shape[1])
    ]
    for found, expected in zip(features.chunk(5), alone, strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)


def test_a_target_is_compared_with_all_other_views():
    rng = np.random.default_rng(0)
    targets, told = rng.random((2, 3, 4)), rng.normal(size=(4, 3, 4))
    pairs = [(i, j) for i in range(2) for j in range(4) if i != j]
    expected = np.mean([-(targets[i] * told[j]).sum(1).mean() for i, j in pairs])
    found = swapped_cross_entropy(*([*map(paddle.to_tensor, x)] for x in (targets, told)))
    assert float(found) == pytest.approx(expected)


# --- MoCo and MoBY --------------------------------------------------------------------------------


def test_moco_compares_before_it_takes_in(network):
    method = MoCo(network, 10, hidden=6, width=3, queue_size=8)
    before = method.queue.keys.numpy()
    outputs = method.encode(network, views((2, 8)))
    (queries,), (keys,) = outputs["queries"], outputs["keys"]
    loss, values = method(outputs, None)
    expected = 0.0
    for query, key in zip(queries.numpy(), keys.numpy(), strict=True):
        logits = np.concatenate([[query @ key], before @ query]) / 0.2
        expected -= log_softmax(logits)[0] / 5
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_array_equal(method.queue.keys.numpy()[:5], keys.numpy())
    assert float(values["queue_fill"]) == 5 / 8
    assert keys.stop_gradient
    assert not queries.stop_gradient


def test_moby_compares_each_view_with_the_keys_and_the_queue_of_the_other(network):
    method = MoBY(network, 10, hidden=6, width=3, queue_size=7)
    before = [queue.keys.numpy() for queue in method.queues]
    outputs = method.encode(network, views((2, 8)))
    loss, _ = method(outputs, None)
    expected = 0.0
    for mine, other in ((0, 1), (1, 0)):
        pairs = zip(outputs["queries"][mine].numpy(), outputs["keys"][other].numpy(), strict=True)
        for query, key in pairs:
            logits = np.concatenate([[query @ key], before[other] @ query]) / 0.2
            expected -= log_softmax(logits)[0] / 5
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    for queue, keys in zip(method.queues, outputs["keys"], strict=True):
        np.testing.assert_array_equal(queue.keys.numpy()[:5], keys.numpy())


def test_the_slow_copy_follows_by_the_schedule(network):
    method = MoBY(network, 4, hidden=6, width=3, momentum=0.5, final_momentum=1.0)
    start = method.slow.network.backbone.linear.weight.numpy()
    network.backbone.linear.weight.set_value(paddle.ones([3, 4]))
    method.before_step(network, 0)
    half = method.slow.network.backbone.linear.weight.numpy()
    np.testing.assert_allclose(half, (start + 1) / 2, rtol=1e-6)
    method.before_step(network, 4)
    np.testing.assert_array_equal(method.slow.network.backbone.linear.weight.numpy(), half)


# --- SwAV -----------------------------------------------------------------------------------------


def slow_sinkhorn(scores, epsilon, rounds):
    shares = np.exp(scores.astype("float64") / epsilon)
    n, k = shares.shape
    for _ in range(rounds):
        shares = shares / shares.sum(0) / k
        shares = shares / shares.sum(1, keepdims=True) / n
    return shares * n


def test_sinkhorn_is_the_textbook_and_fills_prototypes_alike():
    scores = np.random.default_rng(0).uniform(-1, 1, (12, 4)).astype("float32")
    found = sinkhorn(paddle.to_tensor(scores), epsilon=0.25, iterations=3).numpy()
    np.testing.assert_allclose(found, slow_sinkhorn(scores, 0.25, 3), rtol=1e-4)
    np.testing.assert_allclose(found.sum(1), 1.0, rtol=1e-5)
    many = sinkhorn(paddle.to_tensor(scores), epsilon=0.25, iterations=200).numpy()
    np.testing.assert_allclose(many.sum(0), 3.0, rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_sinkhorn_does_not_overflow(dtype):
    """exp(1 / 0.001) is beyond any float; so is what it would be divided by."""
    scores = paddle.to_tensor(np.eye(4, dtype="float32") * 2 - 1).astype(dtype)
    found = sinkhorn(scores, epsilon=0.001, iterations=3)
    assert found.dtype == paddle.float32
    np.testing.assert_allclose(found.numpy(), np.eye(4), atol=1e-6)


def test_swav_is_the_loop(network):
    method = SwAV(network, 10, hidden=6, width=3, prototypes=7, queue_size=0)
    outputs = method.encode(network, views((2, 8), (2, 4)))
    loss, values = method(outputs, None)
    prototypes = method.prototypes.weight.numpy()
    scores = [vectors.numpy() @ prototypes for vectors in outputs["vectors"]]
    pairs = [(i, j) for i in range(2) for j in range(4) if i != j]
    expected = [
        -np.mean(
            [
                target @ log_softmax(row / 0.1)
                for target, row in zip(slow_sinkhorn(scores[i], 0.05, 3), scores[j], strict=True)
            ]
        )
        for i, j in pairs
    ]
    assert float(loss) == pytest.approx(np.mean(expected), rel=1e-4)
    assert 0 < float(values["prototype_usage"]) <= 1


def test_prototypes_have_length_1_before_every_update_and_are_frozen_at_first(network):
    method = SwAV(network, 10, hidden=6, width=3, prototypes=7, queue_size=0, freeze_epochs=1)
    np.testing.assert_allclose(np.linalg.norm(method.prototypes.weight.numpy(), axis=0), 1, 1e-5)
    method.prototypes.weight.set_value(method.prototypes.weight * 3)
    method.before_step(network, 1)
    np.testing.assert_allclose(np.linalg.norm(method.prototypes.weight.numpy(), axis=0), 1, 1e-5)
    for epoch, is_trained in ((1, False), (2, True)):
        method.before_epoch(epoch)
        loss, _ = method(method.encode(network, views((2, 8))), None)
        loss.backward()
        assert (method.prototypes.weight.grad is not None) == is_trained
        assert method.projector[0].weight.grad is not None


def test_the_queue_of_swav_counts_from_its_epoch_on_once_it_is_full(network):
    method = SwAV(network, 10, hidden=6, width=3, prototypes=4, queue_size=10, queue_from=2)
    outputs = method.encode(network, views((2, 8)))
    scores = method.prototypes(outputs["vectors"][0]).detach()
    alone = slow_sinkhorn(scores.numpy(), 0.05, 3)
    method.before_epoch(1)
    for _ in range(2):  # 10 vectors: full
        method(outputs, None)
    np.testing.assert_allclose(method._targets(scores, 0).numpy(), alone, rtol=1e-3, atol=1e-6)
    method.before_epoch(2)
    earlier = method.prototypes(method.queues[0].keys).numpy()
    both = slow_sinkhorn(np.concatenate([scores.numpy(), earlier]), 0.05, 3)[:5]
    np.testing.assert_allclose(method._targets(scores, 0).numpy(), both, rtol=1e-3, atol=1e-6)


# --- DINO -----------------------------------------------------------------------------------------


def test_dino_centres_and_sharpens_the_teacher(network):
    method = DINO(network, 10, hidden=6, bottleneck=3, outputs=7)
    center = np.linspace(-0.5, 0.5, 7, dtype="float32")[None]
    method.center.set_value(center)
    outputs = method.encode(network, views((2, 8), (1, 4)))
    assert [len(outputs[name]) for name in ("student", "teacher")] == [3, 2]
    loss, _ = method(outputs, None)
    student = [x.numpy() for x in outputs["student"]]
    teacher = [x.numpy() for x in outputs["teacher"]]
    expected = [
        -np.mean(
            [
                np.exp(log_softmax((seen - center[0]) / 0.04)) @ log_softmax(row / 0.1)
                for seen, row in zip(teacher[i], student[j], strict=True)
            ]
        )
        for i in range(2)
        for j in range(3)
        if i != j
    ]
    assert float(loss) == pytest.approx(np.mean(expected), rel=1e-4)
    moved = 0.9 * center + 0.1 * np.concatenate(teacher).mean(0)
    np.testing.assert_allclose(method.center.numpy(), moved, rtol=1e-4, atol=1e-6)
    assert outputs["teacher"][0].stop_gradient


def test_the_outputs_of_dino_are_cosines(network):
    head = DINO(network, 10, hidden=6, bottleneck=3, outputs=7).head
    features = paddle.randn([5, 4])
    directions = unit_rows(head.last.weight.numpy().T)
    expected = unit_rows(head.mlp(features).numpy()) @ directions.T
    np.testing.assert_allclose(head(features).numpy(), expected, rtol=1e-4, atol=1e-6)


def test_the_teacher_of_dino_sharpens_epoch_by_epoch(network):
    method = DINO(
        network, 10, hidden=6, bottleneck=3, outputs=7,
        warmup_teacher_temperature=0.08, warmup_teacher_epochs=2,
    )  # fmt: skip
    seen = []
    for epoch in (1, 2, 3, 9):
        method.before_epoch(epoch)
        seen.append(method._sharpness)
    assert seen == pytest.approx([0.08, 0.06, 0.04, 0.04])
