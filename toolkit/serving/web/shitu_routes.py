"""PaddleX's routes: ``/shitu-index-build``, ``-add`` and ``-remove``, ``/shitu-infer``."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from toolkit.serving.service import Service
from toolkit.serving.shitu import Shitu
from toolkit.serving.tokens import Client
from toolkit.serving.web.answers import json_answer
from toolkit.serving.web.asking import asker, writer
from toolkit.serving.web.json_body import read_object
from toolkit.serving.web.working import Workers

_PAIRS = {"imageLabelPairs": [{"image": "<base64>", "label": "apple"}]}
_KEY = {"indexKey": "00000000-0000-4000-8000-000000000000"}


def shitu_routes(service: Service, workers: Workers) -> APIRouter:
    """Returns the routes."""
    router, shitu = APIRouter(tags=["PaddleX"]), Shitu(service)
    _route(router, workers, "/shitu-index-build", shitu.build, writer, _PAIRS)
    _route(router, workers, "/shitu-index-add", shitu.add, writer, {**_PAIRS, **_KEY})
    _route(router, workers, "/shitu-index-remove", shitu.remove, writer, {"ids": [0], **_KEY})
    example = {"image": "<base64>", "topk": 5, "recThreshold": 0.5, **_KEY}
    _route(router, workers, "/shitu-infer", shitu.infer, asker, example)

    @router.get("/health", summary="Is it ready?")
    def health(request: Request) -> Response:
        return json_answer(_success(request, "Healthy"))

    return router


def _route(
    router: APIRouter,
    workers: Workers,
    path: str,
    work: Callable[[Client, Mapping[str, Any]], dict[str, Any]],
    who: Callable[[Request], Client],
    example: dict[str, Any],
) -> None:
    content = {"application/json": {"schema": {"type": "object"}, "example": example}}
    extra = {"requestBody": {"required": True, "content": content}}

    async def answer(request: Request) -> Response:
        body, client = await request.body(), who(request)
        result = await workers.run(lambda: work(client, read_object(body)))
        return json_answer({**_success(request, "Success"), "result": result})

    router.add_api_route(
        path,
        answer,
        methods=["POST"],
        operation_id=path.strip("/").replace("-", "_"),
        openapi_extra=extra,
    )


def _success(request: Request, message: str) -> dict[str, Any]:
    return {"logId": request.state.request, "errorCode": 0, "errorMsg": message}
