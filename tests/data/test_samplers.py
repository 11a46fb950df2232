from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.data.samplers import PKSampler, RandomIdentitySampler, Sampler, UniformSampler
from toolkit.errors import ConfigError
from toolkit.registry import SAMPLERS

quick = settings(max_examples=60, deadline=None, derandomize=True)
label_lists = st.lists(st.integers(0, 9), min_size=1, max_size=80)


def batches(sampler: Sampler, epoch: int = 0) -> list[list[int]]:
    """The indices of every batch; checks on the way that every key has the epoch."""
    sampler.set_epoch(epoch)
    keys = list(sampler)
    assert {key[0] for batch in keys for key in batch} <= {epoch}
    return [[index for _, index in batch] for batch in keys]


def pk_sampler(labels: list[int], per_class: int, classes: int, seed: int, **options) -> PKSampler:
    """A sampler with as many classes a batch as asked, or as there are."""
    classes = min(classes, len(set(labels)))
    return PKSampler(labels, classes * per_class, seed, sample_per_id=per_class, **options)


@quick
@given(label_lists, st.integers(1, 90), st.integers(0, 5), st.booleans())
def test_uniform_takes_everything_once(labels, batch_size, epoch, shuffle):
    sampler = UniformSampler(labels, batch_size, 3, shuffle=shuffle, drop_last=False)
    drawn = batches(sampler, epoch)
    assert sorted(index for batch in drawn for index in batch) == list(range(len(labels)))
    assert all(len(batch) == batch_size for batch in drawn[:-1])
    assert 1 <= len(drawn[-1]) <= batch_size
    assert len(drawn) == len(sampler)
    if not shuffle:
        assert [index for batch in drawn for index in batch] == list(range(len(labels)))


@quick
@given(label_lists, st.integers(1, 80), st.integers(0, 5))
def test_uniform_drops_only_what_does_not_fill_a_batch(labels, batch_size, epoch):
    batch_size = min(batch_size, len(labels))
    sampler = UniformSampler(labels, batch_size, 3)
    drawn = batches(sampler, epoch)
    whole = batches(UniformSampler(labels, batch_size, 3, drop_last=False), epoch)
    assert drawn == whole[: len(labels) // batch_size]
    assert len(drawn) == len(sampler)


@quick
@given(
    label_lists,
    st.integers(1, 5),
    st.integers(1, 10),
    st.integers(0, 5),
    st.sampled_from(["sample_avg_prob", "id_avg_prob"]),
    st.booleans(),
)
def test_pk_batches_have_p_classes_of_k(labels, per_class, classes, epoch, method, drop_last):
    sampler = pk_sampler(labels, per_class, classes, 9, sample_method=method, drop_last=drop_last)
    drawn = batches(sampler, epoch)
    size = min(classes, len(set(labels))) * per_class
    expected = len(labels) // size if drop_last else -(-len(labels) // size)
    assert len(drawn) == len(sampler) == max(1, expected)
    for batch in drawn:
        of_class: dict[int, list[int]] = {}
        for index in batch:
            of_class.setdefault(labels[index], []).append(index)
        assert len(of_class) == size // per_class
        for label, indices in of_class.items():
            assert len(indices) == per_class
            if labels.count(label) >= per_class:
                assert len(set(indices)) == per_class


@pytest.mark.parametrize("name", SAMPLERS.names())
@quick
@given(st.integers(0, 2**31), st.integers(0, 1000), st.data())
def test_order_is_a_function_of_seed_and_epoch(name, seed, epoch, data):
    labels = [index % 8 for index in range(64)]

    def sampler(seed: int) -> Sampler:
        return SAMPLERS.build(name, labels=labels, batch_size=8, seed=seed)

    undisturbed = batches(sampler(seed), epoch)
    used = sampler(seed)
    batches(used, epoch + 1)
    assert batches(used, epoch) == undisturbed
    assert batches(used, epoch + 1) != undisturbed
    assert batches(sampler(seed + 1), epoch) != undisturbed
    assert batches(sampler(seed + 1), epoch) != batches(sampler(seed), epoch + 1)
    skipped = data.draw(st.integers(0, len(used)))
    used.set_epoch(epoch)
    used.skip(skipped)
    tail = [[index for _, index in batch] for batch in used]
    assert tail == undisturbed[skipped:]
    assert used.start_batch == skipped
    assert len(used) == len(undisturbed)
    assert batches(used, epoch) == undisturbed  # choosing an epoch begins it anew


@pytest.mark.parametrize("name", SAMPLERS.names())
def test_the_global_generator_is_left_alone(name):
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - it is what must not change
    sampler = SAMPLERS.build(name, labels=[0, 1] * 8, batch_size=8, seed=0)
    list(sampler)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002 - as above


def test_classes_are_drawn_by_size_or_all_alike():
    """900 pictures of class 0, 50 each of 1 and 2: which class a batch of one class shows."""
    labels = [0] * 900 + [1] * 50 + [2] * 50

    def shares(method: str) -> np.ndarray:
        sampler = PKSampler(labels, 2, 1, sample_per_id=2, sample_method=method)
        drawn = [labels[batch[0]] for epoch in range(4) for batch in batches(sampler, epoch)]
        return np.bincount(drawn, minlength=3) / len(drawn)

    # 2000 draws: three standard deviations are below 0.035.
    np.testing.assert_allclose(shares("sample_avg_prob"), [0.9, 0.05, 0.05], atol=0.035)
    np.testing.assert_allclose(shares("id_avg_prob"), [1 / 3] * 3, atol=0.035)


def test_ranges_of_classes_are_favoured_by_where_they_first_come_up(caplog):
    """Classes 9, 5, 7 come up first, second and third: ranges count those places."""
    labels = [9] * 10 + [5] * 10 + [7] * 10 + [9] * 70

    def shares(**options) -> np.ndarray:
        sampler = PKSampler(
            labels, 2, 1, sample_per_id=2, sample_method="id_avg_prob", drop_last=False, **options
        )
        drawn = [labels[batch[0]] for epoch in range(40) for batch in batches(sampler, epoch)]
        return np.bincount(drawn, minlength=10)[[9, 5, 7]] / len(drawn)

    # 2000 draws: three standard deviations are below 0.035.
    once = shares(id_list=[0, 0], ratio=[4.0])
    np.testing.assert_allclose(once, [4 / 6, 1 / 6, 1 / 6], atol=0.035)
    first_range_counts = shares(id_list=[1, 1, 0, 2], ratio=[8.0, 2.0])
    np.testing.assert_allclose(first_range_counts, [2 / 12, 8 / 12, 2 / 12], atol=0.035)
    assert not caplog.records
    beyond = shares(id_list=[2, 5, 7, 9], ratio=[4.0, 9.0])
    np.testing.assert_allclose(beyond, [1 / 6, 1 / 6, 4 / 6], atol=0.035)
    assert "the data has 3 classes" in caplog.text


@quick
@given(label_lists, st.integers(1, 4), st.integers(1, 6), st.integers(0, 5), st.booleans())
def test_identity_batches_have_p_classes_of_k(labels, per_class, classes, epoch, drop_last):
    classes = min(classes, len(set(labels)))
    size = classes * per_class
    sampler = RandomIdentitySampler(labels, size, 9, sample_per_id=per_class, drop_last=drop_last)
    drawn = batches(sampler, epoch)
    groups = sum(max(1, labels.count(label) // per_class) for label in set(labels))
    expected = groups // classes if drop_last else -(-groups // classes)
    assert len(drawn) == len(sampler) == max(1, expected)
    for batch in drawn:
        assert len(batch) == size
        assert len({labels[index] for index in batch}) == classes


@pytest.mark.parametrize("epoch", [0, 1])
def test_identity_batches_take_every_item_before_any_comes_back(epoch):
    labels = [index % 4 for index in range(32)]
    sampler = RandomIdentitySampler(labels, 8, 0, sample_per_id=2)
    drawn = [index for batch in batches(sampler, epoch) for index in batch]
    assert len(drawn) == len(set(drawn)) == 32


def test_identity_batches_wait_with_what_is_left_over():
    """Five items in groups of two: one of them waits; a single item is repeated."""
    sampler = RandomIdentitySampler([0] * 5 + [1], 4, 0, sample_per_id=2)
    (first, second) = batches(sampler)
    assert first.count(5) == second.count(5) == 2
    assert len({*first} | {*second}) <= 6
    left_out = {epoch: {0, 1, 2, 3, 4} - {*batches(sampler, epoch)[0]} for epoch in range(20)}
    assert len({tuple(sorted(left)) for left in left_out.values()}) > 3


def test_every_picture_of_a_class_comes_up():
    labels = [0] * 30 + [1] * 3
    sampler = PKSampler(labels, 8, 0, sample_method="id_avg_prob")
    seen = {index for epoch in range(60) for batch in batches(sampler, epoch) for index in batch}
    assert seen == set(range(33))


def test_labels_need_neither_order_nor_gaps_filled():
    labels = [70, 3, 70, 3, 3, 70, 9, 9]
    for batch in batches(PKSampler(labels, 4, 0, sample_per_id=2)):
        found = sorted(labels[index] for index in batch)
        assert all(a == b for a, b in zip(found[::2], found[1::2], strict=True))
        assert found[0] != found[2]


def test_epochs_differ_from_one_another():
    sampler = UniformSampler([0] * 40, 8, 0)
    orders = [batches(sampler, epoch) for epoch in range(6)]
    assert all(one != two for one, two in pairwise(orders))


@pytest.mark.parametrize(
    ("labels", "batch_size", "options", "words"),
    [
        (
            list(range(12)) * 40,
            128,
            {},
            "batch_size 128 needs at least 32 classes for sample_per_id 4; the data has 12: use "
            "batch_size 48 or smaller",
        ),
        ([0, 1] * 40, 50, {"sample_per_id": 4}, "not a multiple .* use batch_size 48 or 52"),
        ([0, 1] * 40, 3, {"sample_per_id": 4}, "not a multiple .* use batch_size 4"),
        ([0, 1], 2, {"sample_per_id": 0}, "sample_per_id is 0"),
        ([0, 1], 4, {"sample_method": "random"}, "sample_avg_prob or id_avg_prob"),
        ([0, 1], 4, {"id_list": [0, 1, 2], "ratio": [4.0]}, "do not go together"),
        ([0, 1], 4, {"id_list": [0, 1]}, "do not go together"),
        ([], 4, {}, "no usable picture"),
        ([0], 0, {}, "batch_size is 0"),
    ],
)
def test_pk_errors_say_what_to_change(labels, batch_size, options, words):
    with pytest.raises(ValueError, match=words):
        PKSampler(labels, batch_size, 0, **options)
    with pytest.raises(ConfigError, match=words):
        SAMPLERS.build("PKSampler", labels=labels, batch_size=batch_size, seed=0, **options)


@pytest.mark.parametrize(
    ("labels", "words"),
    [([0, 1] * 40, "use batch_size 48 or 52"), ([0] * 99, "at least 12 classes")],
)
def test_identity_errors_say_what_to_change(labels, words):
    size = 50 if len(set(labels)) == 2 else 48
    with pytest.raises(ValueError, match=words):
        RandomIdentitySampler(labels, size, 0, sample_per_id=4)


def test_uniform_errors_say_what_to_change():
    with pytest.raises(ValueError, match="use batch_size 40 or smaller, or drop_last: false"):
        UniformSampler([0] * 40, 64, 0)
    assert len(UniformSampler([0] * 40, 64, 0, drop_last=False)) == 1
    with pytest.raises(ValueError, match="seed is -1"):
        UniformSampler([0], 1, -1)


def test_more_batches_than_there_are_cannot_be_skipped():
    with pytest.raises(ValueError, match="cannot skip 6 of the 5 batches"):
        UniformSampler([0] * 40, 8, 0).skip(6)


def test_rows_of_the_yaml_are_known():
    options = {option.name: option for option in SAMPLERS.options("PKSampler")}
    assert [name for name, option in options.items() if option.handed_in] == [
        "labels",
        "batch_size",
        "seed",
    ]
    assert options["sample_per_id"].annotation == "PositiveInt"
