"""Epochs, steps and learning rate against each other."""

from collections.abc import Iterator

from toolkit.build.recipe.finding import Recipe, RecipeFinding
from toolkit.cards.catalog import CARDS

_LONG_WARM_UP = 0.5
# A rate this many times above the scaled one of the recipe's own run diverges more often than not;
# fine-tuning goes far below it.
_TOO_HIGH, _TOO_LOW = 8.0, 0.02
_HIGHEST_ADAPTIVE = 0.01
_RATE = "Train.learning_rate"


def check_warm_up(recipe: Recipe) -> Iterator[RecipeFinding]:
    """A warm-up that takes the whole run, or most of it."""
    train, lr = recipe.config.Train, recipe.config.Optimizer.options["lr"]
    steps = lr.options["warmup_iters"]
    total = train.epochs_iters * recipe.steps_per_epoch
    key, value = "Optimizer.lr.warmup_iters", steps
    if steps is None:
        key, value = "Train.warmup_steps", train.warmup_steps
        steps = (train.warmup_steps or 0) * recipe.steps_per_epoch
    if steps >= total:
        why = f"the run has {train.epochs_iters} epochs ({total} steps), so it is warm-up only and "
        why += "the rate never falls."
    elif steps > _LONG_WARM_UP * total:
        why = f"more than half of the {total} steps of the run are warm-up."
    else:
        return
    fifth = max(1, train.epochs_iters // 5)
    few = fifth if key.startswith("Train") else max(1, total // 5)
    unit = "epochs" if key.startswith("Train") else "steps"
    yield RecipeFinding(
        *("warm_up_too_long", "warning", key, value), why, f"Use {few} {unit} or less."
    )


def check_learning_rate(recipe: Recipe) -> Iterator[RecipeFinding]:
    """The rate against that of the card's recipe, scaled to the batch.

    Source: Goyal et al., Accurate, Large Minibatch SGD, 2017, section 2.1 (linear scaling).
    """
    train, optimizer = recipe.config.Train, recipe.config.Optimizer.name
    rate, batch = train.learning_rate, recipe.batch * train.accumulate_steps
    if optimizer in ("Adam", "AdamW"):
        if rate > _HIGHEST_ADAPTIVE:
            yield RecipeFinding(
                *("learning_rate_of_another_rule", "warning", _RATE, rate),
                f"the steps of {optimizer} do not shrink with the gradient; rates above "
                f"{_HIGHEST_ADAPTIVE:g} rarely train.",
                "Use 0.001 or less.",
            )
        return
    card = CARDS.get(recipe.config.Global.model)
    own = None if card is None else card.recipe_run
    if own is None or own.optimizer != optimizer:
        return
    scaled = own.learning_rate * batch / own.batch_size
    if scaled * _TOO_LOW <= rate <= scaled * _TOO_HIGH:
        return
    side = "above" if rate > scaled else "below"
    yield RecipeFinding(
        *("learning_rate_far_from_recipe", "warning", _RATE, rate),
        f"the recipe's own run had {own.learning_rate:g} for batches of {own.batch_size}, which is "
        f"{scaled:.2g} for {batch}; this is far {side} it.",
        f"Use about {scaled:.2g}, or measure: Train.find_learning_rate=true.",
    )


def check_intervals(recipe: Recipe) -> Iterator[RecipeFinding]:
    """Things that are to happen every so many epochs, and do not."""
    train = recipe.config.Train
    if train.eval_during_train and train.eval_interval > train.epochs_iters:
        yield RecipeFinding(
            *("never_evaluated_on_the_way", "warning", "Train.eval_interval", train.eval_interval),
            f"the run has {train.epochs_iters} epochs, so only the last one is evaluated and "
            "best_model is not chosen among several.",
            f"Use {max(1, train.epochs_iters // 5)}.",
        )
    watch = train.early_stopping
    if watch is not None and watch.patience * train.eval_interval >= train.epochs_iters:
        yield RecipeFinding(
            *("never_stops_early", "warning", "Train.early_stopping.patience", watch.patience),
            f"the run has {train.epochs_iters // train.eval_interval} evaluations, so the patience "
            "never runs out.",
            f"Use {max(1, train.epochs_iters // train.eval_interval // 4)}.",
        )
    if train.save_interval > train.epochs_iters:
        yield RecipeFinding(
            *("no_numbered_checkpoint", "warning", "Train.save_interval", train.save_interval),
            f"the run has {train.epochs_iters} epochs, so no epoch_N is written.",
            f"Use {train.epochs_iters} or less.",
        )
    if train.unfreeze_at is not None and train.unfreeze_at > train.epochs_iters:
        yield RecipeFinding(
            *("never_unfrozen", "warning", "Train.unfreeze_at", train.unfreeze_at),
            f"the run has {train.epochs_iters} epochs, so the backbone stays frozen.",
            f"Use {train.epochs_iters} or less, or leave it out.",
        )


def check_memory_of_losses(recipe: Recipe) -> Iterator[RecipeFinding]:
    """A memory of earlier embeddings that begins behind the end of the run."""
    train = recipe.config.Train
    total = train.epochs_iters * recipe.steps_per_epoch * train.accumulate_steps
    for part in recipe.losses(("ContrastiveLoss_XBM", "TripletAngularMarginLoss_XBM")):
        start = part.options["start_iter"]
        if start >= total:
            yield RecipeFinding(
                *("memory_never_begins", "warning", f"Loss.{part.name}.start_iter", start),
                f"the run has {total} batches, so nothing is ever compared with the memory.",
                f"Use {total // 10}.",
            )
