"""YAML 1.2 core schema on top of PyYAML, with the line of every key.

PyYAML speaks YAML 1.1, where ``on`` is true, ``1e-3`` is a string, ``010`` is eight and ``1:30`` is
ninety. A configuration must mean what it looks like, so the resolvers of the YAML 1.2 core schema
(https://yaml.org/spec/1.2.2/, section 10.3) take their place, in the reader and in the writer.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from toolkit.errors import ConfigError

Path = tuple[str | int, ...]

_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")
_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_INT = re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$")
_FLOAT = re.compile(
    r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_CORE = {"null": _NULL, "bool": _BOOL, "int": _INT, "float": _FLOAT}


class _CoreLoader(yaml.SafeLoader):
    """A loader whose plain scalars follow the core schema; only its node tree is used."""

    yaml_implicit_resolvers: dict[str | None, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own class attribute


class _CoreDumper(yaml.SafeDumper):
    """A dumper that quotes every string which the core schema would read as something else."""

    yaml_implicit_resolvers: dict[str | None, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own class attribute

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        """Writes equal lists twice: anchors surprise readers."""
        return True


for _kind in ("null", "bool", "int", "float"):
    # The first character only narrows the search; None means any.
    _CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _CORE[_kind], None)
    _CoreDumper.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", _CORE[_kind], None)


@dataclass
class Document:
    """Plain data, and where each key of it was written.

    Attributes:
        data: dicts, lists and scalars.
        places: path of a key -> "file, line 12" or "-o Train.batch_size=8".
        problems: what is wrong with the text itself, such as a key that is said twice.
        notes: what a person should know of how it was read; for the run's log.
    """

    data: Any
    places: dict[Path, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def place(self, path: Path) -> str:
        """Returns where `path`, or the nearest key above it, was written."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return "the configuration"


def parse_document(text: str, name: str) -> Document:
    """Reads YAML text.

    Args:
        text: the text.
        name: what to call it in messages; a file's path.

    Raises:
        ConfigError: the text is not YAML, a key is doubled or not a string, or it has tags.
    """
    document = read_text(text, name)
    if document.problems:
        raise ConfigError(document.problems)
    return document


def read_text(text: str, name: str) -> Document:
    """Reads YAML text; keys that are doubled or no strings, and tags, become `problems`.

    Raises:
        ConfigError: the text is not YAML.
    """
    loader = _CoreLoader(text.lstrip("\ufeff"))
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{name}, line {line}: not YAML: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: not YAML: {error}.") from error
    finally:
        loader.dispose()
    document = Document(None)
    if node is not None:
        document.data = _convert(node, (), name, document.places, document.problems)
    return document


def parse_scalar(text: str) -> Any:
    """Reads one plain scalar by the core schema: ``1e-3`` a float, ``on`` a string."""
    for kind, pattern in _CORE.items():
        if pattern.match(text):
            return _scalar(kind, text)
    return text


def dump(data: Any) -> str:
    """Writes plain data as YAML that `parse_document` reads back to equal data."""
    text: str = yaml.dump(data, Dumper=_CoreDumper, sort_keys=False, allow_unicode=True, width=100)
    return text


def _convert(
    node: yaml.Node, path: Path, name: str, places: dict[Path, str], problems: list[str]
) -> Any:
    place = f"{name}, line {node.start_mark.line + 1}"
    places.setdefault(path, place)
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if kind not in {*_CORE, "str", "map", "seq"}:
        problems.append(f"{place}: the tag {node.tag!r} is not allowed; write a plain value.")
        return None
    if isinstance(node, yaml.MappingNode):
        return _convert_mapping(node, path, name, places, problems)
    if isinstance(node, yaml.SequenceNode):
        return [
            _convert(item, (*path, index), name, places, problems)
            for index, item in enumerate(node.value)
        ]
    return _scalar(kind, node.value)


def _convert_mapping(
    node: yaml.MappingNode, path: Path, name: str, places: dict[Path, str], problems: list[str]
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        place = f"{name}, line {key_node.start_mark.line + 1}"
        if not isinstance(key_node, yaml.ScalarNode):
            problems.append(f"{place}: a key must be a word, not a list or a mapping.")
            continue
        key = key_node.value
        here = (*path, key)
        if key in result:
            dotted = ".".join(str(part) for part in here)
            problems.append(f"{place}: {dotted} is said twice; it first stands at {places[here]}.")
            continue
        places[here] = place
        result[key] = _convert(value_node, here, name, places, problems)
    return result


def _scalar(kind: str, text: str) -> Any:
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        bases = {"0o": 8, "0x": 16}
        return int(text[2:], bases[text[:2]]) if text[:2] in bases else int(text)
    if kind == "float":
        # Python spells infinity and not-a-number without YAML's dot.
        return (
            float(text.replace(".inf", "inf").replace(".nan", "nan"))
            if text[-1].isalpha()
            else float(text)
        )
    return text
