"""`Arch`: the network or the two networks, and the weights that a backbone starts from."""

from dataclasses import dataclass

from toolkit.config.paddleclas.neck_and_head import translate_head, translate_neck
from toolkit.config.paddleclas.parts import move_options
from toolkit.config.paddleclas.translation import Source, Translation
from toolkit.config.paddleclas.weights import feature_size, official_weights
from toolkit.config.yaml_core import Path
from toolkit.registry import BACKBONES

# Where a backbone may be cut so that it ends at the feature that recognition uses.
_FLATTENED = ("flatten", "flatten_0")
_POOLED = ("avg_pool", "adaptive_avg_pool2d_0")
# PaddleClas flattens these before the hidden layers that their feature comes from.
_HIDDEN_LAYERS = ("AlexNet", "VGG")
_IMAGENET_CLASSES = 1000
_NAMES = {
    "PPLCNetV2_base_ShiTu": "PP-ShiTuV2_rec",
    "CLIP_vit_base_patch16_224": "PP-ShiTuV2_rec_CLIP_vit_base",
    "CLIP_vit_large_patch14_224": "PP-ShiTuV2_rec_CLIP_vit_large",
}


def translate_arch(translation: Translation, root: Source) -> None:
    """Moves Arch, and the number of classes and the first weights to Train."""
    section = root.section("Arch")
    kind = section.word("name")
    if kind == "DistillationModel":
        _distillation(translation, section)
    elif kind == "RecModel":
        _network(translation, section, _STUDENT)
    else:
        section.refuse(
            "name",
            f"{kind!r} is not supported: RecModel is, and DistillationModel with a Teacher and a "
            "Student.",
        )
        section.give_up()
        translation.put(("Global", "model"), "unknown", section.at("name"))


@dataclass(frozen=True)
class _Place:
    """Where a network goes in our document, and its weights."""

    network: Path
    weights: Path
    is_student: bool


_STUDENT = _Place(("Arch",), ("Train", "pretrain_weight_path"), is_student=True)
_TEACHER = _Place(("Arch", "Teacher"), ("Arch", "Teacher", "weight_path"), is_student=False)


def _distillation(translation: Translation, section: Source) -> None:
    """Moves a student and its teacher; the student is the model that comes out."""
    _output(section)
    section.only("infer_model_name", ("Student", None), "what is exported", "it is the Student.")
    section.only("pretrained_list", (None,), "empty", "give each model's Backbone.pretrained.")
    frozen = section.take("freeze_params_list") or [False, False]
    models = dict(section.keyed("models"))
    if sorted(models) != ["Student", "Teacher"] or not isinstance(frozen, list) or len(frozen) != 2:
        section.refuse(
            "models",
            f"{', '.join(models) or 'none'} with freeze_params_list {frozen!r} is not supported: "
            "one Teacher and one Student, and True or False for each, are.",
        )
        return
    is_frozen = dict(zip(models, frozen, strict=True))
    if is_frozen["Student"]:
        section.refuse("freeze_params_list", "freezes the Student, which is what is trained.")
    for name, place in {"Student": _STUDENT, "Teacher": _TEACHER}.items():
        kind = models[name].take("name")
        if kind != "RecModel":
            models[name].refuse("name", f"{kind!r} is not supported: RecModel is.")
        _network(translation, models[name], place)
    origin = section.at("freeze_params_list")
    translation.put((*_TEACHER.network, "trainable"), not is_frozen["Teacher"], origin)
    section.finish(["models"])


def _network(translation: Translation, section: Source, place: _Place) -> None:
    _output(section)
    width = _backbone(translation, section, place)
    width = translate_neck(section, width, place.network)
    translate_head(section, width, place.network, is_student=place.is_student)
    section.finish(["Backbone", "BackboneStopLayer", "Neck", "Head"])


def _output(section: Source) -> None:
    section.only(
        "infer_output_key",
        ("features", None),
        "what is exported",
        "the embedding, features, is what is exported.",
    )
    # Some files of PaddleClas say "false" in quotes, which PaddleClas takes for true.
    section.only(
        "infer_add_softmax",
        (False, None, "false", "False"),
        "an embedding has no softmax",
        "a softmax over an embedding destroys it; set it to False.",
    )
    section.only(
        "head_feature_from",
        ("neck",),
        "what the head reads",
        "the head reads the embedding, which is the neck's output.",
    )
    section.only("is_rec", (True, False, None), "every model here is one", "leave it out.")
    section.drop("use_sync_bn", "one device computes a batch")


def _backbone(translation: Translation, section: Source, place: _Place) -> int | None:
    """Moves the backbone; returns the length of its feature where that is known."""
    backbone, target = section.section("Backbone"), (*place.network, "Backbone")
    name = backbone.word("name")
    translation.put((*target, "name"), name, backbone.at("name"))
    if not isinstance(name, str):
        backbone.give_up()
        return None
    if place.is_student:
        translation.put(("Global", "model"), _NAMES.get(name, f"{name}_rec"), backbone.at("name"))
    _weights(translation, backbone, name, place.weights)
    ends_at_feature = [_stop_layer(section, name), _token_embedding(backbone, target)]
    classes = _classes(backbone, name, target, ends_at_feature=any(ends_at_feature))
    expanded = backbone.take("class_expand")
    if expanded is not None:
        translation.put((*target, "class_expand"), expanded, backbone.at("class_expand"))
    backbone.drop_all(
        {"use_fused_attn": "a matter of speed", "use_fused_linear": "a matter of speed"}
    )
    move_options(backbone, BACKBONES, name, target)
    return classes or expanded or feature_size(name)


def _token_embedding(backbone: Source, target: Path) -> bool:
    """CLIP: the mean of all tokens, which is what pooling: mean_tokens says here."""
    if "return_embed" not in backbone and "return_mean_embed" not in backbone:
        return False
    for key in ("return_embed", "return_mean_embed"):
        if backbone.take(key) is not True:
            backbone.refuse(
                key,
                "is not True: return_embed and return_mean_embed must both be, for a feature that "
                "is the mean of all tokens.",
            )
            return True
    origin = backbone.at("return_mean_embed")
    backbone.translation.put((*target, "pooling"), "mean_tokens", origin)
    return True


def _classes(backbone: Source, name: str, target: Path, *, ends_at_feature: bool) -> int | None:
    """Keeps the classifier where no layer stops before it: its logits are then the feature."""
    if ends_at_feature:
        backbone.drop("class_num", "the classifier is cut off by BackboneStopLayer")
        return None
    if name not in BACKBONES or "class_num" not in {o.name for o in BACKBONES.options(name)}:
        return None
    classes = backbone.take("class_num", _IMAGENET_CLASSES)
    backbone.translation.put((*target, "class_num"), classes, backbone.at("class_num"))
    return int(classes) if isinstance(classes, int) else None


def _stop_layer(section: Source, backbone: str) -> bool:
    """Returns whether the backbone ends at its feature, as it does here without a classifier."""
    stop = section.section("BackboneStopLayer")
    if not stop.unread():
        return False
    layer = stop.word("name")
    pooled = layer in _POOLED and backbone.startswith("ResNet")
    flattened = layer in _FLATTENED and not backbone.startswith(_HIDDEN_LAYERS)
    if pooled or flattened:
        stop.translation.drop(stop.at("name"), f"{backbone} ends there here as well")
    else:
        stop.refuse(
            "name",
            f"{layer!r} is not supported: {backbone} ends at the feature before its classifier, "
            f"which is flatten in most networks.",
        )
    stop.finish(["name"])
    return True


def _weights(translation: Translation, backbone: Source, name: str, target: Path) -> None:
    """Turns Backbone.pretrained into the weights that training starts from."""
    given, ssld = backbone.take("pretrained"), backbone.take("use_ssld") is True
    if given is None or given is False:
        return
    origin = backbone.at("pretrained")
    if target == _STUDENT.weights and translation.mode in ("evaluate", "export", "predict"):
        translation.drop(origin, f"{translation.mode} takes the weights of the whole model")
        return
    if target == _STUDENT.weights and target in translation.result.places:
        translation.notes.append(
            "Global.pretrained_model and Arch.Backbone.pretrained are both given: the first, which "
            "is for the whole model, is loaded, as PaddleClas loads it last."
        )
        return
    weights = official_weights(name, ssld=ssld) if given is True else given
    if weights is None:
        backbone.refuse(
            "pretrained",
            f"no address of official weights of {name} is known: give a file, or "
            "-o Arch.Backbone.pretrained=False.",
        )
        return
    translation.put(target, weights, origin)
