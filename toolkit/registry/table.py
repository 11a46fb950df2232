"""A table of named parts, which knows their options without importing them."""

import ast
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import ConfigError, import_optional, nearest

_PACKAGE = Path(__file__).resolve().parents[1]


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
        prefixes: beginning of names -> "module:attribute". Every name that begins so is known;
            what follows is the part's first argument.
    """

    def __init__(
        self,
        kind: str,
        table: Mapping[str, str | tuple[str, dict[str, Any]]],
        handed_in: Iterable[str] = (),
        prefixes: Mapping[str, str] | None = None,
    ) -> None:
        self.kind = kind
        self._table = {
            name: (entry, {}) if isinstance(entry, str) else entry for name, entry in table.items()
        }
        self._handed_in = frozenset(handed_in)
        self.prefixes = dict(prefixes or {})

    def names(self) -> list[str]:
        """Returns all names of the table, sorted; those with a prefix are without number."""
        return sorted(self._table)

    def __contains__(self, name: object) -> bool:
        return name in self._table or (isinstance(name, str) and self._prefix(name) is not None)

    def unknown(self, name: str) -> str:
        """Words that a name is not known: the nearest one, all names, and the prefixes."""
        open_names = [f"{prefix}..." for prefix in self.prefixes]
        return (
            f"Unknown {self.kind} {name!r}.{nearest(name, self._table)} "
            f"Known: {', '.join([*self.names(), *open_names])}."
        )

    def location(self, name: str) -> str:
        """Returns "module:attribute".

        Raises:
            ConfigError: the name is not known; the message has the nearest and all names.
        """
        return self._entry(name)[0]

    def get(self, name: str) -> Callable[..., Any]:
        """Imports and returns the class or function behind a name, its fixed options filled in."""
        module, attribute = self.location(name).split(":")
        part: Callable[..., Any] = getattr(
            import_optional(module, purpose=f"The {self.kind} {name}"), attribute
        )
        fixed = self._entry(name)[1]
        return functools.partial(part, **fixed) if fixed else part

    def build(self, name: str, /, **options: Any) -> Any:
        """Calls the part with its options.

        Raises:
            ConfigError: unknown name, unknown or missing option, or a value the part refuses.
        """
        known = {option.name: option for option in self.options(name)}
        fixed = self._entry(name)[1]
        label = f"{self.kind} {name}"
        for given in options:
            if given not in known and (given in fixed or not self.takes_any_option(name)):
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
            if argument not in self._entry(name)[1] and not argument.startswith("**")
        ]

    def takes_any_option(self, name: str) -> bool:
        """Tells whether a part hands on options that it does not name itself."""
        return any(argument.startswith("**") for argument, *_ in _signature(self.location(name)))

    def _prefix(self, name: str) -> str | None:
        """Returns the prefix with which a name begins, if more follows."""
        for prefix in self.prefixes:
            if name.startswith(prefix) and name != prefix:
                return prefix
        return None

    def _entry(self, name: str) -> tuple[str, dict[str, Any]]:
        """Returns "module:attribute" and the options that the name fixes."""
        if name in self._table:
            return self._table[name]
        prefix = self._prefix(name)
        if prefix is None:
            raise ConfigError(self.unknown(name))
        location = self.prefixes[prefix]
        first = _signature(location)[0][0]
        return location, {first: name.removeprefix(prefix)}


@functools.cache
def _signature(location: str) -> tuple[tuple[str, str, str | None], ...]:
    """Reads (name, annotation, default) of each parameter of "module:attribute" from its file.

    A parameter that takes any option has its two stars before the name.
    """
    module, attribute = location.split(":")
    # The path is computed, not looked up with importlib: find_spec would import the parents.
    file = _PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")
    tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == attribute:
            return _parameters(node)
        if isinstance(node, ast.ClassDef) and node.name == attribute:
            return _class_parameters(node)
    raise LookupError(f"{file} defines no {attribute!r}, which toolkit/registry names.")


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
    if node.args.kwarg is not None:
        stars = ast.arg(f"**{node.args.kwarg.arg}", node.args.kwarg.annotation)
        pairs.append((stars, ast.Dict([], [])))
    return tuple(
        (
            argument.arg,
            "object" if argument.annotation is None else ast.unparse(argument.annotation),
            None if default is None else ast.unparse(default),
        )
        for argument, default in pairs
        if argument.arg not in {"self", "cls"}
    )
