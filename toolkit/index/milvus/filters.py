"""Filters as Milvus writes them; `toolkit.index.filters` says what they mean.

In Milvus a comparison with a key that is not there is neither true nor false, and its opposite is
not true either. So the opposite of a filter is written out, down to its comparisons.
"""

import json
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.index.filters import to_sql
from toolkit.index.interface import Filter

# Ids are never empty.
_ALL, _NONE = 'id != ""', 'id == ""'
_ORDERS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_OPPOSITES = {"gt": "le", "ge": "lt", "lt": "ge", "le": "gt"}


def to_expression(where: Filter) -> str:
    """Returns a filter as an expression of Milvus.

    A list or an object that is no text and no number is left out where a comparison is negated.

    Raises:
        VectorIndexError: the filter is malformed.
    """
    to_sql(where)  # the same errors as everywhere
    return _all_of(where, negated=False)


def _all_of(where: Filter, *, negated: bool) -> str:
    parts = [_clause(key, wanted, negated=negated) for key, wanted in where.items()]
    return _either(parts) if negated else _every(parts)


def _clause(key: str, wanted: Any, *, negated: bool) -> str:
    if key == "any":
        parts = [_all_of(one, negated=negated) for one in wanted]
        return _every(parts) if negated else _either(parts)
    if key == "not":
        return _all_of(wanted, negated=not negated)
    field = "record" + "".join(
        f"[{json.dumps(part, ensure_ascii=False)}]" for part in key.split(".")
    )
    if isinstance(wanted, Mapping):
        parts = [_compared(field, name, value, negated) for name, value in wanted.items()]
        return _either(parts) if negated else _every(parts)
    name = "in" if isinstance(wanted, Sequence) and not isinstance(wanted, str) else "eq"
    return _compared(field, name, wanted, negated)


def _compared(field: str, name: str, value: Any, negated: bool) -> str:  # noqa: FBT001 - passed on
    if name == "in":
        parts = [_equal(field, one, negated=negated) for one in value]
        return _every(parts) if negated else _either(parts)
    if name in ("eq", "ne"):
        return _equal(field, value, negated=negated != (name == "ne"))
    if not negated:
        return _either(_in_order(field, name, value))
    missing = f"not (exists {field})"
    return _either([missing, *_in_order(field, _OPPOSITES[name], value), *_other(field, value)])


def _equal(field: str, value: Any, *, negated: bool) -> str:
    if value is None:
        return f"exists {field}" if negated else f"not (exists {field})"
    # true is 1, and Milvus tells them apart.
    literals = [*(["true" if value else "false"] if value in (0, 1) else []), _literal(value)]
    equal = _either([f"{field} == {literal}" for literal in literals])
    return _either([f"not (exists {field})", f"not {equal}"]) if negated else equal


def _in_order(field: str, name: str, value: Any) -> list[str]:
    parts = [f"{field} {_ORDERS[name]} {_literal(value)}"]
    if not isinstance(value, str):
        compare = getattr(operator, name)
        parts += [f"{field} == {json.dumps(bit)}" for bit in (True, False) if compare(bit, value)]
    return parts


def _other(field: str, value: Any) -> list[str]:
    """Returns what keeps values that do not compare with this one."""
    if not isinstance(value, str):
        return [f'{field} >= ""']
    return [f"{field} >= 0", f"{field} < 0", f"{field} == true", f"{field} == false"]


def _every(parts: Sequence[str]) -> str:
    return f"({' and '.join(parts)})" if parts else _ALL


def _either(parts: Sequence[str]) -> str:
    return f"({' or '.join(parts)})" if parts else _NONE


def _literal(value: Any) -> str:
    return json.dumps(int(value) if isinstance(value, bool) else value, ensure_ascii=False)
