"""Values that users get wrong, against data that shows it."""

import itertools
import math
import re

import numpy as np
import pytest

from toolkit.build.recipe.batches import PAIR_LOSSES
from toolkit.build.recipe.check import recipe_findings, require_sound_recipe
from toolkit.build.recipe.finding import Recipe
from toolkit.build.recipe.head import smallest_scale
from toolkit.errors import ConfigError
from toolkit.losses.metric_loss import PairLoss
from toolkit.registry import LOSSES

PK = "Data.sampler={name: PKSampler, sample_per_id: %d}"
TRIPLET = "Loss=[{CELoss: {}}, {TripletLossV2: {}}]"
ONLY_TRIPLET = "Loss=[{TripletLossV2: {}}]"
XBM = "Loss=[{ContrastiveLoss_XBM: {start_iter: %d}}]"
ARC = "Arch.Head={name: ArcMargin, scale: %g, margin: %g}"
COS = "Arch.Head={name: CosMargin, scale: %g, margin: %g}"
EIGHTS = [8, 8, 8, 8]
FINE = ["Train.epochs_iters=10", "Train.learning_rate=0.02"]
# overrides, sizes of the classes -> the codes that are errors, and those that are warnings
CASES = [
    (["Train.batch_size=8"], EIGHTS, [], []),
    (["Train.batch_size=33"], EIGHTS, ["batch_larger_than_data"], []),
    (
        ["Train.batch_size=33", "Data.sampler={name: UniformSampler, drop_last: false}"],
        *(EIGHTS, [], ["batch_larger_than_data"]),
    ),
    (["Train.batch_size=20"], EIGHTS, [], ["drop_last_leaves_out_much"]),
    (["Train.batch_size=8", "Train.accumulate_steps=4"], EIGHTS, [], []),
    (["Train.accumulate_steps=5"], EIGHTS, [], ["accumulates_more_than_an_epoch"]),
    (["Train.batch_size=8", PK % 4], EIGHTS, [], []),
    (["Train.batch_size=10", PK % 4], EIGHTS, ["batch_not_a_multiple"], []),
    (["Train.batch_size=20", PK % 4], EIGHTS, ["too_few_classes"], []),
    (["Train.batch_size=8", PK % 4], [8, 8, 8, 3], [], ["fewer_pictures_than_drawn"]),
    (["Train.batch_size=4", PK % 1, TRIPLET], EIGHTS, [], ["no_pair_of_one_class"]),
    (["Train.batch_size=4", PK % 1, ONLY_TRIPLET], EIGHTS, ["no_pair_of_one_class"], []),
    ([ONLY_TRIPLET], [1] * 32, ["no_pair_of_one_class"], []),
    (
        [PK % 2, TRIPLET],
        [8, 8, 8, 2, 1],
        [],
        ["fewer_pictures_than_drawn", *["classes_with_one_picture"]],
    ),
    ([TRIPLET], [2] * 40, [], ["few_pairs_in_a_batch"]),
    ([TRIPLET], EIGHTS, [], []),
    ([XBM % 40, PK % 2], EIGHTS, [], ["memory_never_begins"]),
    ([XBM % 39, PK % 2], EIGHTS, [], []),
    ([], [32], ["one_class"], []),
    (["Data.rotate_classes=true"], [32], [], []),
    ([ARC % (30, 0.2)], EIGHTS, [], []),
    ([ARC % (2, 0.2)], EIGHTS, [], ["scale_too_small"]),
    ([ARC % (30, 1.9)], EIGHTS, [], []),  # 4 directions can be acos(-1/3) = 1.911 apart
    ([ARC % (30, 1.92)], EIGHTS, [], ["margin_too_large"]),
    ([COS % (64, 1.34)], EIGHTS, [], ["margin_too_large"]),  # and 4/3 in cosine
    ([COS % (64, 1.33)], EIGHTS, [], []),
    (["Train.warmup_steps=10"], EIGHTS, [], ["warm_up_too_long"]),
    (["Train.warmup_steps=6"], EIGHTS, [], ["warm_up_too_long"]),
    (["Train.warmup_steps=5"], EIGHTS, [], []),
    (["Optimizer.lr.warmup_iters=21"], EIGHTS, [], ["warm_up_too_long"]),
    (["Optimizer.lr.warmup_iters=20"], EIGHTS, [], []),
    # 0.15 for 64 is 0.01875 for 8.
    (["Train.learning_rate=0.16"], EIGHTS, [], ["learning_rate_far_from_recipe"]),
    (["Train.learning_rate=0.14"], EIGHTS, [], []),
    (["Train.learning_rate=0.0003"], EIGHTS, [], ["learning_rate_far_from_recipe"]),
    (["Train.learning_rate=0.16", "Train.accumulate_steps=2"], EIGHTS, [], []),
    (
        ["Train.learning_rate=0.02", "Optimizer={name: AdamW, lr: {name: Cosine}}"],
        *(EIGHTS, [], ["learning_rate_of_another_rule"]),
    ),
    (["Train.eval_interval=11"], EIGHTS, [], ["never_evaluated_on_the_way"]),
    (["Train.eval_interval=11", "Train.eval_during_train=false"], EIGHTS, [], []),
    (["Train.early_stopping={patience: 10}"], EIGHTS, [], ["never_stops_early"]),
    (["Train.early_stopping={patience: 4, metric: mAP}"], EIGHTS, [], []),
    (["Train.save_interval=11"], EIGHTS, [], ["no_numbered_checkpoint"]),
    (["Train.freeze_backbone=true", "Train.unfreeze_at=11"], EIGHTS, [], ["never_unfrozen"]),
]


def recipe(configure, overrides, sizes) -> Recipe:
    config = configure(*FINE, *overrides)
    turns = 4 if config.Data.rotate_classes else 1
    class_sizes = np.repeat(sizes, turns)
    return Recipe(config, class_sizes, int(class_sizes.sum()), len(class_sizes))


@pytest.mark.parametrize(("overrides", "sizes", "errors", "warnings"), CASES)
def test_findings(configure, overrides, sizes, errors, warnings):
    found = recipe_findings(recipe(configure, overrides, sizes))
    assert [item.code for item in found if item.severity == "error"] == errors
    assert [item.code for item in found if item.severity == "warning"] == warnings
    for item in found:
        assert item.fix.endswith(".")
        assert item.row()["value"] == item.value


def test_an_advice_that_is_followed_is_enough(configure):
    """Every fix that is a number, put in its place, leaves nothing to find."""
    followed = 0
    for overrides, sizes, *_ in CASES:
        for item in recipe_findings(recipe(configure, overrides, sizes)):
            number = re.match(r"Use (?:about )?([\d.e-]*\d)", item.fix)
            if number is None or item.code in ("classes_with_one_picture",):
                continue
            key = item.key.replace("Loss.ContrastiveLoss_XBM", "Loss.0.ContrastiveLoss_XBM")
            mended = recipe_findings(recipe(configure, [*overrides, f"{key}={number[1]}"], sizes))
            left = {other.code for other in mended}
            assert item.code not in left, (overrides, item)
            followed += 1
    assert followed > 15


def test_errors_are_all_named_and_warnings_told(configure, caplog):
    overrides = ["Train.batch_size=40", PK % 3, "Train.eval_interval=99"]
    with pytest.raises(ConfigError) as caught:
        require_sound_recipe(recipe(configure, overrides, [8]))
    assert [text.split(":")[0] for text in caught.value.problems] == [
        "one_class",
        "batch_not_a_multiple",
    ]
    assert "Recipe: never_evaluated_on_the_way: Train.eval_interval is 99" in caplog.text


def test_the_share_with_a_partner_is_that_of_drawn_batches(configure):
    from toolkit.build.recipe.batches import _share_with_partner

    sizes = [1, 2, 5, 12]
    labels = np.repeat(np.arange(4), sizes)
    rng, have = np.random.default_rng(0), []
    for _ in range(4000):
        batch = rng.permutation(labels)[:6]
        have += [(batch == label).sum() > 1 for label in batch]
    expected = _share_with_partner(recipe(configure, ["Train.batch_size=6"], sizes))
    assert expected == pytest.approx(np.mean(have), abs=0.05)


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_the_smallest_scale_is_where_a_perfect_head_reaches_its_probability(classes):
    """A simplex: the own cosine is 1, every other -1 / (c - 1)."""
    scale = smallest_scale(classes, 0.9)
    own, others = math.exp(scale), (classes - 1) * math.exp(-scale / (classes - 1))
    assert own / (own + others) == pytest.approx(0.9)


def test_every_loss_on_pairs_is_known():
    """Losses on pairs of one class are those of PairLoss, and the hashing ones and N-pairs."""
    pairs = {name for name in LOSSES.names() if issubclass(LOSSES.get(name), PairLoss)}
    others = {"DCHLoss", "DSHSDLoss", "LCDSHLoss", "NpairsLoss"}
    assert pairs | others == PAIR_LOSSES


def test_the_page_has_every_code(repository, configure):
    page = (repository / "docs/training.md").read_text(encoding="utf-8")
    codes = set(itertools.chain(*(errors + warnings for *_, errors, warnings in CASES)))
    assert {code for code in codes if f"`{code}`" not in page} == set()
