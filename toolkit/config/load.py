"""From a YAML file and -o overrides to a frozen `Config`, or to every problem at once."""

import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from toolkit.cards.catalog import model_card
from toolkit.config.paddleclas.translate import is_paddleclas, sort_overrides, translate
from toolkit.config.parts import unknown_key
from toolkit.config.schema import Config
from toolkit.config.yaml_core import (
    Document,
    Path,
    dump,
    parse_document,
    parse_scalar,
    read_text,
)
from toolkit.errors import ConfigError, ModelError

RECIPE_SECTIONS = ("Arch", "Loss", "Optimizer", "Data")
_INDEX = re.compile(r"\d+")


def read_document(file: pathlib.Path | str, overrides: Sequence[str] = ()) -> Document:
    """Reads a YAML file, adds what it lacks from the model's card, and lays the overrides over it.

    A file of PaddleClas is translated: overrides in its spelling before, those in ours after that.

    Args:
        file: path of the YAML file.
        overrides: ``A.b=c`` each; split at the first ``=``, values read as YAML scalars (or as
            flow lists and mappings when they start with ``[``, ``{`` or a quote).

    Returns:
        The document; overrides that cannot be placed are among its problems.

    Raises:
        ConfigError: the file cannot be read or is not YAML.
    """
    path = pathlib.Path(file)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The configuration file {str(path)!r} cannot be read: "
            f"{getattr(error, 'strerror', None) or error}."
        ) from error
    document = read_text(text, str(path))
    if document.data is None:
        document.data = {}
    if not isinstance(document.data, dict):
        raise ConfigError(f"{path}: expected sections such as 'Global:', found {document.data!r}.")
    if is_paddleclas(document.data):
        return _read_paddleclas(document, overrides)
    # The model's name decides on the recipe, and overrides reach into the recipe as into the file.
    first, rest = _global_first(overrides)
    for override in first:
        document.problems += _apply(document, override)
    document.problems += _complete(document)
    for override in rest:
        document.problems += _apply(document, override)
    return document


def _read_paddleclas(document: Document, overrides: Sequence[str]) -> Document:
    theirs, ours, unknown = sort_overrides(overrides)
    document.problems += unknown
    for override in theirs:
        document.problems += _apply(document, override)
    # Which weights are meant, and which folder, depends on what is to be run.
    said = read_overrides(ours).data.get("Global", {})
    translated = translate(
        document, mode=str(said.get("mode", "check_dataset")), output=said.get("output")
    )
    for override in ours:
        translated.problems += _apply(translated, override)
    return translated


def read_overrides(overrides: Sequence[str]) -> Document:
    """Returns what overrides say of Global: all that is known when their file cannot be read."""
    document = Document({})
    for override in _global_first(overrides)[0]:
        _apply(document, override)
    return document


def _global_first(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    first = [o for o in overrides if re.split(r"[.=]", o, maxsplit=1)[0].strip() == "Global"]
    return first, [override for override in overrides if override not in first]


def load_config(file: pathlib.Path | str, overrides: Sequence[str] = ()) -> Config:
    """Reads, completes from the model's card, and validates a configuration.

    Raises:
        ConfigError: with every problem, each with its place, dotted key, value and a way out.
    """
    return check_document(read_document(file, overrides))


def sections_config(sections: Mapping[str, Mapping[str, Any]]) -> Config:
    """Completes from the model's card, and validates, sections that a program gives.

    Raises:
        ConfigError: with every problem.
    """
    document = Document({name: dict(section) for name, section in sections.items()})
    document.problems += _complete(document)
    return check_document(document)


def check_document(document: Document) -> Config:
    """Validates a document against the schema.

    Raises:
        ConfigError: with every problem, those that the document has already among them.
    """
    problems = list(document.problems)
    try:
        config = Config.model_validate(document.data)
    except ValidationError as error:
        raise ConfigError([*problems, *_explain(error, document)]) from error
    if problems:
        raise ConfigError(problems)
    return config


def dump_config(config: Config) -> str:
    """Writes a configuration as complete YAML that `load_config` reads back to an equal one."""
    return dump(config.model_dump())


def _complete(document: Document) -> list[str]:
    """Adds the recipe sections that are missing; returns what is wrong with Global.model."""
    section = document.data.get("Global")
    name = section.get("model") if isinstance(section, dict) else None
    if document.data.get("SelfSup") is not None:
        document.data.setdefault("Loss", [])
    missing = [key for key in RECIPE_SECTIONS if document.data.get(key) is None]
    if not isinstance(name, str) or not missing:
        return []
    try:
        text = model_card(name).recipe
    except ModelError as error:
        place = document.place(("Global", "model"))
        more = "A model of your own needs the sections Arch, Loss, Optimizer and Data."
        return [f"{place}: Global.model: {error} {more}"]
    recipe = parse_document(text, f"recipe of {name}")
    for key in missing:
        if key in recipe.data:
            document.data[key] = recipe.data[key]
            document.places |= {at: line for at, line in recipe.places.items() if at[:1] == (key,)}
    return []


def _apply(document: Document, override: str) -> list[str]:
    """Lays one override over the document; returns what is wrong with it."""
    if not _is_text(override):
        return [f"-o {override!a}: holds bytes that are not UTF-8; rename the file or folder."]
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


def _is_text(text: str) -> bool:
    """False for what Python makes of an argument that is not in the encoding of the machine."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


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
    numbers = f"a number from 0 to {len(target) - 1}" if target else "a whole list"
    return step, (
        f"-o {override}: {at} is a list of {len(target)}; expected {numbers} in place of {step!r}."
    )


def _explain(error: ValidationError, document: Document) -> list[str]:
    """One line a problem: place, dotted key, what was expected, what was received."""
    lines = []
    items = error.errors()
    # A card has every section of a recipe: what is wrong then is Global.model, and told already.
    told = [item for item in items if not _is_recipe_missing(item)]
    for item in told if told or document.problems else items:
        location = _without_union_tags(item["loc"], document.data)
        dotted = ".".join(str(part) for part in location)
        text = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            text = unknown_key(str(location[-1]), *_section_at(location[:-1]))
        elif item["type"] == "missing":
            text = f"This key is needed. {_meaning(location)}"
        elif item["type"] in {"model_type", "dict_type"}:
            text = f"Expected keys with values below it; received {item['input']!r}."
        elif item["type"] == "invalid":
            text += _left_over(location, document)
        elif item["type"] != "value_error":
            text = f"{text}; received {item['input']!r}. {_meaning(location)}"
        head = f"{document.place(location)}: {dotted}" if dotted else document.place(())
        lines.append(f"{head}: {text}".rstrip())
    return list(dict.fromkeys(lines))


def _is_recipe_missing(item: Mapping[str, Any]) -> bool:
    return item["type"] == "missing" and item["loc"][0] in RECIPE_SECTIONS and len(item["loc"]) == 1


def _left_over(location: Path, document: Document) -> str:
    """A way out when -o changed the name of a part whose other options now belong to no one."""
    part = location[:-1]
    renamed = document.places.get((*part, "name"), "")
    if not renamed.startswith("-o ") or document.place(location).startswith("-o "):
        return ""
    dotted, name = ".".join(map(str, part)), renamed.partition("=")[2]
    return f" To replace the whole part: -o '{dotted}={{name: {name}}}'."


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
