"""`Metric`: what evaluate reports."""

from toolkit.config.paddleclas.translation import Source, Translation

_ALWAYS = {"mAP", "mINP"}
_DEPTHS = {"Recallk": "recall_k", "Precisionk": "precision_k"}


def translate_metric(translation: Translation, root: Source) -> None:
    """Moves the depths of recall and precision; mAP and mINP are always reported."""
    section = root.section("Metric")
    section.drop("Train", "the accuracy of the class head is no measure of retrieval")
    names = []
    for name, source in section.keyed("Eval"):
        names.append(name)
        if name in _DEPTHS:
            source.move("topk", ("Metric", _DEPTHS[name]), read=_list)
        elif name in _ALWAYS:
            translation.drop(source.path, "always reported")
        else:
            known = ", ".join(sorted({*_DEPTHS, *_ALWAYS}))
            translation.refuse(source.path, f"is not supported. Known: {known}.")
            source.give_up()
        source.finish(["topk"] if name in _DEPTHS else [])
    if names and names[0] != "Recallk":
        translation.notes.append(
            f"PaddleClas would choose best_model by its first metric, {names[0]}; here it is "
            "chosen by recall1."
        )
    section.finish(["Eval", "Train"])


def _list(topk: int | list[int]) -> list[int]:
    return topk if isinstance(topk, list) else [topk]
