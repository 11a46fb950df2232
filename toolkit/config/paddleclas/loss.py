"""`Loss`: the weighted sum that training minimises."""

from typing import Any

from toolkit.config.paddleclas.parts import move_options
from toolkit.config.paddleclas.translation import Source, Translation
from toolkit.registry import LOSSES

# PaddleClas's name -> ours, with what it fixes.
_NAMES: dict[str, tuple[str, dict[str, Any]]] = {
    "TripletLoss": ("TripletLossV2", {"normalize_feature": False, "margin": 1.0}),
    "DistillationDMLLoss": ("DMLLoss", {}),
    "DistillationKLDivLoss": ("KLDivLoss", {}),
}
_BOTH = "DistillationGTCELoss"
_OF = {"Student": "student", "Teacher": "teacher"}
_RENAMED = {
    "normalize_feature": "normalize",
    "_lambda": "quantization_weight",
}
_DERIVED = {
    "embedding_size": "follows from the network",
    "feat_dim": "follows from the network",
    "num_classes": "follows from the class head",
    "n_class": "follows from the class head",
    "class_num": "follows from the class head",
    "batch_size": "pairs are found by their labels, whatever the layout of the batch",
    "samples_each_class": "pairs are found by their labels, whatever the layout of the batch",
    "views": "pairs are found by their labels, whatever the layout of the batch",
}


def translate_loss(translation: Translation, root: Source) -> None:
    """Moves Loss.Train; Loss.Eval says nothing about retrieval."""
    section = root.section("Loss")
    losses = list(section.keyed("Train"))
    number = 0
    for name, source in losses:
        if name == _BOTH:
            number = _of_each_model(source, number)
        else:
            _loss(translation, source, name, number)
            number += 1
    if len(losses) == 1:
        _lonely(translation, *losses[0])
    section.drop("Eval", "retrieval is measured by Metric")
    section.finish(["Train", "Eval"])


def _of_each_model(source: Source, number: int) -> int:
    """Moves a cross entropy of several models: one loss a model. Returns the next place."""
    names = source.take("model_names")
    if not isinstance(names, list) or not all(name in list(_OF) for name in names):
        source.refuse("model_names", f"{names!r} is not supported: Student and Teacher are.")
        names = []
    source.only("key", ("logits",), "what cross entropy reads", "cross entropy reads logits.")
    shared = {option: source.take(option) for option in ("weight", "epsilon")}
    for name in names:
        place = ("Loss", number, "CELoss")
        number += 1
        source.translation.put((*place, "of"), _OF[name], source.at("model_names"))
        for option, value in shared.items():
            if value is not None:
                source.translation.put((*place, option), value, source.at(option))
    source.finish(["weight", "key", "model_names"])
    return number


def _loss(translation: Translation, source: Source, name: str, number: int) -> None:
    ours, fixed = _NAMES.get(name, (name, {}))
    target = ("Loss", number, ours)
    translation.put(target, {}, source.path)
    source.move("weight", (*target, "weight"))
    if ours != name and name.startswith("Distillation"):
        pairs = ([["Student", "Teacher"]],)
        source.only("model_name_pairs", pairs, "the two that there are", f"{pairs[0]} is.")
        source.only("key", ("logits",), "what it reads", "it reads logits.")
        source.only("act", ("softmax", None), "as it is here", "it compares probabilities.")
    source.only("reduction", ("mean",), "as it is here", "the mean over the batch is taken.")
    source.only("contrast_mode", ("all",), "as it is here", "every picture is an anchor.")
    source.only("multi_label", (False,), "a picture has one label", "a picture has one label.")
    known = LOSSES.options(ours) if ours in LOSSES else []
    options = {option.name for option in known if not option.handed_in}
    source.drop_all({key: reason for key, reason in _DERIVED.items() if key not in options})
    if source.peek("feature_from") == "neck":
        source.take("feature_from")
        translation.put((*target, "feature_from"), "features", source.at("feature_from"))
    if source.peek("epsilon", 0) is None:
        source.drop("epsilon", "null: no smoothing, as here")
    renamed = {theirs: own for theirs, own in _RENAMED.items() if theirs not in options}
    move_options(source, LOSSES, ours, target, renamed=renamed, defaults=fixed)


def _lonely(translation: Translation, name: str, source: Source) -> None:
    weight = source.peek("weight", 1.0)
    if weight != 1:
        translation.notes.append(
            f"{name} is the only loss and has the weight {weight}: PaddleClas ignores the weight "
            "of a single loss, this toolkit multiplies it in. A weight of 1 gives PaddleClas's "
            "gradients."
        )
