"""Two real processes with a share of a batch each do what one does with the whole batch."""

import multiprocessing
import threading
import warnings

import group_cases
import numpy as np
import pytest

from toolkit.distributed.launch import LaunchPlan, run_processes

LONGEST = 120  # seconds


def in_group(work, arguments, folder, *, count=2):
    """Runs a function in processes that are ended when it takes too long."""

    def end():
        for process in multiprocessing.active_children():
            process.kill()

    watch = threading.Timer(LONGEST, end)
    watch.start()
    try:
        return run_processes(work, arguments, LaunchPlan(count, (), folder))
    finally:
        watch.cancel()


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    """What two processes found, of all cases: they are started once."""
    return in_group(group_cases.run_all, [], tmp_path_factory.mktemp("group"))


@pytest.mark.parametrize("name", group_cases.CASES)
def test_two_processes_do_what_one_does(of_two, name):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="When training, we now always track")
        alone = group_cases.CASES[name]()
    both = of_two[name]
    if name == "norm_with_frozen_bias":  # no gradient for the bias there
        alone.pop("sum of bias", None)
    assert all(found.keys() == alone.keys() for found in both)
    for key, expected in alone.items():
        parts = [np.asarray(found[key], dtype=np.float64) for found in both]
        if key.startswith("rows"):
            actual = np.concatenate([part.reshape(-1, *expected.shape[1:]) for part in parts])
        elif key.startswith("sum"):
            actual = parts[0] + parts[1]
        else:
            np.testing.assert_array_equal(parts[0], parts[1], err_msg=key)
            actual = parts[0]
        np.testing.assert_allclose(actual, expected, rtol=2e-4, atol=2e-5, err_msg=key)
