import numpy as np
import pytest

from benchmarks.inference import cosines
from benchmarks.stages import StageCosts, rate_table, stage_table

COSTS = StageCosts(
    read_ms=1.0,
    decode_ms=6.0,
    resize_ms=3.0,
    one_stream=80.0,
    one_by_one=50.0,
    all_streams=100.0,
    engine="Fast",
    cores=2,
    matrix_gflops={"numpy": 200.0, "OpenVINO": 400.0},
)


def test_the_ceiling_is_that_of_stages_that_never_wait() -> None:
    # 10 ms in one thread are 5 ms of two cores; the network adds 10 ms of both.
    assert COSTS.ceiling == pytest.approx(1 / 0.015)


def test_the_stages_show_costs_and_what_is_reached() -> None:
    rows = dict(stage_table("Stages", COSTS, reached=50.0).rows)

    assert rows["decode, one thread"] == "6.000 ms"
    assert rows["Fast alone, batch 16, 2 streams of one thread"] == "10.000 ms = 100.0 images/s"
    assert rows["ceiling that follows"] == "66.7 images/s"
    assert rows["reached of it"] == "50.0 images/s = 75%"


def test_a_multiply_add_is_two_operations() -> None:
    table = rate_table(COSTS, multiply_adds=10**9, reached=50.0)

    # 2 GFLOP an image: 200 GFLOP/s alone, 100 in predict.
    assert "2.00 GFLOP" in table.title
    assert table.rows == [["numpy", "200", "100%", "50%"], ["OpenVINO", "400", "50%", "25%"]]


def test_cosines_do_not_depend_on_lengths() -> None:
    left = np.array([[3, 0], [0, 2], [1, 1]], dtype=np.float32)
    right = np.array([[1, 0], [0, -5], [0, 7]], dtype=np.float32)

    np.testing.assert_allclose(cosines(left, right), [1, -1, 0.5**0.5])
