"""JSON that clients send: one document, or a problem that says where it ends to be one."""

import json
from typing import Any, NoReturn

from toolkit.serving.problems import Kind, Problem


def read_json_body(body: bytes) -> Any:
    """Returns what a body says.

    Raises:
        Problem: it is no JSON; NaN and Infinity are not.
    """
    try:
        return json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Problem(Kind.BAD_JSON, f"The body is no JSON: {reason[:200]}.") from error


def read_object(body: bytes) -> dict[str, Any]:
    """Returns the object that a body is.

    Raises:
        Problem: it is no JSON, or another value.
    """
    value = read_json_body(body)
    if not isinstance(value, dict):
        raise Problem(Kind.BAD_JSON, f"The body is {value!r:.80}; expected a JSON object.")
    return value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number in JSON")
