"""``/v1/databases``: making, listing and removing databases."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from toolkit.serving.databases import Databases, Schema
from toolkit.serving.service import Service
from toolkit.serving.web.answers import json_answer
from toolkit.serving.web.asking import asker, writer
from toolkit.serving.web.json_body import read_object
from toolkit.serving.web.picture_form import PictureForm
from toolkit.serving.web.rest_models import DatabaseFacts, DatabaseList, DatabaseOptions
from toolkit.serving.web.rest_problems import PROBLEMS
from toolkit.serving.web.working import Workers
from toolkit.version import __version__


def database_routes(service: Service, workers: Workers) -> APIRouter:
    """Returns the routes."""
    router = APIRouter(prefix="/v1", tags=["databases"], responses=PROBLEMS)

    @router.get("", summary="The model, and what is taken")
    def about(request: Request) -> Response:
        return json_answer(
            {
                "version": __version__,
                "model": service.embedder.model_name,
                "fingerprint": service.embedder.fingerprint,
                "dimension": service.embedder.dimension,
                "max_topk": service.max_topk,
                "max_pixels": service.embedder.max_pixels,
                "max_body_bytes": workers.limits.max_body_bytes,
                "access": asker(request).access,
            }
        )

    @router.get("/databases", response_model=DatabaseList, summary="All databases")
    async def all_databases(request: Request) -> Response:
        client = asker(request)
        return json_answer(await workers.run(lambda: _all(service.databases(client))))

    @router.get("/databases/{name}", response_model=DatabaseFacts, summary="One database")
    async def one_database(name: str, request: Request) -> Response:
        client = asker(request)
        return json_answer(await workers.run(lambda: _facts(service.databases(client), name)))

    @router.put(
        "/databases/{name}",
        response_model=DatabaseFacts,
        status_code=201,
        summary="Make a database; 200 when it is there already",
        openapi_extra={
            "requestBody": {
                "content": {"application/json": {"schema": DatabaseOptions.model_json_schema()}}
            }
        },
    )
    async def make(name: str, request: Request) -> Response:
        body, client = await request.body(), writer(request)
        is_new, said = await workers.run(lambda: _made(service.databases(client), name, body))
        return json_answer(said, 201 if is_new else 200)

    @router.delete("/databases/{name}", summary="Remove a database with all that is in it")
    async def remove(name: str, request: Request) -> Response:
        client = writer(request)
        await workers.run(lambda: service.databases(client).delete(name))
        return json_answer({"deleted": name})

    @router.post("/databases/{name}/save", summary="Make the next opening quick")
    async def save(name: str, request: Request) -> Response:
        client = writer(request)
        await workers.run(lambda: service.databases(client).get(name).save())
        return json_answer({"saved": name})

    return router


def _all(databases: Databases) -> dict[str, Any]:
    return {"databases": [_facts(databases, name) for name in databases.names()]}


def _made(databases: Databases, name: str, body: bytes) -> tuple[bool, dict[str, Any]]:
    form = PictureForm(read_object(body) if body else {}, {}, is_text=False)
    options = form.options(DatabaseOptions)
    is_new = databases.create(name, Schema(options.metric, options.kind))
    return is_new, _facts(databases, name)


def _facts(databases: Databases, name: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("dimension", "metric", "kind", "count", "recall"))
    if (damaged := databases.damaged().get(name)) is not None:
        return {"name": name, **nothing, "damaged": damaged}
    its = databases.get(name).facts
    return {
        "name": name,
        "dimension": its.dimension,
        "metric": its.metric,
        "kind": its.kind,
        "count": its.count,
        "recall": its.recall,
        "damaged": None,
    }
