"""Filters as Milvus writes them; `toolkit.index.filters` says what they mean."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.errors import VectorIndexError
from toolkit.index.filters import to_sql
from toolkit.index.interface import Filter

_COMPARISONS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def to_expression(where: Filter) -> str:
    """Returns a filter as an expression of Milvus; empty for one that keeps all.

    Raises:
        VectorIndexError: the filter is malformed, or asks for null, which Milvus cannot.
    """
    to_sql(where)  # the same errors as everywhere
    return " and ".join(_clause(key, wanted) for key, wanted in where.items())


def _clause(key: str, wanted: Any) -> str:
    if key == "any":
        return "(" + " or ".join(f"({to_expression(one)})" for one in wanted) + ")"
    if key == "not":
        return f"not ({to_expression(wanted)})"
    field = "record" + "".join(f"[{json.dumps(part)}]" for part in key.split("."))
    if isinstance(wanted, Mapping):
        parts = [_compared(field, name, value) for name, value in wanted.items()]
        return "(" + " and ".join(parts) + ")"
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return _compared(field, "in", wanted)
    return _compared(field, "eq", wanted)


def _compared(field: str, name: str, value: Any) -> str:
    if name == "in":
        return f"{field} in [{', '.join(_literal(one) for one in value)}]"
    if name in ("eq", "ne"):
        return f"{field} {'==' if name == 'eq' else '!='} {_literal(value)}"
    return f"{field} {_COMPARISONS[name]} {_literal(value)}"


def _literal(value: Any) -> str:
    if value is None:
        raise VectorIndexError(
            "A filter on Milvus cannot ask for null; keep a value of your own for 'none' there."
        )
    return json.dumps(value, ensure_ascii=False)
