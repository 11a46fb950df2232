"""What two runs are found to differ in, on queries whose ranks are given by hand."""

import numpy as np
import pytest
from run_folders import write_config, write_evaluated

from toolkit.errors import RunError
from toolkit.evaluation.recorded_run import read_run
from toolkit.evaluation.run_comparison import compare_queries, setting_differences


def evaluated(folder, queries, name, **sections):
    return read_run(write_evaluated(write_config(folder, **sections), queries), name)


def ranks(numbers, label="x"):
    """Queries q0, q1, ... whose first match is at the given ranks, and their only one."""
    return [(f"q{i}.png", label, rank, 1 / rank if rank else 0) for i, rank in enumerate(numbers)]


def compared(tmp_path, first, second):
    runs = evaluated(tmp_path / "a", first, "A"), evaluated(tmp_path / "b", second, "B")
    return compare_queries(*runs, np.random.default_rng(0), resamples=500)


def test_what_changed_by_hand(tmp_path):
    #        both  gained  lost  neither  gained, from far
    first = [1, 2, 1, 3, 9]
    second = [1, 1, 4, 2, 1]
    found = compared(tmp_path, ranks(first), ranks(second))
    assert found.recall1.mean == pytest.approx(1 / 5)  # 2 of 5, then 3 of 5
    before = (1 + 1 / 2 + 1 + 1 / 3 + 1 / 9) / 5
    after = (1 + 1 + 1 / 4 + 1 / 2 + 1) / 5
    assert found.precision.mean == pytest.approx(after - before, abs=1e-6)
    assert [pair[0].key[0] for pair in found.gained] == ["q4.png", "q1.png"]
    assert [pair[0].key[0] for pair in found.lost] == ["q2.png"]
    assert found.p == 1.0  # 1 against 2
    assert found.outcome == "none"
    assert "does not tell B and A apart: recall@1 +20.00 points" in found.verdict()
    assert "Of 5 common queries 2 are right only in B and 1 only in A" in found.verdict()


@pytest.mark.parametrize(
    ("gained", "lost", "outcome", "said"),
    [
        (30, 5, "better", "B finds more than A"),
        (5, 30, "worse", "B finds less than A"),
        (15, 15, "none", "does not tell B and A apart"),
        (17, 7, "borderline", "can hardly be told apart"),
    ],
)
def test_the_verdict(tmp_path, gained, lost, outcome, said):
    first = [2] * gained + [1] * lost + [1] * 40
    second = [1] * gained + [2] * lost + [1] * 40
    found = compared(tmp_path, ranks(first), ranks(second))
    assert (found.outcome, said in found.verdict()) == (outcome, True)


def test_runs_that_find_the_same(tmp_path):
    found = compared(tmp_path, ranks([1, 2, 3]), ranks([1, 2, 3]))
    assert (found.recall1.mean, found.recall1.low, found.recall1.high) == (0, 0, 0)
    assert (found.p, found.outcome, found.gained, found.lost, found.classes) == (
        *(1.0, "none"),
        *([], [], []),
    )
    assert found.notes() == []


def test_only_common_queries_count(tmp_path):
    first = [*ranks([1, 2, 0]), ("only_a.png", "x", 1, 1.0)]
    second = [*ranks([1, 1, 1]), ("only_b.png", "x", 5, 0.2), ("only_c.png", "x", 5, 0.2)]
    found = compared(tmp_path, first, second)
    assert len(found.common.pairs) == 2
    assert found.recall1.mean == 0.5
    lists, unmatched = found.notes()
    assert "only the 2 common queries" in lists
    assert "1 are only in A and 2 only in B" in lists
    assert "1 common queries have no picture of their class" in unmatched


def test_a_query_with_another_label_is_another_query(tmp_path):
    found = compared(tmp_path, ranks([1, 1]), [*ranks([1]), ("q1.png", "y", 1, 1.0)])
    assert (len(found.common.pairs), found.common.only_first, found.common.only_second) == (1, 1, 1)


def test_other_galleries_are_told(tmp_path):
    one = evaluated(tmp_path / "a", ranks([1, 1]), "A")
    folder = write_config(tmp_path / "b")
    other = read_run(write_evaluated(folder, ranks([1, 1]), relevant=7), "B")
    found = compare_queries(one, other, np.random.default_rng(0), resamples=50)
    assert "The galleries differ: 2 queries" in found.notes()[0]


def test_nothing_in_common_is_an_error(tmp_path):
    with pytest.raises(RunError, match=r"no query in common.*'q0.png' in the one, 'other.png'"):
        compared(tmp_path, ranks([1]), [("other.png", "x", 1, 1.0)])


def test_classes_with_a_change(tmp_path):
    first = ranks([1, 2, 2], "x") + [(f"y{i}.png", "y", 1, 1.0) for i in range(2)]
    second = [*ranks([1, 1, 1], "x"), ("y0.png", "y", 2, 0.5), ("y1.png", "y", 1, 1.0)]
    found = compared(tmp_path, first, second)
    assert [(c.label, c.queries, c.first, c.second) for c in found.classes] == [
        ("x", 3, 1, 3),
        ("y", 2, 2, 1),
    ]


def test_settings_that_differ(tmp_path):
    def run(name, loss, **arch):
        return evaluated(
            tmp_path / name, ranks([1]), name, Train={"seed": 0, "epochs_iters": 3},
            Loss=[{part: {"weight": 1.0}} for part in loss], Arch=arch, Predict={"input": name},
        )  # fmt: skip

    one = run("a", ["CELoss"], Teacher=None, Neck={"name": "FC", "size": 2})
    two = run("b", ["CELoss", "RKDLoss"], Teacher={"name": "Big"}, Neck={"name": "FC", "size": 4})
    rows = {row.key: (row.values, row.given) for row in setting_differences([one, two])}
    assert rows == {
        "Arch.Neck.size": ([2, 4], [True, True]),
        "Arch.Teacher.name": ([None, "Big"], [False, True]),
        "Loss": (["CELoss", "CELoss, RKDLoss"], [True, True]),
        "Loss.RKDLoss.weight": ([None, 1.0], [False, True]),
    }
