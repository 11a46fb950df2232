"""The page in Chromium, against a server that is a process of its own.

Whatever the page does, at the end of each test: no mistake of a script, nothing that its content
policy forbids, and no request to anybody else.
"""

import base64
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.e2e.served import TOKEN, Served

PATIENCE = 15_000  # milliseconds; other tests share the cores
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_REFUSED = "Failed to load resource"
# Counts addresses of objects that were made and not given back.
_COUNT_ADDRESSES = """
window.openAddresses = new Set();
const make = URL.createObjectURL, end = URL.revokeObjectURL;
URL.createObjectURL = (blob) => { const url = make(blob); openAddresses.add(url); return url; };
URL.revokeObjectURL = (url) => { openAddresses.delete(url); end(url); };
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium a module: as long as Playwright runs, nothing else may run an event loop."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next((found for name in _PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("Chromium is not on this machine")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@dataclass(frozen=True)
class Shop:
    """A server with databases."""

    server: Served

    def make(self, database: str, pictures: dict[str, bytes], **data: Any) -> None:
        """Makes a database with a picture in each group."""
        self.ask(f"/v1/databases/{database}", method="PUT")
        for group, picture in pictures.items():
            self.add(database, group, picture, data)

    def add(self, database: str, group: str, picture: bytes, data: dict[str, Any]) -> None:
        image = base64.b64encode(picture).decode()
        record = {"image": image, "group_id": group, "data": data}
        self.ask(f"/v1/databases/{database}/images", record)

    def count(self, database: str) -> int:
        return int(self.ask(f"/v1/databases/{database}")["count"])

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        headers = {"Authorization": TOKEN, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.server.address + path, data, headers, method=method)  # noqa: S310
        with urlopen(request, timeout=60) as answer:  # noqa: S310 - our own server
            return json.loads(answer.read())


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A server for all tests; each has databases of its own."""
    for package in ("fastapi", "uvicorn", "prometheus_client", "python_multipart", "onnxruntime"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("page")
    served = Served(folder / "root", folder / "out")
    yield Shop(served)
    served.kill()


@pytest.fixture
def open_page(browser: Any, shop: Shop) -> Iterator[Callable[..., Any]]:
    """Returns a function that opens the page in a fresh profile.

    Its arguments: the path, the token that the person entered before (None: none yet), the database
    that was chosen before, `refused=True` where answers are expected that refuse something, the
    address of another server, and Playwright's options of a context.
    """
    contexts, wrong = [], list[str]()

    def open_page(
        place: str = "",
        *,
        token: str | None = TOKEN,
        database: str | None = None,
        refused: bool = False,
        address: str = shop.server.address,
        **options: Any,
    ) -> Any:
        context = browser.new_context(**{"locale": "en-GB", **options})
        context.set_default_timeout(PATIENCE)
        context.add_init_script(_COUNT_ADDRESSES)
        context.add_init_script(_kept(token, database))
        page = context.new_page()
        page.on("console", lambda said: wrong.extend(_mistakes(said, refused=refused)))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: wrong.extend(_strangers(asked.url, address)))
        page.goto(f"{address}/#/{place}")
        contexts.append(context)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def _kept(token: str | None, database: str | None) -> str:
    """Returns a script that does what earlier visits would have done, once a profile."""
    lines = [f"sessionStorage.setItem('token', {json.dumps(token)});"] if token else []
    lines += [f"localStorage.setItem('database', {json.dumps(database)});"] if database else []
    joined = " ".join(lines)
    return f"if (!sessionStorage.getItem('kept')) {{ {joined} sessionStorage.setItem('kept', 1); }}"


def _mistakes(said: Any, *, refused: bool) -> list[str]:
    if said.type not in ("error", "warning") or (refused and said.text.startswith(_REFUSED)):
        return []
    return [said.text]


def _strangers(url: str, address: str) -> list[str]:
    return [] if url.startswith((address, "blob:", "data:")) else [f"a request to {url}"]


@pytest.fixture
def file_of(tmp_path: Path) -> Callable[[str, bytes], str]:
    """Returns a function that writes a file and returns its path."""

    def write(name: str, body: bytes) -> str:
        (tmp_path / name).write_bytes(body)
        return str(tmp_path / name)

    return write


def give(page: Any, files: str | list[str], place: str = "#search-intake") -> None:
    """Chooses files as a person does in the window of the system."""
    page.locator(f"{place} input[type=file]").first.set_input_files(files)


def first_hit(page: Any) -> Any:
    return page.locator("#hits .card").first
