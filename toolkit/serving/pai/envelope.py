"""Four forms of a call to PAI's services, read as one.

The current form names a function and its parameters; an older one has ``db_name`` beside the
function's name; that of the multimodal services is inside ``input``; and the match service takes
two pictures alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.serving.problems import Kind, Problem

# What the functions of a database were called beside db_name.
_OF_DATABASE = {
    name: f"db_{name}" for name in ("set", "get", "search", "del", "update", "clean")
} | {"delete": "db_del"}
_ALIASES = {"query": "get", "list": "get", "del": "delete", "db_delete": "db_del"}


@dataclass(frozen=True)
class Call:
    """A function that a client calls."""

    function: str
    parameters: Mapping[str, Any]


def read_call(body: object) -> Call:
    """Reads a call in any form.

    Args:
        body: what the JSON text said.

    Raises:
        Problem: it is none.
    """
    if not isinstance(body, dict):
        raise Problem(Kind.BAD_JSON, f"The body is {body!r:.80}; expected a JSON object.")
    if isinstance(body.get("input"), dict):
        body = _from_input(body["input"])
    if "function_name" not in body and "imagea" in body:
        return Call("match", body)
    name, parameters = body.get("function_name"), body.get("function_params", {})
    if not isinstance(name, str):
        raise Problem(
            Kind.MISSING_PARAMETER,
            'The body has no function_name; expected {"function_name": ..., "function_params": '
            '{...}}, or {"imagea": ..., "imageb": ...}.',
        )
    if not isinstance(parameters, dict):
        raise Problem(
            Kind.WRONG_VALUE, f"function_params is {parameters!r:.80}; expected a JSON object."
        )
    if "db_name" in body:
        name = _OF_DATABASE.get(name, name)
        parameters = {"database_name": body["db_name"], **parameters}
    return Call(_ALIASES.get(name, name), parameters)


def _from_input(body: dict[str, Any]) -> dict[str, Any]:
    parameters = body.get("function_params", {})
    if "url" in body and isinstance(parameters, dict):
        parameters = {"image": body["url"], **parameters}
    return {**body, "function_params": parameters}
