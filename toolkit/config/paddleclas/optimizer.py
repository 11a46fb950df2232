"""`Optimizer`: the update rule and the learning rate."""

from collections.abc import Callable
from typing import Any

from toolkit.config.paddleclas.parts import move_options
from toolkit.config.paddleclas.translation import Source, Translation, dotted
from toolkit.registry import OPTIMIZERS, SCHEDULES

_TARGET = ("Optimizer",)
_RATE = ("Optimizer", "lr")
_WHOLE_NETWORK = ("all", "RecModel")


def translate_optimizer(translation: Translation, root: Source) -> None:
    """Moves Optimizer, and the learning rate and the warm-up to Train."""
    optimizer, name = _single(root)
    if optimizer is None:
        return
    if name == "SGD":
        # Momentum that forgets everything is plain gradient descent.
        name = "Momentum"
        translation.put((*_TARGET, "momentum"), 0.0, optimizer.path)
    translation.put((*_TARGET, "name"), name, optimizer.at("name"))
    _decay(optimizer, name)
    _schedule(translation, optimizer)
    optimizer.drop("multi_precision", "a matter of mixed precision, which is off")
    optimizer.drop("use_multi_tensor", "a matter of speed")
    optimizer.drop("lazy_mode", "a matter of sparse gradients, which there are none of")
    if isinstance(name, str):
        known = {"clip_norm_global": "clip_norm"}
        if "clip_norm" in optimizer:
            optimizer.refuse(
                "clip_norm",
                "is not supported: it clips each gradient by itself. clip_norm_global clips all "
                "together, and is.",
            )
        move_options(optimizer, OPTIMIZERS, name, _TARGET, renamed=known)


def _single(root: Source) -> tuple[Source | None, Any]:
    """Returns the one optimizer, in whichever of the two spellings, and its name."""
    if not isinstance(root.peek("Optimizer"), list):
        section = root.section("Optimizer")
        return (section, section.word("name")) if section.unread() else (None, None)
    found = list(root.keyed("Optimizer"))
    if len(found) == 1:
        name, section = found[0]
        section.only("scope", _WHOLE_NETWORK, "the whole network", "one optimizer trains it all.")
        return section, name
    names = [f"{name} for {source.peek('scope')}" for name, source in found]
    root.refuse(
        "Optimizer",
        f"a list of {len(found)} ({', '.join(names)}) is not supported: one optimizer trains the "
        "network and the losses together. Give the one of the network as a mapping.",
    )
    return None, None


def _decay(optimizer: Source, name: Any) -> None:
    """Moves the L2 factor; where the file has none, neither has PaddleClas."""
    target = (*_TARGET, "weight_decay")
    regularizer = optimizer.section("regularizer")
    if regularizer.unread():
        kind = regularizer.take("name")
        if kind != "L2":
            regularizer.refuse("name", f"{kind!r} is not supported: the decay here is L2.")
        if name == "AdamW":
            optimizer.refuse("regularizer", "AdamW has a weight_decay of its own; give that.")
        regularizer.move("coeff", target)
        regularizer.finish(["coeff"])
        if "weight_decay" in optimizer:
            optimizer.refuse("weight_decay", "is said by regularizer as well: leave one out.")
    else:
        optimizer.move("weight_decay", target, default=0.0)
    if optimizer.take("one_dim_param_no_weight_decay") is True:
        origin = optimizer.at("one_dim_param_no_weight_decay")
        optimizer.translation.put((*_TARGET, "skip_decay"), ["norm", "bias"], origin)


def _schedule(translation: Translation, optimizer: Source) -> None:
    rate = optimizer.section("lr")
    name = rate.word("name") or "Constant"
    shape = _SHAPES.get(name)
    if shape is None:
        rate.refuse("name", f"{name!r} is not supported. Known: {', '.join(_SHAPES)}.")
        rate.give_up()
        # The schema then has nothing more to say of what is refused here.
        translation.put((*_RATE, "name"), "Constant", rate.at("name"))
        return
    rate.move("learning_rate", ("Train", "learning_rate"))
    rate.drop("verbose", "the rate is in the log")
    rate.only("last_epoch", (-1, None), "a run starts at its start", "a run starts at its start.")
    rate.only("cycle", (False,), "as it is here", "the rate falls once.")
    warmup = rate.take("warmup_epoch") or 0
    if warmup:
        translation.put(("Train", "warmup_steps"), warmup, rate.at("warmup_epoch"))
    ours = shape(rate, warmup if isinstance(warmup, int) else 0)
    translation.put((*_RATE, "name"), ours, rate.at("name"))
    renamed = {"eta_min": "end_lr"} if ours == "Cosine" else {}
    move_options(rate, SCHEDULES, ours, _RATE, renamed=renamed)


def _steps(rate: Source, warmup: int) -> str:
    """Drops every so many epochs, counted from the end of the warm-up as PaddleClas does."""
    size = rate.take("step_size")
    epochs = rate.translation.result.data.get("Train", {}).get("epochs_iters")
    if not isinstance(size, int) or not isinstance(epochs, int) or not warmup:
        rate.translation.put((*_RATE, "step_size"), size, rate.at("step_size"))
        return "Step"
    drops = list(range(warmup + size, max(epochs, warmup + size + 1), size))
    rate.translation.put((*_RATE, "milestones"), drops, rate.at("step_size"))
    return "Step"


def _milestones(rate: Source, warmup: int) -> str:
    _shifted(rate, "milestones", warmup)
    return "Step"


def _piecewise(rate: Source, warmup: int) -> str:
    values = rate.take("values")
    if not isinstance(values, list) or not values or not all(_is_rate(value) for value in values):
        rate.refuse("values", f"{values!r} is not supported: a list of learning rates is expected.")
        return "Piecewise"
    said = rate.translation.result.data.get("Train", {}).get("learning_rate")
    if said is None:
        rate.translation.put(("Train", "learning_rate"), values[0], rate.at("values"))
    elif said != values[0]:
        rate.refuse("learning_rate", f"is {said!r}, and values begins with {values[0]!r}.")
    else:
        place = dotted(rate.at("learning_rate"))
        rate.translation.notes.append(
            f"{place} beside values makes PaddleClas forget decay_epochs and values and divide by "
            "10 every 30 epochs; here the rates are as the file lists them."
        )
    origin = rate.at("values")
    factors = [value / values[0] for value in values[1:]]
    rate.translation.put((*_RATE, "factors"), factors, origin)
    _shifted(rate, "decay_epochs", warmup)
    return "Piecewise"


def _is_rate(value: Any) -> bool:
    return isinstance(value, int | float) and value > 0


def _shifted(rate: Source, key: str, warmup: int) -> None:
    """Moves epochs that PaddleClas counts from the end of the warm-up, and we from the start."""
    epochs = rate.take(key)
    if isinstance(epochs, list) and all(isinstance(epoch, int) for epoch in epochs):
        epochs = [epoch + warmup for epoch in epochs]
    rate.translation.put((*_RATE, "milestones"), epochs, rate.at(key))


_SHAPES: dict[str, Callable[[Source, int], str]] = {
    "Cosine": lambda _rate, _warmup: "Cosine",
    "Constant": lambda _rate, _warmup: "Constant",
    "Linear": lambda _rate, _warmup: "Polynomial",
    "Step": _steps,
    "MultiStepDecay": _milestones,
    "Piecewise": _piecewise,
}
