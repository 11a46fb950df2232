"""From a YAML file and -o overrides to a frozen `Config`, or to every problem at once."""

import pathlib
import re
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from toolkit.cards.catalog import find_card
from toolkit.config.parts import unknown_key
from toolkit.config.schema import Config
from toolkit.config.yaml_core import Document, Path, dump, parse_document, parse_scalar
from toolkit.errors import ConfigError, ModelError

RECIPE_SECTIONS = ("Arch", "Loss", "Optimizer", "Data")
_INDEX = re.compile(r"\d+")


def read_document(file: pathlib.Path | str, overrides: Sequence[str] = ()) -> Document:
    """Reads a YAML file, adds what it lacks from the model's card, and lays the overrides over it.

    Args:
        file: path of the YAML file.
        overrides: ``A.b=c`` each; split at the first ``=``, values read as YAML scalars (or as
            flow lists and mappings when they start with ``[``, ``{`` or a quote).

    Raises:
        ConfigError: the file cannot be read, is not YAML, or an override cannot be placed; then
            with what the schema finds, too.
    """
    path = pathlib.Path(file)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The configuration file {str(path)!r} cannot be read: {error}."
        ) from error
    document = parse_document(text, str(path))
    if document.data is None:
        document.data = {}
    if not isinstance(document.data, dict):
        raise ConfigError(f"{path}: expected sections such as 'Global:', found {document.data!r}.")
    # The model's name decides on the recipe, and overrides reach into the recipe as into the file.
    first = [override for override in overrides if override.startswith("Global.")]
    rest = [override for override in overrides if not override.startswith("Global.")]
    problems = [problem for override in first for problem in _apply(document, override)]
    problems += _complete(document)
    problems += [problem for override in rest for problem in _apply(document, override)]
    if problems:
        raise ConfigError([*problems, *_problems(document)])
    return document


def load_config(file: pathlib.Path | str, overrides: Sequence[str] = ()) -> Config:
    """Reads, completes from the model's card, and validates a configuration.

    Raises:
        ConfigError: with every problem, each with its place, dotted key, value and a way out.
    """
    return check_document(read_document(file, overrides))


def check_document(document: Document) -> Config:
    """Validates a document against the schema.

    Raises:
        ConfigError: with every problem.
    """
    try:
        return Config.model_validate(document.data)
    except ValidationError as error:
        raise ConfigError(_explain(error, document)) from error


def dump_config(config: Config) -> str:
    """Writes a configuration as complete YAML that `load_config` reads back to an equal one."""
    return dump(config.model_dump())


def _problems(document: Document) -> list[str]:
    try:
        check_document(document)
    except ConfigError as error:
        return error.problems
    return []


def _complete(document: Document) -> list[str]:
    """Adds the recipe sections that are missing; returns what is wrong with Global.model."""
    section = document.data.get("Global")
    name = section.get("model") if isinstance(section, dict) else None
    missing = [key for key in RECIPE_SECTIONS if document.data.get(key) is None]
    if not isinstance(name, str) or not missing:
        return []
    try:
        file = find_card(name).recipe_file
    except ModelError as error:
        place = document.place(("Global", "model"))
        more = "A model of your own needs the sections Arch, Loss, Optimizer and Data."
        return [f"{place}: Global.model: {error} {more}"]
    recipe = parse_document(file.read_text(encoding="utf-8"), f"recipe of {name}")
    for key in missing:
        if key in recipe.data:
            document.data[key] = recipe.data[key]
            document.places |= {at: line for at, line in recipe.places.items() if at[:1] == (key,)}
    return []


def _apply(document: Document, override: str) -> list[str]:
    """Lays one override over the document; returns what is wrong with it."""
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        return [f"-o {override}: expected Section.key=value, such as Train.batch_size=16."]
    *parents, last = key.strip().split(".")
    target: Any = document.data
    walked: Path = ()
    for step in parents:
        place, problem = _place_in(target, step, override, walked)
        if problem:
            return [problem]
        walked = (*walked, place)
        if isinstance(target, dict) and target.get(place) is None:
            target[place] = {}
        target = target[place]
    place, problem = _place_in(target, last, override, walked)
    if problem:
        return [problem]
    try:
        target[place] = _override_value(override, text)
    except ConfigError as error:
        return error.problems
    walked = (*walked, place)
    for stale in [path for path in document.places if path[: len(walked)] == walked]:
        del document.places[stale]
    document.places[walked] = f"-o {override}"
    return []


def _override_value(override: str, text: str) -> Any:
    if text[:1] in {"[", "{", '"', "'"}:
        return parse_document(text, f"-o {override}").data
    return parse_scalar(text)


def _place_in(target: Any, step: str, override: str, walked: Path) -> tuple[str | int, str]:
    """Returns the key or index that `step` means in `target`, or what is wrong with it."""
    at = ".".join(str(part) for part in walked)
    if isinstance(target, dict):
        return step, ""
    if not isinstance(target, list):
        return step, f"-o {override}: {at} is {target!r}, which has no key {step!r}."
    if _INDEX.fullmatch(step) and int(step) < len(target):
        return int(step), ""
    return step, (
        f"-o {override}: {at} is a list of {len(target)}; expected a number from 0 to "
        f"{len(target) - 1} in place of {step!r}."
    )


def _explain(error: ValidationError, document: Document) -> list[str]:
    """One line a problem: place, dotted key, what was expected, what was received."""
    lines = []
    for item in error.errors():
        location = _without_union_tags(item["loc"], document.data)
        dotted = ".".join(str(part) for part in location)
        text = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            text = unknown_key(str(location[-1]), *_section_at(location[:-1]))
        elif item["type"] == "missing":
            text = f"This key is needed. {_meaning(location)}"
        elif item["type"] not in {"invalid", "value_error"}:
            text = f"{text}; received {item['input']!r}. {_meaning(location)}"
        head = f"{document.place(location)}: {dotted}" if dotted else document.place(())
        lines.append(f"{head}: {text}".rstrip())
    return list(dict.fromkeys(lines))


def _without_union_tags(location: Path, data: Any) -> Path:
    """Drops the branch names of unions ("int", "literal['auto']") that pydantic puts in."""
    kept: Path = ()
    for index, part in enumerate(location):
        if isinstance(data, dict) and isinstance(part, str):
            if part not in data and index < len(location) - 1:
                continue
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int):
            data = data[part] if part < len(data) else None
        elif index and not isinstance(data, dict | list):
            continue
        kept = (*kept, part)
    return kept


def _section_at(location: Path) -> tuple[type[BaseModel], str]:
    section: type[BaseModel] = Config
    for part in location:
        field = section.model_fields.get(str(part))
        candidates = [field.annotation, *get_args(field.annotation)] if field else []
        for candidate in candidates:
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                section = candidate
    return section, ".".join(str(part) for part in location) or "the configuration"


def _meaning(location: Path) -> str:
    """The description of a key, from the schema."""
    section, _ = _section_at(location[:-1])
    field = section.model_fields.get(str(location[-1])) if location else None
    return f"({field.description})" if field and field.description else ""
