"""Batch size, sampler and losses on pairs against the sizes of the classes."""

from collections.abc import Iterator

from toolkit.build.recipe.finding import Recipe, RecipeFinding

# Losses that compare two pictures of one class with each other.
PAIR_LOSSES = frozenset(
    (
        *("CircleLoss", "ContrastiveLoss", "ContrastiveLoss_XBM", "DCHLoss", "DSHSDLoss"),
        *("EmlLoss", "LCDSHLoss", "MSMLoss", "MultiSimilarityLoss", "NpairsLoss"),
        *("PairwiseCosface", "SupConLoss", "TriHardLoss", "TripletAngularMarginLoss"),
        *("TripletAngularMarginLoss_XBM", "TripletLossV2"),
    )
)
_LARGE_REST = 0.3
_FEW_WITH_PARTNER = 0.5
_SAMPLER = "Data.sampler"


def check_batch(recipe: Recipe) -> Iterator[RecipeFinding]:
    """A batch that the data cannot fill, and a last one that is left out."""
    batch, count = recipe.batch, recipe.num_images
    drops = not recipe.draws_classes and recipe.sampler.options.get("drop_last", True)
    if batch > count and drops:
        yield RecipeFinding(
            *("batch_larger_than_data", "error", recipe.batch_key, batch),
            f"the data has {count} pictures and drop_last leaves out a batch that is not full, so "
            "an epoch has no batch at all.",
            f"Use {count} or less, or Data.sampler.drop_last: false.",
        )
    elif batch > count:
        yield RecipeFinding(
            *("batch_larger_than_data", "warning", recipe.batch_key, batch),
            f"the data has only {count} pictures, so every batch is all of them.",
            f"Use {max(1, count // 4)} or less.",
        )
    elif drops and count % batch > _LARGE_REST * count:
        yield RecipeFinding(
            *("drop_last_leaves_out_much", "warning", f"{_SAMPLER}.drop_last", True),
            f"{count % batch} of {count} pictures do not fill a batch of {batch} and are left out "
            "of every epoch.",
            "Set it to false, or use a smaller batch.",
        )
    accumulate = recipe.config.Train.accumulate_steps
    if accumulate > 1 and accumulate > max(1, count // batch):
        yield RecipeFinding(
            *("accumulates_more_than_an_epoch", "warning", "Train.accumulate_steps", accumulate),
            f"an epoch has {count // batch} batches, so no update is of {accumulate}.",
            f"Use {max(1, count // batch)} or less.",
        )


def check_classes_in_batch(recipe: Recipe) -> Iterator[RecipeFinding]:
    """P classes of K pictures against how many there are."""
    sizes = recipe.class_sizes
    if sizes is None or not recipe.draws_classes:
        return
    batch, per_class = recipe.batch, recipe.sampler.options["sample_per_id"]
    key = f"{_SAMPLER}.sample_per_id"
    if batch % per_class:
        yield RecipeFinding(
            *("batch_not_a_multiple", "error", recipe.batch_key, batch),
            f"it is not a multiple of sample_per_id, {per_class}.",
            f"Use {max(1, batch // per_class) * per_class}.",
        )
    elif batch // per_class > len(sizes):
        yield RecipeFinding(
            *("too_few_classes", "error", recipe.batch_key, batch),
            f"it needs {batch // per_class} classes for sample_per_id {per_class}, and the data "
            f"has {len(sizes)}.",
            f"Use {len(sizes) * per_class} or less.",
        )
    few = int((sizes < per_class).sum())
    if few:
        yield RecipeFinding(
            *("fewer_pictures_than_drawn", "warning", key, per_class),
            f"{few} of {len(sizes)} classes have fewer pictures than that; theirs come several "
            "times in a batch, and are easy positives.",
            f"Use {sizes.min()}." if sizes.min() > 1 else "Gather more pictures of them.",
        )


def check_pairs(recipe: Recipe) -> Iterator[RecipeFinding]:
    """Losses on pairs need pictures of one class in a batch."""
    names, sizes = [part.name for part in recipe.losses(PAIR_LOSSES)], recipe.class_sizes
    if not names or sizes is None:
        return
    said = ", ".join(names)
    alone, drawn = int((sizes == 1).sum()), recipe.sampler.options.get("sample_per_id")
    only_pairs = len(names) == len(recipe.config.Loss)
    nothing = alone == len(sizes) and not recipe.draws_classes
    if drawn == 1 or nothing:
        why = "no class has two pictures" if nothing else "a batch has one picture of each class"
        yield RecipeFinding(
            *("no_pair_of_one_class", "error" if only_pairs else "warning", "Loss", said),
            f"it compares pictures of one class, and {why}.",
            "Use Data.sampler PKSampler with sample_per_id 2 or more, or a loss on a class head.",
        )
        return
    if alone:
        yield RecipeFinding(
            *("classes_with_one_picture", "warning", "Loss", said),
            f"{alone} of {len(sizes)} classes have one picture, which has no other to be near to.",
            "Gather a second picture of each, or take these classes out of the list.",
        )
    partners = _share_with_partner(recipe)
    if not recipe.draws_classes and partners < _FEW_WITH_PARTNER:
        yield RecipeFinding(
            *("few_pairs_in_a_batch", "warning", _SAMPLER, recipe.sampler.name),
            f"about {100 * partners:.0f}% of the pictures of a batch have another of their class "
            f"in it, which {said} learns from.",
            "Use PKSampler.",
        )


def _share_with_partner(recipe: Recipe) -> float:
    """Returns how many pictures of a random batch have another of their class in it.

    A picture of a class of n has none among the B - 1 others with about (1 - (n - 1) / (N - 1)) to
    the power of B - 1.
    """
    sizes, others = recipe.class_sizes, max(1, recipe.num_images - 1)
    if sizes is None:
        return 0.0
    without = (1 - (sizes - 1) / others) ** (recipe.batch - 1)
    return float((sizes * (1 - without)).sum() / sizes.sum())
