"""Answers in the envelope that the client of each front expects."""

import json
from typing import Any

from starlette.responses import Response

from toolkit.serving.problems import Kind, Problem

PAI, PADDLEX = "/api/predict", "/shitu-"
_HTTP_OF_PAI = {
    Kind.BAD_JSON,
    Kind.WRONG_CONTENT_TYPE,
    Kind.TOO_LARGE,
    Kind.UNAUTHORISED,
    Kind.FORBIDDEN,
    Kind.NOT_FOUND,
    Kind.WRONG_METHOD,
    Kind.TIMED_OUT,
    Kind.TOO_MANY_REQUESTS,
    Kind.BUSY,
}
"""What PAI's gateway says by the status; all else comes with 200 and ``success: false``."""


def json_answer(
    content: object, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Returns an answer in JSON; ASCII, so that whatever a client sent can be said back."""
    body = json.dumps(content, allow_nan=False)
    return Response(body, status, headers, media_type="application/json")


def problem_answer(problem: Problem, path: str, request: str) -> Response:
    """Returns what the client of a path is told of a problem.

    Args:
        problem: what went wrong.
        path: of the request.
        request: its name in the log.
    """
    headers = {} if problem.retry_after is None else {"Retry-After": str(problem.retry_after)}
    if problem.kind is Kind.UNAUTHORISED:
        headers["WWW-Authenticate"] = "Bearer"
    status = problem.kind.status
    if path.startswith(PAI):
        status = status if problem.kind in _HTTP_OF_PAI else 200
        return json_answer(pai_failure(problem, request), status, headers)
    if path.startswith(PADDLEX):
        content = {"logId": request, "errorCode": status, "errorMsg": problem.message}
        return json_answer(content, status, headers)
    answer = json_answer({**problem.to_json(), "request_id": request}, status, headers)
    answer.headers["Content-Type"] = "application/problem+json"
    return answer


def pai_success(content: dict[str, Any], request: str) -> dict[str, Any]:
    """Returns PAI's envelope of what was done."""
    return {
        "request_id": request,
        "success": True,
        "error_code": None,
        "error_msg": None,
        **content,
    }


def pai_failure(problem: Problem, request: str) -> dict[str, Any]:
    """Returns PAI's envelope of a problem."""
    return {
        "request_id": request,
        "success": False,
        "status": False,
        "error_code": problem.kind.code,
        "error_msg": problem.message,
    }
