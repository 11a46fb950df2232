"""The shares of the processes are the batches of one."""

from itertools import chain

import numpy as np
import pytest

from toolkit.data.samplers import PKSampler, RandomIdentitySampler, UniformSampler
from toolkit.data.shared_sampler import SharedSampler

LABELS = np.repeat(np.arange(9), [3, 1, 4, 1, 5, 9, 2, 6, 5])
SAMPLERS = {
    "uniform": lambda: UniformSampler(LABELS, 12, seed=4),
    "with a rest": lambda: UniformSampler(LABELS, 8, seed=4, drop_last=False),
    "P x K": lambda: PKSampler(LABELS, 12, seed=4, sample_per_id=3),
    "identities": lambda: RandomIdentitySampler(LABELS, 12, seed=4, sample_per_id=3),
}


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("make", SAMPLERS.values(), ids=SAMPLERS)
def test_the_parts_in_the_order_of_the_processes_are_the_batch(make, count):
    shares = [SharedSampler(make(), rank, count) for rank in range(count)]
    for epoch in (0, 3):
        whole = make()
        whole.set_epoch(epoch)
        for share in shares:
            share.set_epoch(epoch)
        expected, *parts = [list(sampler) for sampler in (whole, *shares)]
        assert all(len(part) == len(expected) == len(whole) for part in parts)
        joined = [list(chain(*batch)) for batch in zip(*parts, strict=True)]
        assert joined == expected
        for sizes in zip(*([len(keys) for keys in part] for part in parts), strict=True):
            assert max(sizes) - min(sizes) <= 1
            assert list(sizes) == sorted(sizes, reverse=True)


def test_a_share_goes_on_behind_the_batches_that_are_done():
    whole, resumed = (SharedSampler(UniformSampler(LABELS, 8, seed=1), 1, 2) for _ in range(2))
    for sampler in (whole, resumed):
        sampler.set_epoch(2)
    resumed.skip(3)
    assert list(resumed) == list(whole)[3:]
    with pytest.raises(ValueError, match="cannot skip"):
        resumed.skip(len(whole) + 1)


def test_a_rank_that_is_none_of_the_processes_is_refused():
    with pytest.raises(ValueError, match="of 2 processes it is from 0 to 1"):
        SharedSampler(UniformSampler(LABELS, 8, seed=1), 2, 2)
