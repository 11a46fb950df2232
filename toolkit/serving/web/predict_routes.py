"""``POST /api/predict/<service>``: PAI's functions on PAI's address."""

from collections.abc import Mapping
from typing import Any, Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from toolkit.serving.pai.envelope import read_call
from toolkit.serving.pai.functions import Functions
from toolkit.serving.pai.sessions import Sessions
from toolkit.serving.problems import Kind, Problem
from toolkit.serving.service import Service
from toolkit.serving.web.answers import json_answer, pai_success
from toolkit.serving.web.json_body import read_json_body
from toolkit.serving.web.working import Workers

_EXAMPLES = {
    "search": {
        "summary": "Search",
        "value": {
            "function_name": "db_search",
            "function_params": {"database_name": "shoes", "image": "<base64>", "search_topk": 3},
        },
    },
    "match": {
        "summary": "Match",
        "value": {"imagea": "<base64>", "imageb": "<base64>"},
    },
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}, "examples": _EXAMPLES}},
    }
}


def predict_routes(
    service: Service, workers: Workers, services: Mapping[str, Literal["match", "retrieval"]]
) -> APIRouter:
    """Returns the routes.

    Args:
        service: the model and the databases.
        workers: what functions run in.
        services: name -> what it is.
    """
    router, sessions = APIRouter(tags=["PAI"]), Sessions(service)
    functions = {name: Functions(service, sessions, name, kind) for name, kind in services.items()}

    @router.post("/api/predict/{name}", openapi_extra=_BODY, summary="Call a function of PAI's")
    @router.post("/api/predict/{name}/", include_in_schema=False)
    async def predict(name: str, request: Request) -> Response:
        if name not in functions:
            known = ", ".join(functions)
            raise Problem(Kind.NOT_FOUND, f"There is no service {name[:80]!r}. There are: {known}.")
        body, state = await request.body(), request.state

        def work() -> dict[str, Any]:
            call = read_call(read_json_body(body))
            if call.function in functions[name].names():
                state.function = call.function
            return functions[name].call(call, state.client)

        return json_answer(pai_success(await workers.run(work), state.request))

    return router
