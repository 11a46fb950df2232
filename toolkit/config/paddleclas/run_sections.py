"""`Global`, `AMP`, `EMA`: what is run, how long, and where the results go."""

from collections.abc import Collection
from typing import Any

from toolkit.config.paddleclas.translation import Source, Translation
from toolkit.config.run_sections import GlobalSection

_MOVED = {
    "epochs": "epochs_iters",
    "save_interval": "save_interval",
    "eval_interval": "eval_interval",
    "eval_during_train": "eval_during_train",
    "print_batch_step": "log_interval",
    "update_freq": "accumulate_steps",
    "checkpoints": "resume_path",
}
_HARMLESS = {
    "class_num": "said again by Arch.Head",
    "sim_block_size": "a matter of memory; the search here picks its own",
    "to_static": "a matter of speed",
    "use_sync_bn": "one device computes a batch",
    "use_fused_attn": "a matter of speed",
    "use_fused_linear": "a matter of speed",
    "log_ranks": "one process writes the log",
}
_ONE_VALUE: dict[str, tuple[Collection[Any], str, str]] = {
    "eval_mode": (
        ("retrieval",),
        "what evaluate does",
        "here a gallery is searched; give DataLoader.Eval a Query and a Gallery, and "
        "-o Global.eval_mode=retrieval.",
    ),
    "retrieval_feature_from": (
        ("features",),
        "what evaluate measures",
        "the embedding is what is evaluated and exported.",
    ),
    "feature_normalize": (
        (True,),
        "embeddings are always compared at length 1",
        "embeddings are always compared at length 1.",
    ),
    "feature_binarize": (
        (None, False),
        "embeddings are not binarised",
        "evaluate does not binarise embeddings.",
    ),
    "re_ranking": ((None, False), "not asked for", "evaluate does not re-rank; set it to False."),
    "use_dali": ((None, False), "not asked for", "pictures are read on the CPU; set it to False."),
    "use_multilabel": ((None, False), "not asked for", "a picture has one label."),
    "start_eval_epoch": (
        (None, 0, 1),
        "evaluation starts with the first epoch",
        "evaluation starts with the first epoch; Train.eval_interval makes it rarer.",
    ),
    "iter_per_epoch": (
        (None,),
        "an epoch is as long as its sampler says",
        "an epoch is as long as its sampler says; Train.max_steps ends a run early.",
    ),
}
_NO_AMP = "a matter of mixed precision, which is off"
_DYNAMIC = (
    (None, True),
    "the scale of the loss follows the gradients",
    "the scale of the loss always follows the gradients; set it to True.",
)
_AMP_DROPPED = {
    "use_fp16_test": "evaluation is in 32 bits",
    "use_promote": "what an operator takes is cast to one type",
}
_AMP_KEYS = ("level", "scale_loss", "use_dynamic_loss_scaling", "use_fp16_test", "use_promote")
_DEVICES = ("gpu", "cpu")
_START = "pretrain_weight_path"


def translate_run(translation: Translation, root: Source) -> None:
    """Moves Global, EMA and AMP."""
    section = root.section("Global")
    for key, ours in _MOVED.items():
        section.move(key, ("Train", ours), read=_empty_is_null if key == "checkpoints" else None)
    section.move("use_visualdl", ("Train", "visualdl"), default=False)
    # PaddleClas never removes an epoch's checkpoint.
    translation.put(("Train", "keep_last"), None, section.at("save_interval"))
    section.move("seed", ("Global", "seed"), read=lambda seed: 0 if seed is False else seed)
    _device(section)
    _folders(translation, section)
    _image_shape(translation, section)
    section.drop_all(_HARMLESS)
    for key, (accepted, reason, advice) in _ONE_VALUE.items():
        section.only(key, accepted, reason, advice)
    section.finish([*GlobalSection.model_fields, *_MOVED, *_HARMLESS, *_ONE_VALUE])
    average = root.section("EMA")
    average.move("decay", ("Train", "ema_decay"))
    average.finish(["decay"])
    _mixed_precision(root)


def _empty_is_null(value: Any) -> Any:
    return value or None


def _device(section: Source) -> None:
    device = section.take("device")
    if device is None:
        return
    if str(device).partition(":")[0] in _DEVICES:
        section.translation.put(("Global", "device"), device, section.at("device"))
    else:
        section.refuse("device", f"{device!r} is not supported: this toolkit runs on gpu and cpu.")


def _folders(translation: Translation, section: Source) -> None:
    """Where results go, and where the weights to evaluate and export are.

    PaddleClas trains into output_dir and exports into save_inference_dir; here every mode has one
    folder, Global.output.
    """
    trained, inference = section.take("output_dir", "./output"), section.take("save_inference_dir")
    weights = section.take("pretrained_model") or None
    mode, own = translation.mode, translation.output
    exports = mode == "export" and isinstance(inference, str) and own is None
    if own is None:
        key = "save_inference_dir" if exports else "output_dir"
        translation.put(("Global", "output"), inference if exports else trained, section.at(key))
    if mode == "export":
        if weights is None and exports:
            weights = f"{trained}/best_model".replace("//", "/")
            translation.notes.append(
                f"The export goes to Global.save_inference_dir, {inference}, and is that of "
                f"{weights}; Global.pretrained_model names other weights."
            )
        target: tuple[str, str] = ("Export", "weight_path")
    else:
        target = ("Evaluate", "weight_path") if mode == "evaluate" else ("Train", _START)
    if weights is not None:
        translation.put(target, weights, section.at("pretrained_model"))


def _image_shape(translation: Translation, section: Source) -> None:
    """The shape that PaddleClas exports with; here the evaluation transforms say it."""
    steps = translation.result.data.get("Data", {}).get("eval_transforms", [])
    sizes = [options["size"] for step in steps for options in step.values() if "size" in options]
    if "image_shape" not in section or not sizes:
        section.drop("image_shape", "said by the size in DataLoader.Eval's transforms")
        return
    shape, size = section.take("image_shape"), sizes[-1]
    width, height = size if isinstance(size, list) and len(size) == 2 else (size, size)
    if shape == [3, height, width]:
        translation.drop(section.at("image_shape"), "as DataLoader.Eval's transforms make it")
    else:
        section.refuse(
            "image_shape",
            f"{shape!r} is not what DataLoader.Eval's transforms make, [3, {height}, {width}]: "
            "correct one of them.",
        )


def _mixed_precision(root: Source) -> None:
    section = root.section("AMP")
    if not section.unread():
        return
    at = section.at("use_amp")
    if section.take("use_amp", default=True) is False:
        section.translation.drop(at, _NO_AMP)
        section.drop_all(dict.fromkeys(_AMP_KEYS, _NO_AMP))
    else:
        section.translation.put(("Train", "amp", "dtype"), "float16", at)
        section.move("level", ("Train", "amp", "level"))
        section.move("scale_loss", ("Train", "amp", "scale_loss"), read=float)
        section.only("use_dynamic_loss_scaling", *_DYNAMIC)
        section.drop_all(_AMP_DROPPED)
    section.finish(_AMP_KEYS)
