"""``/v1/features`` and ``/v1/match``: pictures without a database."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from toolkit.serving.embedding import Vector, compared
from toolkit.serving.service import Service
from toolkit.serving.web.answers import json_answer
from toolkit.serving.web.asking import asker
from toolkit.serving.web.embedding import with_vector
from toolkit.serving.web.picture_form import body_of, read_form
from toolkit.serving.web.rest_models import Features, MatchAnswer, NoOptions
from toolkit.serving.web.rest_problems import PROBLEMS
from toolkit.serving.web.working import Workers

_TWO = ("imagea", "imageb")


def feature_routes(service: Service, workers: Workers) -> APIRouter:
    """Returns the routes."""
    router = APIRouter(prefix="/v1", tags=["features"], responses=PROBLEMS)
    embedder = service.embedder

    @router.post(
        "/features",
        response_model=Features,
        summary="The vector of a picture",
        openapi_extra=body_of(NoOptions),
    )
    async def features(request: Request) -> Response:
        form = await read_form(request)
        form.options(NoOptions)

        def told(vector: Vector) -> dict[str, Any]:
            return {
                # The shortest digits that give the same float32.
                "feature": [float(str(value)) for value in vector],
                "dimension": embedder.dimension,
                "model": embedder.model_name,
                "fingerprint": embedder.fingerprint,
            }

        return json_answer(await with_vector(form, service, asker(request), workers, told))

    @router.post(
        "/match",
        response_model=MatchAnswer,
        summary="How alike two pictures are",
        openapi_extra=body_of(NoOptions, _TWO),
    )
    async def match(request: Request) -> Response:
        form, client = await read_form(request, _TWO), asker(request)

        def work() -> dict[str, float]:
            form.options(NoOptions)
            pictures = [form.picture(name, service, client) for name in _TWO]
            likeness = compared(*embedder.embed(*pictures))
            return {
                "similarity": likeness.similarity,
                "cosine_similarity": likeness.cosine,
                "l2_distance": likeness.l2_distance,
            }

        return json_answer(await workers.run(work))

    return router
