import math

import numpy as np
import paddle
import pytest
from loss_batches import mean

from toolkit.losses.cross_entropy import CELoss
from toolkit.losses.distillation import DMLLoss, KLDivLoss
from toolkit.losses.relational import RKDLoss

LABELS = paddle.to_tensor([0, 1, 2, 0, 1])


def softmax(row, temperature=1.0):
    powers = [math.exp(x / temperature) for x in row]
    return [power / sum(powers) for power in powers]


def divergence(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


@pytest.fixture
def logits():
    rng = np.random.default_rng(0)
    return rng.normal(0, 3, (5, 4)), rng.normal(0, 3, (5, 4))


def outputs_of(student, teacher, name="logits"):
    pair = {name: student, f"teacher_{name}": teacher}
    return {key: paddle.to_tensor(value, stop_gradient=False) for key, value in pair.items()}


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_kl_div_follows_the_paper(logits, temperature):
    student, teacher = logits
    expected = temperature**2 * mean(
        [
            divergence(softmax(t, temperature), softmax(s, temperature))
            for s, t in zip(student, teacher, strict=True)
        ]
    )
    outputs = outputs_of(student, teacher)
    loss = KLDivLoss(temperature)(outputs, LABELS)
    assert float(loss) == pytest.approx(expected, rel=1e-9)
    loss.backward()
    # By hand: d/ds of T^2 * KL is T * (q - p), over the batch.
    slope = [
        [temperature * (q - p) / 5 for p, q in zip(*rows, strict=True)]
        for rows in (
            (softmax(t, temperature), softmax(s, temperature))
            for s, t in zip(student, teacher, strict=True)
        )
    ]
    np.testing.assert_allclose(outputs["logits"].grad.numpy(), slope, atol=1e-9)
    assert outputs["teacher_logits"].grad is None


def test_kl_div_s_temperature_is_four(logits):
    outputs = outputs_of(*logits)
    assert float(KLDivLoss()(outputs, LABELS)) == float(KLDivLoss(4.0)(outputs, LABELS))


def test_dml_is_half_of_both_directions(logits):
    student, teacher = logits
    expected = mean(
        [
            (divergence(softmax(t), softmax(s)) + divergence(softmax(s), softmax(t))) / 2
            for s, t in zip(student, teacher, strict=True)
        ]
    )
    outputs = outputs_of(student, teacher)
    loss = DMLLoss()(outputs, LABELS)
    assert float(loss) == pytest.approx(expected, rel=1e-9)
    loss.backward()
    swapped = outputs_of(teacher, student)
    DMLLoss()(swapped, LABELS).backward()
    for name, other in (("logits", "teacher_logits"), ("teacher_logits", "logits")):
        assert outputs[name].grad.abs().max() > 1e-3
        np.testing.assert_allclose(
            outputs[name].grad.numpy(), swapped[other].grad.numpy(), atol=1e-12
        )


@pytest.mark.parametrize("build", [KLDivLoss, DMLLoss])
def test_logits_far_apart_do_not_overflow(build):
    outputs = outputs_of(np.array([[1e4, 0.0]]), np.array([[0.0, 1e4]]))
    loss = build()(outputs, LABELS[:1])
    loss.backward()
    assert np.isfinite(float(loss))
    assert bool(paddle.isfinite(outputs["logits"].grad).all())


def test_cross_entropy_can_be_the_teacher_s(logits):
    student, teacher = logits
    labels = paddle.to_tensor([0, 1, 2, 3, 1])
    outputs = outputs_of(student, teacher)
    swapped = outputs_of(teacher, student)
    assert float(CELoss(of="teacher")(outputs, labels)) == float(CELoss()(swapped, labels))


def huber(difference):
    return difference**2 / 2 if abs(difference) <= 1 else abs(difference) - 0.5


def relative_distances(vectors):
    """Park et al. 2019, section 3.2.1: distances over their mean, of distinct pictures."""
    rows = range(len(vectors))
    distances = {
        (i, j): float(np.linalg.norm(vectors[i] - vectors[j])) for i in rows for j in rows if i != j
    }
    average = mean(list(distances.values()))
    return {pair: distance / average if average else 0.0 for pair, distance in distances.items()}


def angles(vectors):
    """Section 3.2.2: the cosine at j between i and k, of three distinct pictures."""
    rows = range(len(vectors))
    result = {}
    for i in rows:
        for j in rows:
            for k in rows:
                if len({i, j, k}) == 3:
                    one, two = vectors[i] - vectors[j], vectors[k] - vectors[j]
                    lengths = np.linalg.norm(one) * np.linalg.norm(two)
                    result[i, j, k] = float(one @ two / lengths) if lengths else 0.0
    return result


def relational(student, teacher, distance_weight, angle_weight):
    total = 0.0
    for weight, relation in ((distance_weight, relative_distances), (angle_weight, angles)):
        ours, theirs = relation(student), relation(teacher)
        total += weight * mean([huber(ours[key] - theirs[key]) for key in ours])
    return total


@pytest.mark.parametrize("rows", [1, 2, 3, 6])
@pytest.mark.parametrize("weights", [(1.0, 0.0), (0.0, 1.0), (25.0, 50.0)])
def test_rkd_follows_the_paper(rows, weights):
    rng = np.random.default_rng(rows)
    student, teacher = rng.normal(size=(rows, 4)), 9 * rng.exponential(size=(rows, 3))
    value = float(RKDLoss(*weights)(outputs_of(student, teacher, "features"), LABELS[:rows]))
    assert value == pytest.approx(relational(student, teacher, *weights), rel=1e-9, abs=1e-12)


def test_rkd_s_differences_beyond_one_count_straight():
    # Pairs of the student that are far apart are near each other in the teacher.
    student = np.array([[0.0, 0], [0, 1e-3], [9, 0], [9, 1e-3]])
    teacher = np.array([[0.0, 0], [9, 0], [0, 1e-3], [0, 2e-3]])
    value = float(RKDLoss(1.0, 0.0)(outputs_of(student, teacher, "features"), LABELS[:4]))
    ours, theirs = relative_distances(student), relative_distances(teacher)
    assert max(abs(ours[key] - theirs[key]) for key in ours) > 1.0
    assert value == pytest.approx(relational(student, teacher, 1.0, 0.0), rel=1e-9)


def test_rkd_of_a_turned_and_scaled_teacher_is_nothing():
    rng = np.random.default_rng(0)
    student = rng.normal(size=(6, 4))
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    outputs = outputs_of(student, 5 * student @ turn + 3, "features")
    assert float(RKDLoss()(outputs, LABELS[:1])) == pytest.approx(0.0, abs=1e-12)


def test_rkd_s_gradient_equals_finite_differences_and_stays_with_the_student():
    rng = np.random.default_rng(1)
    student, teacher = rng.normal(size=(5, 3)), rng.normal(size=(5, 4))
    outputs = outputs_of(student, teacher, "features")
    RKDLoss()(outputs, LABELS).backward()
    for index in np.ndindex(student.shape):
        step = np.zeros_like(student)
        step[index] = 1e-6
        slope = (
            relational(student + step, teacher, 1.0, 2.0)
            - relational(student - step, teacher, 1.0, 2.0)
        ) / 2e-6
        assert float(outputs["features"].grad[index]) == pytest.approx(slope, abs=1e-6)
    assert outputs["teacher_features"].grad is None


@pytest.mark.parametrize("copies", [2, 5])
def test_rkd_stands_equal_vectors(copies):
    student = np.random.default_rng(0).normal(size=(5, 3))
    student[:copies] = student[0]
    for ours, theirs in ((student, student[::-1].copy()), (student[::-1].copy(), student)):
        outputs = outputs_of(ours, theirs, "features")
        loss = RKDLoss()(outputs, LABELS)
        loss.backward()
        expected = relational(ours, theirs, 1.0, 2.0)
        assert float(loss) == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert bool(paddle.isfinite(outputs["features"].grad).all())


def test_rkd_keeps_its_accuracy_in_float32_where_pictures_are_close():
    """Classes far apart with pictures near each other: distances from inner products cancel."""
    rng = np.random.default_rng(3)
    student, teacher = (
        (rng.normal(0, 1, (2, width))[[0, 0, 0, 1, 1, 1]] + rng.normal(0, 0.01, (6, width)) + 2.0)
        .astype(np.float32)
        .astype(np.float64)
        for width in (16, 24)
    )
    outputs = {"features": student, "teacher_features": teacher}
    outputs = {name: paddle.to_tensor(rows.astype(np.float32)) for name, rows in outputs.items()}
    expected = relational(student, teacher, 1.0, 2.0)
    assert float(RKDLoss()(outputs, LABELS)) == pytest.approx(expected, rel=1e-4)
