"""``/v1/jobs``: long imports, which go on after a restart."""

import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from toolkit.serving.jobs import Jobs
from toolkit.serving.problems import Kind, Problem
from toolkit.serving.service import Service
from toolkit.serving.tokens import Client
from toolkit.serving.web.answers import json_answer
from toolkit.serving.web.asking import asker, writer
from toolkit.serving.web.json_body import read_json_body, read_object
from toolkit.serving.web.picture_form import PictureForm
from toolkit.serving.web.rest_models import JobFacts, JobList, JobOptions
from toolkit.serving.web.rest_problems import PROBLEMS
from toolkit.serving.web.working import Workers

_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": JobOptions.model_json_schema()}},
    }
}


def job_routes(service: Service, workers: Workers, jobs: Jobs) -> APIRouter:
    """Returns the routes."""
    router = APIRouter(prefix="/v1", tags=["jobs"], responses=PROBLEMS)

    @router.post(
        "/databases/{name}/jobs",
        response_model=JobFacts,
        status_code=202,
        summary="Add many pictures, in the background",
        openapi_extra=_BODY,
    )
    async def start(name: str, request: Request) -> Response:
        body, client = await request.body(), writer(request)
        job = await workers.run(lambda: _started(service, jobs, client, name, body))
        return json_answer(job, 202)

    @router.get("/jobs", response_model=JobList, summary="All jobs")
    async def all_jobs(request: Request) -> Response:
        client = asker(request)
        found = await workers.run(lambda: jobs.resume(service.databases(client)).all())
        return json_answer({"jobs": [job.to_json() for job in found]})

    @router.get("/jobs/{job}", response_model=JobFacts, summary="How far a job is")
    async def one_job(job: str, request: Request) -> Response:
        client = asker(request)
        found = await workers.run(lambda: jobs.resume(service.databases(client)).get(job))
        return json_answer(found.to_json())

    @router.delete("/jobs/{job}", response_model=JobFacts, summary="End a job; what it wrote stays")
    async def cancel(job: str, request: Request) -> Response:
        client = writer(request)
        found = await workers.run(lambda: jobs.cancel(service.databases(client), job))
        return json_answer(found.to_json())

    return router


def _started(
    service: Service, jobs: Jobs, client: Client, name: str, body: bytes
) -> dict[str, Any]:
    options = PictureForm(read_object(body), {}, is_text=False).options(JobOptions)
    if (options.rows is None) == (options.file is None):
        raise Problem(Kind.WRONG_VALUE, "Give rows or file, one of them.")
    rows = options.rows
    if rows is None:
        lines = service.reader.read(options.file, client.home, "file").splitlines()
        values = [read_json_body(line) for line in lines if line.strip()]
        if not all(isinstance(value, dict) for value in values):
            raise Problem(Kind.WRONG_VALUE, "file: expected a JSON object in every line.")
        rows = values
    try:
        json.dumps(rows, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise Problem(Kind.WRONG_VALUE, f"rows cannot be kept as JSON: {error}.") from error
    databases = service.databases(client)
    return jobs.add(databases, name, rows, home=client.home, keep=options.keep).to_json()
