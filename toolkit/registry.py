"""Names that a configuration may use, and where the part behind each name lives.

A registry is a table name -> "module:attribute". It knows its names without importing anything
behind them, and it reads a part's options from the part's source, so a typo in a backbone's name
or a wrong type of an option is found in milliseconds and without Paddle. A new part costs one file
and one line here; the tests walk these tables.
"""

import ast
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import ConfigError, import_optional, nearest

_PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Option:
    """One option of a part, as its source states it.

    Attributes:
        name: the keyword.
        annotation: the type as written, such as ``float | None``.
        default: the default as written, or None when the option must be given.
        handed_in: True for what the toolkit derives and no configuration may say.
    """

    name: str
    annotation: str
    default: str | None
    handed_in: bool


class Registry:
    """A table of parts of one kind.

    Args:
        kind: what these are, for messages: "backbone".
        table: name -> "module:attribute", or with options that the name fixes (one network at many
            scales): name -> ("module:attribute", {option: value}).
        handed_in: options that the toolkit fills in itself (sizes that follow from other parts).
    """

    def __init__(
        self,
        kind: str,
        table: Mapping[str, str | tuple[str, dict[str, Any]]],
        handed_in: Iterable[str] = (),
    ) -> None:
        self.kind = kind
        self._table = {
            name: (entry, {}) if isinstance(entry, str) else entry for name, entry in table.items()
        }
        self._handed_in = frozenset(handed_in)

    def names(self) -> list[str]:
        """Returns all names, sorted."""
        return sorted(self._table)

    def __contains__(self, name: object) -> bool:
        return name in self._table

    def location(self, name: str) -> str:
        """Returns "module:attribute".

        Raises:
            ConfigError: the name is not in the table; the message has the nearest and all names.
        """
        if name not in self._table:
            raise ConfigError(
                f"Unknown {self.kind} {name!r}.{nearest(name, self._table)} "
                f"Known: {', '.join(self.names())}."
            )
        return self._table[name][0]

    def get(self, name: str) -> Callable[..., Any]:
        """Imports and returns the class or function behind a name, its fixed options filled in."""
        module, attribute = self.location(name).split(":")
        part: Callable[..., Any] = getattr(
            import_optional(module, purpose=f"The {self.kind} {name}"), attribute
        )
        fixed = self._table[name][1]
        return functools.partial(part, **fixed) if fixed else part

    def build(self, name: str, /, **options: Any) -> Any:
        """Calls the part with its options.

        Raises:
            ConfigError: unknown name, unknown or missing option, or a value the part refuses.
        """
        known = {option.name: option for option in self.options(name)}
        label = f"{self.kind} {name}"
        for given in options:
            if given not in known:
                raise ConfigError(
                    f"Unknown option {given!r} of {label}.{nearest(given, known)} "
                    f"Known: {', '.join(known) or 'none'}."
                )
        missing = [o.name for o in known.values() if o.default is None and o.name not in options]
        if missing:
            raise ConfigError(f"{label} needs {', '.join(missing)}.")
        try:
            return self.get(name)(**options)
        except ValueError as error:
            raise ConfigError(f"{label}: {error}") from error

    def options(self, name: str) -> list[Option]:
        """Returns the options of a part, read from its source without importing it."""
        return [
            Option(argument, annotation, default, argument in self._handed_in)
            for argument, annotation, default in _signature(self.location(name))
            if argument not in self._table[name][1]
        ]


@functools.cache
def _signature(location: str) -> tuple[tuple[str, str, str | None], ...]:
    """Reads (name, annotation, default) of each parameter of "module:attribute" from its file."""
    module, attribute = location.split(":")
    # The path is computed, not looked up with importlib: find_spec would import the parents.
    file = _PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")
    tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == attribute:
            return _parameters(node)
        if isinstance(node, ast.ClassDef) and node.name == attribute:
            return _class_parameters(node)
    raise LookupError(f"{file} defines no {attribute!r}, which toolkit/registry.py names.")


def _class_parameters(node: ast.ClassDef) -> tuple[tuple[str, str, str | None], ...]:
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and member.name == "__init__":
            return _parameters(member)
    fields = [member for member in node.body if isinstance(member, ast.AnnAssign)]
    return tuple(
        (
            ast.unparse(field.target),
            ast.unparse(field.annotation),
            None if field.value is None else ast.unparse(field.value),
        )
        for field in fields
    )


def _parameters(node: ast.FunctionDef) -> tuple[tuple[str, str, str | None], ...]:
    positional = [*node.args.posonlyargs, *node.args.args]
    none: list[ast.expr | None] = [None]
    defaults = none * (len(positional) - len(node.args.defaults)) + list(node.args.defaults)
    pairs = [*zip(positional, defaults, strict=True)]
    pairs += zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    return tuple(
        (
            argument.arg,
            "object" if argument.annotation is None else ast.unparse(argument.annotation),
            None if default is None else ast.unparse(default),
        )
        for argument, default in pairs
        if argument.arg not in {"self", "cls"}
    )


BACKBONES = Registry(
    "backbone",
    {
        **{
            f"PPLCNet_x{scale.replace('.', '_')}": (
                "toolkit.models.backbones.pplcnet:PPLCNet",
                {"scale": float(scale)},
            )
            for scale in ("0.25", "0.35", "0.5", "0.75", "1.0", "1.5", "2.0", "2.5")
        },
        "PPLCNetV2_base": (
            "toolkit.models.backbones.pplcnet_v2:PPLCNetV2",
            {"retrieval": False},
        ),
        "PPLCNetV2_base_ShiTu": (
            "toolkit.models.backbones.pplcnet_v2:PPLCNetV2",
            {"retrieval": True},
        ),
        "SmallResNet": "toolkit.models.backbones.small_resnet:SmallResNet",
    },
)

NECKS = Registry(
    "neck",
    {"FC": "toolkit.models.necks:FC", "BNNeck": "toolkit.models.necks:BNNeck"},
    handed_in=["in_features"],
)

HEADS = Registry(
    "head",
    {"FC": "toolkit.models.heads:FC", "ArcMargin": "toolkit.models.heads:ArcMargin"},
    handed_in=["in_features", "num_classes"],
)

LOSSES = Registry(
    "loss",
    {
        "CELoss": "toolkit.losses.cross_entropy:CELoss",
        "TripletAngularMarginLoss": "toolkit.losses.triplet_angular:TripletAngularMarginLoss",
    },
)

TRANSFORMS = Registry(
    "transform",
    {
        "ResizeImage": "toolkit.data.transforms.geometry:ResizeImage",
        "CropImage": "toolkit.data.transforms.geometry:CropImage",
        "RandCropImage": "toolkit.data.transforms.geometry:RandCropImage",
        "RandFlipImage": "toolkit.data.transforms.geometry:RandFlipImage",
        "PadRandomCrop": "toolkit.data.transforms.geometry:PadRandomCrop",
        "RandomRotation": "toolkit.data.transforms.geometry:RandomRotation",
        "ColorJitter": "toolkit.data.transforms.colour:ColorJitter",
        "RandAugment": "toolkit.data.transforms.rand_augment:RandAugment",
        "NormalizeImage": "toolkit.data.transforms.tensor:NormalizeImage",
        "RandomErasing": "toolkit.data.transforms.tensor:RandomErasing",
        "ToCHWImage": "toolkit.data.transforms.tensor:ToCHWImage",
    },
)

SAMPLERS = Registry(
    "sampler",
    {
        "UniformSampler": "toolkit.data.samplers:UniformSampler",
        "PKSampler": "toolkit.data.samplers:PKSampler",
    },
    handed_in=["labels", "batch_size", "seed"],
)

SCHEDULES = Registry(
    "learning rate schedule",
    {
        "Cosine": "toolkit.training.schedule:Cosine",
        "Step": "toolkit.training.schedule:Step",
        "Constant": "toolkit.training.schedule:Constant",
    },
    handed_in=["base_lr", "total_steps", "warmup_steps", "steps_per_epoch"],
)

OPTIMIZERS = Registry(
    "optimizer",
    {
        "Momentum": "toolkit.training.optimizers:Momentum",
        "AdamW": "toolkit.training.optimizers:AdamW",
    },
    handed_in=["parameters", "learning_rate"],
)

CHECKS = Registry(
    "dataset check",
    {
        "lists": "toolkit.audit.lists:check_lists",
        "pixels": "toolkit.audit.pixels:check_pixels",
        "duplicates": "toolkit.audit.duplicates:check_duplicates",
        "near_duplicates": "toolkit.audit.near_duplicates:check_near_duplicates",
        "labels": "toolkit.audit.labels:check_labels",
    },
)

OPTIONS = Registry("options", {"CheckDataset.thresholds": "toolkit.audit.options:AuditOptions"})

CONVERTERS = Registry(
    "source dataset type",
    {
        "LabelMe": "toolkit.data.convert.labelme:convert_labelme",
        "ImageFolder": "toolkit.data.convert.image_folder:convert_image_folder",
        "CSV": "toolkit.data.convert.csv_table:convert_csv",
    },
    handed_in=["root", "seed"],
)

TASKS = Registry(
    "mode",
    {
        mode: f"toolkit.tasks.{mode}:run"
        for mode in ("check_dataset", "train", "evaluate", "export", "predict")
    },
)
