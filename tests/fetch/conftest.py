from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import FileServer, serving

from toolkit.fetch import http
from toolkit.fetch.options import FetchOptions


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr(http, "_PAUSES", (0.0, 0.0))
    monkeypatch.setenv("no_proxy", "*")
    with serving() as running:
        yield running


@pytest.fixture
def options(tmp_path: Path) -> FetchOptions:
    return FetchOptions(tmp_path / "cache")
