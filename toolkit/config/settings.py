"""A configuration as one flat table: what trackers show, and what two runs are compared by."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any


def flat_settings(document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns dotted key -> plain value.

    A list of parts is the list of their names, and each part's options follow under its name:
    ``{"Loss": [{"CELoss": {"weight": 1.0}}]}`` is ``Loss: CELoss`` and ``Loss.CELoss.weight: 1.0``.
    A name that comes again has its number: ``CELoss[2]``.

    Args:
        document: as read from a file, or `Config.model_dump`.
    """
    return dict(_flat("", document))


def _flat(at: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(f"{at}.{key}" if at else str(key), item)
    elif _is_parts(value):
        names = _numbered([next(iter(part)) for part in value])
        yield at, ", ".join(names)
        for name, part in zip(names, value, strict=True):
            yield from _flat(f"{at}.{name}", next(iter(part.values())))
    elif isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        for number, item in enumerate(value):
            yield from _flat(f"{at}.{number}", item)
    else:
        yield at, value


def _is_parts(value: Any) -> bool:
    """Tells whether a value is a list of ``{Name: {option: value}}``."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(
            isinstance(item, Mapping)
            and len(item) == 1
            and isinstance(next(iter(item.values())), Mapping)
            for item in value
        )
    )


def _numbered(names: list[str]) -> list[str]:
    seen = Counter[str]()
    numbered = []
    for name in names:
        seen[name] += 1
        numbered.append(name if seen[name] == 1 else f"{name}[{seen[name]}]")
    return numbered
