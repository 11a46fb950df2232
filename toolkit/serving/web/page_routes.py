"""The web page: a folder of files, read once, that browsers may keep and that load nothing else."""

import mimetypes
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from toolkit.fingerprint import fingerprint_bytes
from toolkit.serving.problems import Kind, Problem

FOLDER = Path(__file__).parent.parent / "page"
_INDEX = "index.html"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_FOR_EVER, _ASK_AGAIN = "public, max-age=31536000, immutable", "no-cache"


@dataclass(frozen=True)
class _File:
    body: bytes
    kind: str
    fingerprint: str


def page_routes(folder: Path = FOLDER) -> APIRouter:
    """Returns the routes: ``/`` is the page, and ``/page/<name>`` are its other files.

    ``page/<name>`` in the page gets ``?v=<fingerprint>`` behind it, under which a browser may keep
    the file for ever; a new version has another address.
    """
    router, files = APIRouter(include_in_schema=False), _read(folder)

    @router.get("/")
    def page(request: Request) -> Response:
        return _answer(files, _INDEX, request)

    @router.get("/page/{name:path}")
    def file(name: str, request: Request) -> Response:
        return _answer(files, name, request)

    return router


def has_page(folder: Path = FOLDER) -> bool:
    """Tells whether there is a page."""
    return (folder / _INDEX).is_file()


def _read(folder: Path) -> dict[str, _File]:
    files = dict[str, _File]()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        body, kind = path.read_bytes(), mimetypes.guess_type(path.name)[0]
        name = path.relative_to(folder).as_posix()
        files[name] = _File(body, kind or "application/octet-stream", fingerprint_bytes(body))
    index = files[_INDEX].body
    for name, file in files.items():
        said = f"page/{name}".encode()
        index = index.replace(b'"%s"' % said, b'"%s?v=%s"' % (said, file.fingerprint.encode()))
    files[_INDEX] = _File(index, files[_INDEX].kind, fingerprint_bytes(index))
    return files


def _answer(files: dict[str, _File], name: str, request: Request) -> Response:
    if name not in files:
        raise Problem(Kind.NOT_FOUND, f"The page has no file {name[:80]!r}.")
    file = files[name]
    is_versioned = request.query_params.get("v") == file.fingerprint
    headers = {
        "Cache-Control": _FOR_EVER if is_versioned else _ASK_AGAIN,
        "Content-Security-Policy": _POLICY,
        "ETag": f'"{file.fingerprint}"',
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(file.body, media_type=file.kind, headers=headers)
