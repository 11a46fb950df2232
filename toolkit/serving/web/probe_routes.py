"""Is it alive, is it ready, how is it doing."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from toolkit.serving.metrics import Metrics
from toolkit.serving.service import Service
from toolkit.serving.web.answers import json_answer
from toolkit.version import __version__


def probe_routes(service: Service, metrics: Metrics, is_stopping: Callable[[], bool]) -> APIRouter:
    """Returns the routes; the socket is opened when the model and the databases are ready."""
    router = APIRouter(tags=["probes"])

    @router.get("/livez", summary="Is the process alive?")
    def alive() -> Response:
        return json_answer({"status": "alive"})

    @router.get("/healthz", summary="Is it ready?")
    @router.get("/readyz", include_in_schema=False)
    def ready() -> Response:
        facts: dict[str, Any] = {
            "model": service.embedder.model_name,
            "dimension": service.embedder.dimension,
            "version": __version__,
        }
        if is_stopping():
            return json_answer({"status": "stopping", **facts}, 503, {"Retry-After": "5"})
        return json_answer({"status": "ready", **facts})

    @router.get("/metrics", summary="Numbers for Prometheus", response_class=PlainTextResponse)
    def numbers() -> Response:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
