"""Which records may be found: a filter as plain data, and the SQL that it means.

    {"label": "apple"}                          equal
    {"label": ["apple", "pear"]}                one of these
    {"time": {"ge": 1700000000, "lt": 1800000000}}   a range: gt, ge, lt, le
    {"label": {"ne": "apple"}}                  another value, or none
    {"camera.side": "left", "group": 7}         all of these; a dot goes into an object
    {"any": [{...}, {...}]}, {"not": {...}}     one of these filters; none of this one

Texts and numbers are never equal; true is 1. null is a key that is null or not there.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.errors import VectorIndexError, nearest
from toolkit.index.interface import Filter

_COMPARISONS = {"eq": "=", "ne": "IS NOT", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_OPERATORS = (*_COMPARISONS, "in")
_LARGEST = 2**63 - 1


def field_expression(field: str) -> str:
    """Returns the SQL for the value of a field; an index on it serves filters.

    Raises:
        VectorIndexError: no field can have this name.
    """
    if not field or '"' in field or "\x00" in field or "" in field.split("."):
        raise VectorIndexError(
            f"A filter cannot ask for the field {field!r}: a name is text without double quotes, "
            "and dots stand between the names of objects."
        )
    path = "$" + "".join(f'."{part}"' for part in field.split("."))
    return "json_extract(record, '" + path.replace("'", "''") + "')"


def canonical(where: Filter) -> str:
    """Returns one text for equal filters.

    Raises:
        VectorIndexError: the filter is not plain data.
    """
    try:
        return json.dumps(where, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise VectorIndexError(f"A filter must be plain JSON data; {where!r}: {error}") from error


def to_sql(where: Filter) -> tuple[str, list[Any]]:
    """Returns a condition on the table of records, and the values of its question marks.

    Raises:
        VectorIndexError: the filter is malformed; the message says what was expected.
    """
    if not isinstance(where, Mapping):
        raise VectorIndexError(
            f'A filter is an object such as {{"label": "apple"}}, not {where!r}.'
        )
    conditions, values = list[str](), list[Any]()
    for key, wanted in where.items():
        condition, its_values = _clause(key, wanted)
        conditions.append(condition)
        values += its_values
    return " AND ".join(conditions) or "1", values


def _clause(key: object, wanted: Any) -> tuple[str, list[Any]]:
    if not isinstance(key, str):
        raise VectorIndexError(f"A field of a filter is a text, not {key!r}.")
    if key == "any":
        return _any_of(wanted)
    if key == "not":
        condition, values = to_sql(wanted)
        # A comparison with nothing is neither true nor false; its opposite is true.
        return f"NOT coalesce(({condition}), 0)", values
    expression = field_expression(key)
    if isinstance(wanted, Mapping):
        return _compared(key, expression, wanted)
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return _one_of(key, expression, wanted)
    return f"{expression} IS ?", [_plain(key, wanted)]


def _any_of(filters: Any) -> tuple[str, list[Any]]:
    if not isinstance(filters, Sequence) or isinstance(filters, str) or not filters:
        raise VectorIndexError(f'"any" takes a list of filters, not {filters!r}.')
    parts = [to_sql(where) for where in filters]
    joined = " OR ".join(f"coalesce(({condition}), 0)" for condition, _ in parts)
    return f"({joined})", [value for _, values in parts for value in values]


def _compared(field: str, expression: str, comparisons: Mapping[Any, Any]) -> tuple[str, list[Any]]:
    conditions, values = list[str](), list[Any]()
    for name, value in comparisons.items():
        if name == "in":
            condition, its_values = _one_of(field, expression, value)
        elif name in _COMPARISONS:
            condition, its_values = _comparison(field, expression, name, value)
        else:
            hint = nearest(str(name), _OPERATORS)
            raise VectorIndexError(
                f"Unknown comparison {name!r} for {field!r}. Known: {', '.join(_OPERATORS)}.{hint}"
            )
        conditions.append(condition)
        values += its_values
    if not conditions:
        raise VectorIndexError(f"The filter for {field!r} is empty; give one of {_OPERATORS}.")
    return " AND ".join(conditions), values


def _comparison(field: str, expression: str, name: str, value: Any) -> tuple[str, list[Any]]:
    plain = _plain(field, value)
    if name == "eq":
        return f"{expression} IS ?", [plain]
    if name == "ne":
        return f"{expression} IS NOT ?", [plain]
    if plain is None:
        raise VectorIndexError(f"{field!r} cannot be compared with null by {name!r}.")
    # SQLite holds every text for greater than every number; here they do not compare.
    kinds = "('text')" if isinstance(plain, str) else "('integer', 'real')"
    condition = f"({expression} {_COMPARISONS[name]} ? AND typeof({expression}) IN {kinds})"
    return condition, [plain]


def _one_of(field: str, expression: str, wanted: Any) -> tuple[str, list[Any]]:
    if not isinstance(wanted, Sequence) or isinstance(wanted, str):
        raise VectorIndexError(f'"in" for {field!r} takes a list, not {wanted!r}.')
    values = [_plain(field, value) for value in wanted]
    there = [value for value in values if value is not None]
    # One parameter however long the list is: SQLite takes only so many.
    condition = f"{expression} IN (SELECT value FROM json_each(?))"  # noqa: S608
    if len(there) < len(values):
        condition = f"({condition} OR {expression} IS NULL)"
    return condition, [json.dumps(there)]


def _plain(field: str, value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int) and abs(value) > _LARGEST:
        return float(value)
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float) and value == value and abs(value) != float("inf"):  # noqa: PLR0124
        return value
    raise VectorIndexError(
        f"The filter for {field!r} has the value {value!r}; it must be a text, a finite number, "
        "true, false or null."
    )
