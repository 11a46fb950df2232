"""``/v1/databases/{name}``: pictures, the pictures of them, and search."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from toolkit.serving.embedding import Vector
from toolkit.serving.kept_picture import content_type, name_for, thumbnail
from toolkit.serving.picture_parts import Part, parts_of
from toolkit.serving.picture_records import (
    PictureRecord,
    checked_data,
    checked_group,
    checked_intra,
    entry_json,
    hit_json,
    of_group,
    record_of,
)
from toolkit.serving.problems import Kind, Problem
from toolkit.serving.service import Service
from toolkit.serving.tokens import Client
from toolkit.serving.web.answers import json_answer
from toolkit.serving.web.asking import asker, writer
from toolkit.serving.web.embedding import with_vector
from toolkit.serving.web.picture_form import PictureForm, body_of, read_form
from toolkit.serving.web.rest_models import (
    Added,
    AddOptions,
    Deleted,
    Pictures,
    SearchAnswer,
    SearchOptions,
)
from toolkit.serving.web.rest_problems import PROBLEMS
from toolkit.serving.web.working import Workers

_Group = Annotated[str | None, Query(max_length=256, description="Of this group only.")]
_Intra = Annotated[int | None, Query(ge=0, description="This picture of the group only.")]
_Limit = Annotated[int, Query(ge=1, le=1000)]
_Side = Annotated[int | None, Query(ge=16, le=2048, description="A JPEG no larger than this.")]
# How sure the detector must be; PaddleX's default.
_SURE = 0.5
# A picture that opens by itself runs nothing and loads nothing.
_SHOWN = {
    "Cache-Control": "private, max-age=60",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


def picture_routes(service: Service, workers: Workers) -> APIRouter:
    """Returns the routes."""
    router = APIRouter(prefix="/v1/databases/{name}", tags=["pictures"], responses=PROBLEMS)

    @router.post(
        "/search",
        response_model=SearchAnswer,
        summary="Find the nearest pictures",
        openapi_extra=body_of(SearchOptions),
    )
    async def search(name: str, request: Request) -> Response:
        form = await read_form(request)
        search = _Search(service, asker(request), name, form.options(SearchOptions))
        return json_answer(await search.answer(form, workers))

    @router.post(
        "/images",
        response_model=Added,
        status_code=201,
        summary="Add a picture, or replace the one with its group_id and intra_id",
        openapi_extra=body_of(AddOptions),
    )
    async def add(name: str, request: Request) -> Response:
        form, client = await read_form(request), writer(request)
        said = await workers.run(lambda: _added(service, client, name, form))
        return json_answer(said, 201 if said["is_new"] else 200)

    @router.get("/images", response_model=Pictures, summary="Records, in the order of writing")
    async def records(
        name: str,
        request: Request,
        group_id: _Group = None,
        intra_id: _Intra = None,
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: _Limit = 100,
    ) -> Response:
        where = _where(group_id, intra_id)

        def work() -> dict[str, Any]:
            database = service.databases(asker(request)).get(name)
            found = database.entries(where, offset, limit)
            return {
                "count": database.count(where),
                "pictures": [entry_json(entry) for entry in found],
            }

        return json_answer(await workers.run(work))

    @router.delete("/images", response_model=Deleted, summary="Remove a picture or a group")
    async def remove(
        name: str,
        request: Request,
        group_id: Annotated[str, Query(max_length=256)],
        intra_id: _Intra = None,
    ) -> Response:
        where, client = _where(group_id, intra_id), writer(request)

        def work() -> int:
            return service.databases(client).get(name).remove_where(where)

        if not (count := await workers.run(work)):
            raise Problem(Kind.NO_RECORD, "There is no such record.")
        return json_answer({"deleted": count})

    @router.post("/clean", response_model=Deleted, summary="Remove every record")
    async def clean(name: str, request: Request) -> Response:
        client = writer(request)
        count = await workers.run(lambda: service.databases(client).get(name).remove_where({}))
        return json_answer({"deleted": count})

    @router.get("/picture", summary="A picture that was kept", response_class=Response)
    async def kept(
        name: str,
        request: Request,
        group_id: Annotated[str, Query(max_length=256)],
        intra_id: Annotated[int, Query(ge=0)],
        side: _Side = None,
    ) -> Response:
        key = checked_group(group_id), checked_intra(intra_id)
        body, its_type = await workers.run(lambda: _kept(service, asker(request), name, key, side))
        return Response(body, media_type=its_type, headers=_SHOWN)

    return router


def _added(service: Service, client: Client, name: str, form: PictureForm) -> dict[str, Any]:
    options = form.options(AddOptions)
    database = service.databases(client).get(name)
    group, data = checked_group(options.group_id), checked_data(options.data)
    picture = form.picture("image", service, client)
    (vector,) = service.embedder.embed(picture)
    savename = (options.savename or name_for(picture)) if options.keep else None
    record = PictureRecord(group, options.intra_id or 0, savename, data)
    if options.intra_id is None:
        (record,) = database.append([vector], [record], [picture])
        return {**record.to_json(), "is_new": True}
    is_new = database.put(vector, record, picture)
    return {**record.to_json(), "is_new": is_new}


@dataclass(frozen=True)
class _Search:
    """What one request is to find."""

    service: Service
    client: Client
    name: str
    options: SearchOptions

    async def answer(self, form: PictureForm, workers: Workers) -> dict[str, Any]:
        if self.options.k > (most := self.service.max_topk):
            said = f"k is {self.options.k}; at most {most} are found."
            raise Problem(Kind.WRONG_VALUE, said)
        if self.options.detect:
            return await workers.run(lambda: self._by_detector(form))
        return await with_vector(form, self.service, self.client, workers, self._found)

    def _by_detector(self, form: PictureForm) -> dict[str, Any]:
        part, *_ = _detected(self.service, form.picture("image", self.service, self.client))
        (vector,) = self.service.embedder.embed(part.picture)
        return self._found(vector) | {"box": list(part.corners)}

    def _found(self, vector: Vector) -> dict[str, Any]:
        options, where = self.options, dict(self.options.where)
        if options.group_id is not None:
            where["group_id"] = checked_group(options.group_id)
        database = self.service.databases(self.client).get(self.name)
        hits = database.search(
            vector, options.k, where=where, threshold=options.threshold, by_group=options.by_group
        )
        return {"neighbours": [hit_json(hit, rank) for rank, hit in enumerate(hits, start=1)]}


def _detected(service: Service, picture: bytes) -> list[Part]:
    if service.detector is None:
        raise Problem(Kind.WRONG_VALUE, "detect: there is no detector here (Serve.detector_dir).")
    return parts_of(service, picture, None, _SURE)


def _kept(
    service: Service, client: Client, name: str, key: tuple[str, int], side: int | None
) -> tuple[bytes, str]:
    database = service.databases(client).get(name)
    entry = database.get(*key)
    savename = None if entry is None else record_of(entry.record).savename
    picture = None if savename is None else database.picture(savename)
    if picture is None:
        raise Problem(Kind.NO_RECORD, "There is no such picture, or it was not kept.")
    if side is None:
        return picture, content_type(picture)
    return thumbnail(picture, side, service.decoder), "image/jpeg"


def _where(group_id: str | None, intra_id: int | None) -> dict[str, Any]:
    if group_id is None:
        return {} if intra_id is None else {"intra_id": intra_id}
    return dict(of_group(checked_group(group_id), intra_id))
