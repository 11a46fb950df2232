"""A service on the model that ships with the package, without a socket."""

import base64
import io
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from toolkit.inference.directory import open_predictor
from toolkit.inference.model_fingerprint import model_fingerprint
from toolkit.inference.predictor import Predictor
from toolkit.serving.databases import Folders, Model, Quota
from toolkit.serving.decoding import Decoder
from toolkit.serving.embedding import Embedder
from toolkit.serving.limits import Limits
from toolkit.serving.pictures import PictureReader
from toolkit.serving.service import Service
from toolkit.serving.tokens import Client, Tokens

EXPORT = Path(__file__).parents[2] / "toolkit" / "cards" / "embedded" / "SmallResNet_general"
WORD = "w0rd"
SERVICES = {"img_match_001": "match", "img_retrieval_001": "retrieval"}
TOKENS = ["w0rd", "r3ad read", "0ther write other"]
WRITER, READER = Client("w", "write"), Client("r", "read")


def drawn(seed: int, side: int = 48, form: str = "PNG", mode: str = "RGB") -> bytes:
    """Four colours in four corners: as different as seeds are."""
    corners = np.random.default_rng(seed).integers(0, 256, (2, 2, 3), np.uint8)
    pixels = corners.repeat(side // 2, 0).repeat(side // 2, 1)
    written = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(written, form)
    return written.getvalue()


def as_text(picture: bytes) -> str:
    return base64.b64encode(picture).decode()


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    pytest.importorskip("onnxruntime")
    return open_predictor(EXPORT, device="cpu", engine="onnxruntime", threads=1)


@pytest.fixture
def make_service(predictor: Predictor) -> Iterator[Callable[..., Service]]:
    opened = list[Service]()

    def make(root: Path, quota: Quota | None = None, **reading: object) -> Service:
        embedder = Embedder(predictor, fingerprint=model_fingerprint(EXPORT), max_pixels=1_000_000)
        model = Model(embedder.dimension, embedder.fingerprint)
        folders = Folders(root, model, quota or Quota(10, 1000))
        reader = PictureReader(root, 1_000_000, **reading)  # type: ignore[arg-type]
        service = Service(embedder, folders, reader, Decoder(1_000_000), max_topk=100)
        opened.append(service)
        return service

    yield make
    for service in opened:
        service.close()


@pytest.fixture
def service(make_service: Callable[..., Service], tmp_path: Path) -> Service:
    return make_service(tmp_path / "root")


@pytest.fixture
def client_of() -> Iterator[Callable[..., Any]]:
    opened = []

    def client_of(service: Service, token: str | None = WORD, **limits: Any) -> Any:
        from starlette.testclient import TestClient

        from toolkit.serving.metrics import Metrics
        from toolkit.serving.web.app import build_application

        application = build_application(
            service,
            Metrics(),
            services=SERVICES,  # type: ignore[arg-type]
            tokens=Tokens(TOKENS),
            limits=Limits(**{"workers": 4, **limits}),
        )
        opened.append(application)
        headers = {} if token is None else {"Authorization": token}
        return TestClient(application.gate, headers=headers)

    yield client_of
    for application in opened:
        application.close()


@pytest.fixture
def open_client(service: Service, client_of: Callable[..., Any]) -> Callable[..., Any]:
    return partial(client_of, service)


@pytest.fixture
def client(open_client: Callable[..., Any]) -> Any:
    return open_client()
