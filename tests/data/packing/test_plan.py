"""Train and test, and files of so many rows: by the seed, whatever the order of the list."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.data.packing.plan import PlanOptions, plan_shards
from toolkit.data.packing.rows import Row

OPTIONS = PlanOptions("data", ".tfrecord", 0.25, 10, shuffle=False, seed=3)
ROWS = [Row(number, f"{number}.jpg", None) for number in range(1, 101)]


def paths(rows: list[Row], options: PlanOptions, split: str) -> list[str]:
    shards = plan_shards(rows, options)
    return [row.path for shard in shards if shard.split == split for row in shard.rows]


def test_names_and_sizes() -> None:
    shards = plan_shards(ROWS[:24], replace(OPTIONS, test_ratio=0.125))
    assert [(shard.name, len(shard.rows)) for shard in shards] == [
        ("data_train_00000.tfrecord", 10),
        ("data_train_00001.tfrecord", 10),
        ("data_train_00002.tfrecord", 1),
        ("data_test_00000.tfrecord", 3),
    ]


@settings(deadline=None)
@given(ratio=st.floats(0, 1), number=st.integers(1, 100), seed=st.integers(0, 99))
def test_every_row_is_in_one_file(ratio: float, number: int, seed: int) -> None:
    options = replace(OPTIONS, test_ratio=ratio, seed=seed, shuffle=bool(seed % 2))
    train, test = (paths(ROWS[:number], options, split) for split in ("train", "test"))
    assert len(test) == round(ratio * number)
    assert sorted(train + test) == sorted(row.path for row in ROWS[:number])


def test_the_order_of_the_list_does_not_decide() -> None:
    mixed = random.Random(0).sample(ROWS, len(ROWS))  # noqa: S311
    assert sorted(paths(mixed, OPTIONS, "test")) == sorted(paths(ROWS, OPTIONS, "test"))
    shuffled = replace(OPTIONS, shuffle=True)
    assert paths(mixed, shuffled, "train") == paths(ROWS, shuffled, "train")


def test_rows_stay_in_order_or_are_shuffled_by_the_seed() -> None:
    train = paths(ROWS, OPTIONS, "train")
    assert train == [row.path for row in ROWS if row.path in set(train)]
    orders = [paths(ROWS, replace(OPTIONS, shuffle=True, seed=seed), "train") for seed in (3, 3, 4)]
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != train
    assert sorted(orders[0]) == sorted(train)


def test_another_seed_gives_other_test_pictures() -> None:
    assert paths(ROWS, OPTIONS, "test") != paths(ROWS, replace(OPTIONS, seed=4), "test")


def test_more_pictures_move_few_of_the_others() -> None:
    before, after = (set(paths(ROWS[:number], OPTIONS, "test")) for number in (96, 100))
    assert len(before - after) <= 4


@pytest.mark.parametrize("seed", range(5))
def test_all_rows_of_a_picture_are_on_one_side(seed: int) -> None:
    doubled = [*ROWS, *(Row(row.line + 100, f"./{row.path}", "x") for row in ROWS)]
    options = replace(OPTIONS, seed=seed)
    train, test = (paths(doubled, options, split) for split in ("train", "test"))
    names = [{path.removeprefix("./") for path in side} for side in (train, test)]
    assert not names[0] & names[1]
    assert len(test) == 50
