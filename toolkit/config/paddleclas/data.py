"""`DataLoader`: lists, samplers, transforms, and how many pictures go together."""

import math
from pathlib import Path as FilePath
from typing import Any

from toolkit.config.paddleclas.parts import move_options
from toolkit.config.paddleclas.transforms import translate_transforms
from toolkit.config.paddleclas.translation import Source, Translation
from toolkit.registry import SAMPLERS

# Datasets whose lists are rows of path and label. Those named True read a third column when there
# is one, the others leave it unread.
_DATASETS = {
    "ImageNetDataset": False,
    "ICartoonDataset": False,
    "CompCars": False,
    "VeriWild": True,
    "GoodsDataset": True,
}
_SAMPLERS = {
    None: "UniformSampler",
    "BatchSampler": "UniformSampler",
    "DistributedBatchSampler": "UniformSampler",
    "PKSampler": "PKSampler",
    "DistributedRandomIdentitySampler": "RandomIdentitySampler",
}
# What PaddleClas does where the file says nothing.
_SAMPLER_DEFAULTS: dict[str, dict[str, Any]] = {
    "UniformSampler": {"shuffle": False, "drop_last": False},
    "PKSampler": {},
    "RandomIdentitySampler": {},
}
_SPEED = {
    "use_shared_memory": "a matter of speed",
    "prefetch_factor": "a matter of speed",
    "persistent_workers": "a matter of speed",
}
_TRAIN, _STEPS, _LISTS = (
    ("Data", "train_transforms"),
    ("Data", "eval_transforms"),
    ("Data", "lists"),
)


def translate_data(translation: Translation, root: Source) -> None:
    """Moves DataLoader.Train and DataLoader.Eval."""
    section = root.section("DataLoader")
    _train(translation, section.section("Train"))
    _evaluation(translation, section.section("Eval"))
    section.finish(["Train", "Eval"])


def _train(translation: Translation, train: Source) -> None:
    if not train.unread():
        train.translation.refuse(train.path, "is needed: dataset, sampler and loader of training.")
        return
    dataset = train.section("dataset")
    _list(dataset, "train")
    translate_transforms(translation, dataset, _TRAIN)
    dataset.finish(["transform_ops"])
    _sampler(train.section("sampler"))
    loader = train.section("loader")
    loader.move("num_workers", ("Data", "num_workers"))
    loader.drop_all(_SPEED)
    loader.finish(["num_workers"])
    train.finish(["dataset", "sampler", "loader"])


def _sampler(sampler: Source) -> None:
    theirs = sampler.word("name")
    ours = _SAMPLERS.get(theirs)
    if ours is None:
        known = ", ".join(name for name in _SAMPLERS if name)
        sampler.refuse("name", f"{theirs!r} is not supported. Known: {known}.")
        sampler.give_up()
        return
    target = ("Data", "sampler")
    sampler.translation.put((*target, "name"), ours, sampler.at("name"))
    sampler.move("batch_size", ("Train", "batch_size"))
    if ours != "UniformSampler":
        sampler.drop("shuffle", "classes and pictures are drawn at random anyway")
    sampler.only("max_iters", (None,), "an epoch is one turn", "an epoch is one turn of all.")
    renamed = {"num_instances": "sample_per_id"}
    defaults = _SAMPLER_DEFAULTS[ours]
    move_options(sampler, SAMPLERS, ours, target, renamed=renamed, defaults=defaults)


def _evaluation(translation: Translation, section: Source) -> None:
    names = section.unread()
    if not names or not set(names) <= {"Query", "Gallery"}:
        translation.refuse(
            section.path,
            f"has {', '.join(names) or 'nothing'}; it must have Query and Gallery (or one of them, "
            "which is then searched in itself). The exported model takes its preprocessing from "
            "there as well.",
        )
        section.give_up()
        # The schema then has nothing more to say of what is refused here.
        translation.put((*_STEPS, 0, "ToCHWImage"), {}, section.path)
        return
    if len(names) == 1:
        translation.notes.append(
            f"DataLoader.Eval has only {names[0]}: it is searched in itself, and a picture does "
            "not find itself (in PaddleClas it does, unless the list has a third column)."
        )
    query = section.section("Query" if "Query" in names else "Gallery")
    _measured(translation, query, "query", is_first=True)
    if len(names) == 2:
        _measured(translation, section.section("Gallery"), "gallery", is_first=False)
        return
    for key, value in translation.result.data["Data"].get("lists", {}).get("query", {}).items():
        translation.put((*_LISTS, "gallery", key), value, (*query.path, "dataset"))


def _measured(translation: Translation, part: Source, split: str, *, is_first: bool) -> None:
    """Moves Query or Gallery; the second one's transforms must be the first one's."""
    dataset = part.section("dataset")
    _list(dataset, split)
    if is_first:
        translate_transforms(translation, dataset, _STEPS)
    else:
        _require_equal(translation, dataset)
    dataset.finish(["transform_ops"])
    sampler = part.section("sampler")
    sampler.only(
        "name", ("BatchSampler", "DistributedBatchSampler"), "one pass", "one pass is made."
    )
    sampler.only("drop_last", (False,), "every picture counts", "every picture counts.")
    sampler.drop("shuffle", "the order changes no number")
    if is_first:
        sampler.move("batch_size", ("Evaluate", "batch_size"))
    else:
        sampler.drop("batch_size", "that of the queries is taken; it changes no number")
    sampler.finish(["batch_size"])
    loader = part.section("loader")
    loader.drop_all({"num_workers": "all the cores allowed are used", **_SPEED})
    loader.finish(["num_workers"])
    part.finish(["dataset", "sampler", "loader"])


def _require_equal(translation: Translation, dataset: Source) -> None:
    shadow = Translation(translation.given)
    translate_transforms(
        shadow,
        Source(shadow, dataset.path, {"transform_ops": dataset.take("transform_ops")}),
        ("steps",),
    )
    translation.result.problems += shadow.result.problems
    first = translation.result.data["Data"]["eval_transforms"]
    if not shadow.result.problems and not _same_steps(first, shadow.result.data["steps"]):
        dataset.refuse(
            "transform_ops",
            "differ from those of the other list; evaluation has one preprocessing.",
        )


def _same_steps(first: Any, second: Any) -> bool:
    """True when two lists of our transforms do the same, but for rounding (0.00392157, 1/255)."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(
            _same_steps(first[key], second[key]) for key in first
        )
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_same_steps, first, second))
    if isinstance(first, int | float) and isinstance(second, int | float):
        return math.isclose(first, second, rel_tol=1e-5)
    return bool(first == second)


def _list(dataset: Source, split: str) -> None:
    """Moves the place of a list and how many columns of it are read."""
    name, target = dataset.word("name", "ImageNetDataset"), (*_LISTS, split)
    if name not in _DATASETS:
        dataset.refuse(
            "name",
            f"{name!r} is not supported: write its pictures as a list of path and label "
            f"(dataset_tools has converters) and read it with one of {', '.join(_DATASETS)}.",
        )
        dataset.drop_all(
            {key: "of that dataset" for key in dataset.unread() if key != "transform_ops"}
        )
        return
    dataset.move("cls_label_path", (*target, "file"))
    dataset.move("image_root", (*target, "image_root"))
    dataset.only(
        "delimiter", (" ", "\t", None), "read as it is", "columns are separated by blanks or tabs."
    )
    dataset.only("backend", ("cv2",), "as it is here", "OpenCV decodes and resizes; give cv2.")
    dataset.only("bbox_crop", (False, None), "whole pictures", "cut the boxes out first.")
    dataset.only("label_root", (None,), "whole pictures", "cut the boxes out first.")
    relabel = (
        "labels become 0, 1, 2, ... in their order"
        if split == "train"
        else "labels are compared as written"
    )
    dataset.drop("relabel", relabel)
    _columns(dataset, target, reads_third=_DATASETS[name], split=split)


def _columns(dataset: Source, target: tuple[str, ...], *, reads_third: bool, split: str) -> None:
    """Looks into the list: VeriWild and GoodsDataset read a third column when there is one."""
    file = dataset.peek("cls_label_path")
    number = _count_columns(file) if isinstance(file, str) else 2
    origin = dataset.at("cls_label_path")
    if number == 3 and (reads_third or split == "train"):
        columns = ["path", "label", "camera"]
        dataset.translation.put((*target, "columns"), columns, origin)
    elif number > 2:
        dataset.translation.refuse(
            origin,
            f"{file} has {number} columns, and {dataset.peek('name')} reads two of them: leave the "
            "others out, or read a third one, of cameras or ids, with VeriWild.",
        )


def _count_columns(file: str) -> int:
    """Counts the columns of the first row; 2 where there is no such file (yet)."""
    try:
        with FilePath(file).open(encoding="utf-8", errors="replace") as rows:
            row = next((row for row in rows if row.strip()), "")
    except OSError:
        return 2
    return max(2, len(row.split("\t") if "\t" in row else row.split()))
