import pytest

from benchmarks.measure import Comparison, all_in_turn, better, in_turn, others


def row(ours: list[float], peer: list[float], **more) -> Comparison:
    return Comparison("area", "name", "images/s", ours, peer, "peer 1.0", **more)


def test_the_ratio_is_that_of_the_medians() -> None:
    # Means would give 40 / 12.
    assert row([30.0, 10.0, 80.0], [10.0, 20.0, 6.0]).ratio == 3.0


def test_where_less_is_better_the_ratio_is_turned() -> None:
    assert row([0.5], [2.0], higher_is_better=False).ratio == 4.0


@pytest.mark.parametrize(
    ("ours", "required", "wanted", "verdict"),
    [
        (20.0, 1.5, 2.0, "wanted"),
        (19.9, 1.5, 2.0, "required"),
        (15.0, 1.5, 2.0, "required"),
        (14.9, 1.5, 2.0, "missed"),
        (10.0, 1.0, None, "required"),
        (9.0, 1.0, None, "missed"),
        (9.0, None, None, ""),
        (9.0, None, 1.0, "missed"),
    ],
)
def test_the_verdict_names_the_highest_target_reached(
    ours: float, required: float | None, wanted: float | None, verdict: str
) -> None:
    assert row([ours], [10.0], required=required, wanted=wanted).verdict == verdict


def test_the_sides_take_turns_and_the_first_changes() -> None:
    order = []

    def side(name: str, figure: float):
        def work() -> float:
            order.append(name)
            return figure + order.count(name)

        return work

    ours, peer = in_turn(side("ours", 10), side("peer", 20), repeats=3)

    assert order == ["ours", "peer", "peer", "ours", "ours", "peer"]
    assert (ours, peer) == ([11, 12, 13], [21, 22, 23])


def test_any_number_of_sides_takes_turns() -> None:
    order = []
    sides = {name: (lambda name=name: order.append(name) or 1.0) for name in "abc"}

    figures = all_in_turn(sides, 2)

    assert "".join(order) == "abccba"
    assert figures == {"a": [1.0, 1.0], "b": [1.0, 1.0], "c": [1.0, 1.0]}


def test_no_repeats_are_an_error() -> None:
    with pytest.raises(ValueError, match="repeats is 0"):
        in_turn(lambda: 1.0, lambda: 1.0, repeats=0)


def test_the_better_setting_is_that_of_the_better_median() -> None:
    settings = {"defaults": [1.0, 9.0, 2.0], "2 threads": [3.0, 3.0, 3.0]}

    assert better(settings, higher_is_better=True) == ("2 threads", [3.0, 3.0, 3.0])
    assert better(settings, higher_is_better=False)[0] == "defaults"


def test_the_other_settings_are_told() -> None:
    settings = {"defaults": [1.0, 9.0, 2.0], "2 threads": [3.0]}

    assert others(settings, "2 threads", "images/s") == "Peer otherwise: defaults: 2 images/s."
    assert others({"defaults": [1.0]}, "defaults", "images/s") == ""
