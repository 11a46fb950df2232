"""The ring against a plain list, and what it leaves to a checkpoint."""

import numpy as np
import paddle
import pytest

from toolkit.losses.cross_batch_memory import CrossBatchMemory


def batches(sizes, seed=0):
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=(b, 3)).astype("float32"), rng.integers(0, 3, b)) for b in sizes]


def take(memory, batch):
    return memory(*map(paddle.to_tensor, batch))


@pytest.mark.parametrize("size", [1, 5, 6, 100])
def test_holds_the_last_rows_and_knows_the_batch_among_them(size):
    memory, rows = CrossBatchMemory(3, size=size, start_iter=0), []
    for vectors, labels in batches([2, 4, 3, 1, 7, 2]):
        held = take(memory, (vectors, labels))
        rows = [*rows, *zip(vectors.tolist(), labels.tolist(), strict=True)][-size:]
        found = list(zip(held.vectors.tolist(), held.labels.tolist(), strict=True))
        assert sorted(found) == sorted(rows)
        kept = min(size, len(labels))
        slots = held.slots.tolist()
        assert slots[: len(labels) - kept] == [-1] * (len(labels) - kept)
        for row, slot in list(enumerate(slots))[len(labels) - kept :]:
            assert found[slot] == (vectors[row].tolist(), labels[row])


def test_a_class_numbered_zero_at_the_end_does_not_empty_it():
    memory = CrossBatchMemory(3, size=4, start_iter=0)
    for vectors, _ in batches([2, 2, 2]):
        held = take(memory, (vectors, np.zeros(2, "int64")))
    assert held.labels.tolist() == [0] * 4


def test_begins_after_the_first_batches():
    memory = CrossBatchMemory(3, size=9, start_iter=2)
    one, two, three, four = batches([2, 2, 2, 2])
    assert take(memory, one) is None
    assert take(memory, two) is None
    np.testing.assert_array_equal(take(memory, three).vectors.numpy(), three[0])
    assert len(take(memory, four).labels) == 4


def test_evaluation_reads_and_does_not_write():
    memory = CrossBatchMemory(3, size=9, start_iter=0)
    one, two = batches([2, 3])
    memory.eval()
    assert take(memory, one) is None
    memory.train()
    take(memory, one)
    memory.eval()
    held = take(memory, two)
    np.testing.assert_array_equal(held.vectors.numpy(), one[0])
    assert held.slots.tolist() == [-1] * 3
    assert int(memory.iteration) == 1


def test_what_it_holds_has_no_gradient_and_is_not_changed_under_an_earlier_loss():
    memory = CrossBatchMemory(3, size=3, start_iter=0)
    (first, labels), (second, _) = batches([2, 2])
    features = [paddle.to_tensor(values, stop_gradient=False) for values in (first, second)]
    sums = []
    for values in features:
        held = memory(values, paddle.to_tensor(labels))
        assert held.vectors.stop_gradient
        sums.append((values @ held.vectors.T).sum())
    sum(sums).backward()
    np.testing.assert_allclose(features[0].grad.numpy(), [first.sum(0)] * 2, rtol=1e-6)


def test_its_state_is_all_there_is_to_it():
    sizes = [2, 4, 3, 3]
    whole = CrossBatchMemory(3, size=5, start_iter=1)
    for batch in batches(sizes):
        expected = take(whole, batch)
    first, second = (CrossBatchMemory(3, size=5, start_iter=1) for _ in range(2))
    for batch in batches(sizes)[:2]:
        take(first, batch)
    second.set_state_dict(first.state_dict())
    for batch in batches(sizes)[2:]:
        found = take(second, batch)
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())
