"""All routes as one application, and the gate before them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from toolkit.errors import ToolkitError
from toolkit.serving.jobs import Jobs
from toolkit.serving.limits import Limits
from toolkit.serving.metrics import Metrics
from toolkit.serving.problems import Kind, Problem, problem_of
from toolkit.serving.service import Service
from toolkit.serving.tokens import Tokens
from toolkit.serving.web.answers import problem_answer
from toolkit.serving.web.database_routes import database_routes
from toolkit.serving.web.feature_routes import feature_routes
from toolkit.serving.web.gate import Gate
from toolkit.serving.web.job_routes import job_routes
from toolkit.serving.web.page_routes import has_page, page_routes
from toolkit.serving.web.picture_routes import picture_routes
from toolkit.serving.web.predict_routes import predict_routes
from toolkit.serving.web.probe_routes import probe_routes
from toolkit.serving.web.shitu_routes import shitu_routes
from toolkit.serving.web.working import Workers
from toolkit.version import __version__

_OF_STATUS = {404: Kind.NOT_FOUND, 405: Kind.WRONG_METHOD, 413: Kind.TOO_LARGE}


@dataclass(frozen=True)
class Application:
    """What a server runs.

    Attributes:
        gate: the ASGI application.
        workers: its threads.
        jobs: what it does beside requests.
    """

    gate: Gate
    workers: Workers
    jobs: Jobs

    def close(self) -> None:
        """Ends when what is under way is done; jobs go on with the next process."""
        self.workers.close()
        self.jobs.close()


def build_application(
    service: Service,
    metrics: Metrics,
    *,
    services: Mapping[str, Literal["match", "retrieval"]],
    tokens: Tokens | None,
    limits: Limits,
    open_metrics: bool = False,
    page: bool = True,
) -> Application:
    """Puts the routes together.

    Args:
        service: the model and the databases.
        metrics: told of every answer.
        services: names below ``/api/predict/``, and what each is.
        tokens: who may come in; None for everybody.
        limits: how much is taken on.
        open_metrics: give ``/metrics`` without a token.
        page: show the web page at ``/``.
    """
    app = FastAPI(
        title="Image retrieval",
        version=__version__,
        # Swagger's page loads scripts from elsewhere; ours does not.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    workers = Workers(limits)
    open_paths = frozenset({"/metrics"} if open_metrics else ())
    gate = Gate(app, tokens, limits, metrics, open_paths)
    metrics.watch(
        service.folders,
        lambda: service.embedder.waiting,
        lambda: gate.buffers.requests,
        lambda: gate.buffers.bytes,
    )
    # Routes are tried in turn: pictures are searched with more often than databases are made.
    app.include_router(picture_routes(service, workers))
    app.include_router(predict_routes(service, workers, services))
    for routes in (feature_routes, shitu_routes, database_routes):
        app.include_router(routes(service, workers))
    app.include_router(probe_routes(service, metrics, lambda: gate.is_stopping))
    jobs = Jobs(service)
    app.include_router(job_routes(service, workers, jobs))
    if page and has_page():
        app.include_router(page_routes())
    _answer_problems(app)
    jobs.resume(service.folders.at(service.folders.root / service.default_folder))
    return Application(gate, workers, jobs)


def _answer_problems(app: FastAPI) -> None:
    """Whatever is raised becomes an answer; what is no problem goes on to the gate, as a bug."""

    async def told(request: Request, error: Exception) -> Response:
        return problem_answer(problem_of(error), request.url.path, request.state.request)

    async def of_framework(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            kind = _OF_STATUS.get(error.status_code, Kind.WRONG_VALUE)
            path, method = request.url.path, request.method
            problem = Problem(kind, f"{method} {path[:200]}: {error.detail}.")
        else:
            problem = Problem(Kind.WRONG_VALUE, _said(error))
        answer = problem_answer(problem, request.url.path, request.state.request)
        for name, value in (getattr(error, "headers", None) or {}).items():
            answer.headers[name] = value
        return answer

    app.add_exception_handler(Problem, told)
    app.add_exception_handler(ToolkitError, told)
    app.add_exception_handler(HTTPException, of_framework)
    app.add_exception_handler(RequestValidationError, of_framework)


def _said(error: Exception) -> str:
    """Says which parameter is wrong and why, without what was sent."""
    if not isinstance(error, RequestValidationError):
        return str(error)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
