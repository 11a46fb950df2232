import copy
import os

import numpy as np
import pytest

from toolkit.kernels.workers import Workers


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 2, 7, 100])
@pytest.mark.parametrize("run", ["run", "run_products"])
def test_covers_every_item_once(threads, count, run):
    seen = np.zeros(count, dtype=int)

    def work(start, stop):
        seen[start:stop] += 1

    getattr(Workers(threads), run)(work, count)
    assert (seen == 1).all()


@pytest.mark.parametrize("failing", [0, 99])
def test_an_error_of_any_thread_comes_out(failing):
    def work(start, stop):
        if start <= failing < stop:
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        Workers(2).run(work, 100)


def test_a_copy_is_the_same_threads():
    workers = Workers(2)
    assert copy.deepcopy({"workers": workers})["workers"] is workers


def test_a_forked_process_works_alone():
    workers = Workers(2)
    workers.run(lambda *_: None, 10)
    child = os.fork()
    if child == 0:
        seen = []
        workers.run(lambda start, stop: seen.extend(range(start, stop)), 10)
        os._exit(0 if seen == list(range(10)) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_products_leave_the_matrix_library_as_it_was():
    threadpoolctl = pytest.importorskip("threadpoolctl")

    def threads():
        return [
            library["num_threads"]
            for library in threadpoolctl.threadpool_info()
            if library["user_api"] == "blas"
        ]

    before, within = threads(), []
    Workers(1).run_products(lambda *_: within.extend(threads()), 1)
    assert set(within) == {1}
    assert threads() == before
