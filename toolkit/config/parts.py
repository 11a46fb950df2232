"""A part of a recipe: a registered name with its options, checked without importing the part.

The options' types and defaults are read from the part's own constructor (`Registry.options`), so
they are said once. Two spellings stand for the same thing, each where the field is used to it:

    Backbone: {name: PPLCNet_x1_0, class_expand: 512}          # named
    - CELoss: {weight: 1.0, epsilon: 0.1}                      # keyed
"""

import ast
import functools
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic import create_model as create_section
from pydantic_core import InitErrorDetails, PydanticCustomError, core_schema

from toolkit.config import types as option_types
from toolkit.config.section import Section
from toolkit.errors import nearest
from toolkit.registry import Registry

# What people who know other toolkits look for in a part, and where this one says it.
SAID_ELSEWHERE = {
    "learning_rate": "Train.learning_rate",
    "epochs": "Train.epochs_iters",
    "batch_size": "Train.batch_size",
    "class_num": "Train.num_classes",
    "num_classes": "Train.num_classes",
    "warmup_epoch": "Train.warmup_steps",
    "warmup_epochs": "Train.warmup_steps",
    "pretrained": "Train.pretrain_weight_path",
}
_BUILTINS: dict[str, Any] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "list": list,
    "dict": dict,
    "Literal": Literal,
}


@dataclass(frozen=True)
class Part:
    """A registered name with its complete options.

    Attributes:
        name: the name in the registry.
        options: every option, defaults filled in; ready for ``registry.build(name, **options)``.
    """

    name: str
    options: dict[str, Any]


@dataclass(frozen=True, eq=False)
class PartField:
    """Annotation of a field that holds a part: ``Annotated[Part, PartField(BACKBONES)]``.

    Attributes:
        registry: where the name is looked up.
        keyed: True for ``Name: {option: value}``, False for ``{name: Name, option: value}``.
        extra: options that the configuration adds to the part's own: name -> (type, default).
    """

    registry: Registry
    keyed: bool = False
    extra: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Tells pydantic how to read and write a part."""
        del source, handler
        return core_schema.no_info_plain_validator_function(
            self.read, serialization=core_schema.plain_serializer_function_ser_schema(self.write)
        )

    def read(self, raw: Any) -> Part:
        """Checks the plain form of a part; every problem is reported with its own key."""
        if isinstance(raw, Part):
            return raw
        return self._read_keyed(raw) if self.keyed else self._read_named(raw)

    def write(self, part: Part) -> dict[str, Any]:
        """Returns the plain form, complete."""
        options = {
            key: PartField(self.registry).write(value) if isinstance(value, Part) else value
            for key, value in part.options.items()
        }
        return {part.name: options} if self.keyed else {"name": part.name, **options}

    def _read_named(self, raw: Any) -> Part:
        if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
            raise self._unreadable("{name: ..., option: value}")
        options = {key: value for key, value in raw.items() if key != "name"}
        return self._checked(raw["name"], options, at=("name",), prefix=())

    def _read_keyed(self, raw: Any) -> Part:
        if isinstance(raw, str):
            raw = {raw: None}
        if not isinstance(raw, dict) or len(raw) != 1:
            raise self._unreadable("'Name: {option: value}'")
        ((name, options),) = raw.items()
        options = {} if options is None else options
        if not isinstance(options, dict):
            raise _problem(f"The options of {name} must be a mapping of names to values.", (name,))
        return self._checked(name, options, at=(name,), prefix=(name,))

    def _checked(
        self, name: str, options: dict[str, Any], *, at: tuple[str, ...], prefix: tuple[str, ...]
    ) -> Part:
        if name not in self.registry:
            raise _problem(self.registry.unknown(name), at)
        section = options_section(self.registry, name, tuple(self.extra.items()))
        where = f"{self.registry.kind} {name}"
        checked = validated(section, options, where=where, prefix=prefix)
        known = {key: getattr(checked, key) for key in section.model_fields}
        return Part(name, known | (checked.model_extra or {}))

    def _unreadable(self, form: str) -> ValidationError:
        known = ", ".join(self.registry.names())
        return _problem(f"Expected one {self.registry.kind} as {form}. Known names: {known}.", ())


@dataclass(frozen=True, eq=False)
class OptionsField:
    """Annotation of a field that holds the options of one known part, as a complete dict."""

    registry: Registry
    name: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Tells pydantic how to read the options."""
        del source, handler
        return core_schema.no_info_plain_validator_function(self.read)

    def read(self, raw: Any) -> dict[str, Any]:
        """Checks the options and fills in the defaults."""
        if not isinstance(raw, dict):
            raise _problem("Expected a mapping of names to values.", ())
        section = options_section(self.registry, self.name)
        return validated(section, raw, where=self.name, prefix=()).model_dump()


class _OpenSection(Section):
    """The options of a part that hands on what it does not know itself."""

    model_config = ConfigDict(extra="allow")


@functools.cache
def options_section(
    registry: Registry, name: str, extra: tuple[tuple[str, tuple[Any, Any]], ...] = ()
) -> type[BaseModel]:
    """Builds the frozen, strict section of one part's options from the part's source."""
    fields: dict[str, Any] = {}
    for option in registry.options(name):
        if option.handed_in:
            continue
        annotation = _read_type(ast.parse(option.annotation, mode="eval").body)
        default = ... if option.default is None else ast.literal_eval(option.default)
        fields[option.name] = (annotation, default)
    fields.update(extra)
    base = _OpenSection if registry.takes_any_option(name) else Section
    return create_section(name, __base__=base, **fields)


def validated(
    section: type[BaseModel], raw: dict[str, Any], *, where: str, prefix: tuple[str, ...]
) -> BaseModel:
    """Validates options; unknown ones are worded with the nearest known one.

    Raises:
        ValidationError: with one line a problem, each at its own key below `prefix`.
    """
    try:
        return section.model_validate(raw)
    except ValidationError as error:
        details = []
        for item in error.errors():
            text = item["msg"]
            if item["type"] == "extra_forbidden":
                text = unknown_key(str(item["loc"][-1]), section, where)
            elif item["type"] == "missing":
                text = f"{where} needs this key."
            elif item["type"] != "invalid":  # a part inside a part words its own problems
                text = f"{text}; received {item['input']!r}."
            details.append(_detail(text, (*prefix, *item["loc"]), item["input"]))
        raise ValidationError.from_exception_data(where, details) from error


def unknown_key(key: str, section: type[BaseModel], where: str) -> str:
    """Words an unknown key: where the fact is said, or the nearest key and all known ones."""
    known = list(section.model_fields)
    if key in SAID_ELSEWHERE:
        return f"Unknown key of {where}: this is said once, as {SAID_ELSEWHERE[key]}."
    return f"Unknown key of {where}.{nearest(key, known)} Known: {', '.join(known) or 'none'}."


def _read_type(node: ast.expr) -> Any:
    """Turns the syntax of an annotation into the type, from a closed set of names."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_read_type(node.operand)
    if isinstance(node, ast.Name):
        return _BUILTINS[node.id] if node.id in _BUILTINS else getattr(option_types, node.id)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return operator.or_(_read_type(node.left), _read_type(node.right))
    if isinstance(node, ast.Subscript):
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        arguments = tuple(_read_type(part) for part in inner)
        return _read_type(node.value)[arguments]
    raise TypeError(f"A configurable option cannot have the type {ast.unparse(node)!r}.")


def _problem(text: str, location: tuple[str | int, ...]) -> ValidationError:
    return ValidationError.from_exception_data("part", [_detail(text, location, None)])


def _detail(text: str, location: tuple[str | int, ...], received: Any) -> InitErrorDetails:
    problem = PydanticCustomError("invalid", "{text}", {"text": text})
    return InitErrorDetails(type=problem, loc=location, input=received)
