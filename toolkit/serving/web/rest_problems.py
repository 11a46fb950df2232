"""Problems of ``/v1`` as OpenAPI lists them."""

from typing import Any

from toolkit.serving.problems import Kind
from toolkit.serving.web.rest_models import ProblemAnswer

_ALWAYS = (
    Kind.BAD_JSON,
    Kind.UNAUTHORISED,
    Kind.FORBIDDEN,
    Kind.NO_DATABASE,
    Kind.WRONG_METHOD,
    Kind.TIMED_OUT,
    Kind.DATABASE_EXISTS,
    Kind.TOO_LARGE,
    Kind.WRONG_CONTENT_TYPE,
    Kind.WRONG_VALUE,
    Kind.TOO_MANY_REQUESTS,
    Kind.BUSY,
    Kind.DISK_FULL,
)
PROBLEMS: dict[int | str, dict[str, Any]] = {
    kind.status: {
        "description": kind.name.replace("_", " ").capitalize(),
        "content": {
            "application/problem+json": {"schema": ProblemAnswer.model_json_schema()},
        },
    }
    for kind in _ALWAYS
}
