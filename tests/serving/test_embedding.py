"""The queue before the model: whoever asks gets what predict gives, however many ask at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import current_thread

import numpy as np
import pytest

from tests.serving.conftest import EXPORT, drawn
from toolkit.inference.directory import open_predictor
from toolkit.inference.predictor import Predictor
from toolkit.serving.embedding import Embedder, Likeness, compared
from toolkit.serving.problems import Kind, Problem


@pytest.fixture(scope="module", params=[1, 2])
def model(request: pytest.FixtureRequest) -> Predictor:
    """One stream for all, or one for each of two threads."""
    pytest.importorskip("onnxruntime")
    return open_predictor(EXPORT, device="cpu", engine="onnxruntime", threads=request.param)


@pytest.fixture
def sizes() -> list[int]:
    return []


@pytest.fixture
def embedder(model: Predictor, sizes: list[int]) -> Iterator[Embedder]:
    opened = Embedder(model, fingerprint="f", max_pixels=10_000, on_batch=sizes.append)
    yield opened
    opened.close()


def _expected(model: Predictor, pictures: list[bytes]) -> list[np.ndarray]:
    return [result.feature for result in model.predict(pictures, batch_size=1)]


def test_many_at_once_get_what_predict_gives(
    model: Predictor, embedder: Embedder, sizes: list[int]
) -> None:
    pictures = [drawn(seed) for seed in range(40)]
    expected = _expected(model, pictures)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda picture: embedder.embed(picture)[0], pictures))
    for one, other in zip(found, expected, strict=True):
        assert one @ other == pytest.approx(1, abs=1e-5)
    assert sum(sizes) == 40
    assert max(sizes) <= 16


def test_pictures_of_one_request_stay_in_order_and_a_bad_one_is_told(
    model: Predictor, embedder: Embedder
) -> None:
    pictures = [drawn(seed) for seed in range(20)]
    for one, other in zip(embedder.embed(*pictures), _expected(model, pictures), strict=True):
        assert one @ other == pytest.approx(1, abs=1e-5)
    cut = drawn(1, form="JPEG")[:-100]
    with pytest.raises(Problem) as caught:
        embedder.embed(drawn(1), cut, drawn(2))
    assert caught.value.kind is Kind.BAD_PICTURE
    with pytest.raises(Problem, match="pixels"):
        embedder.embed(drawn(1, side=102))
    # The queue goes on.
    assert len(embedder.embed(drawn(3))) == 1


def test_what_is_made_of_a_vector_is_made_where_it_is_computed(
    model: Predictor, embedder: Embedder
) -> None:
    """A bug in it, or a picture that cannot be used, is of one request alone."""
    pictures = [drawn(seed) for seed in range(6)]

    def go_on(at: int, vector: np.ndarray) -> tuple[str, np.ndarray]:
        if at == 3:
            raise KeyError(at)
        return current_thread().name, vector

    asked = [embedder.embed_then(one, partial(go_on, at)) for at, one in enumerate(pictures)]
    cut = embedder.embed_then(drawn(1, form="JPEG")[:-100], partial(go_on, 9))
    with pytest.raises(KeyError):
        asked.pop(3).result(10)
    with pytest.raises(Problem, match="cannot be used"):
        cut.result(10)
    expected = _expected(model, pictures[:3] + pictures[4:])
    for one, other in zip(asked, expected, strict=True):
        thread, vector = one.result(10)
        assert thread.startswith("batches-")
        assert vector @ other == pytest.approx(1, abs=1e-5)


def test_a_header_is_not_read_by_who_hands_the_picture_in(
    embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be made to take seconds, and who hands it in speaks to all clients."""
    threads, check = list[str](), embedder.check

    def watched(picture: bytes) -> object:
        threads.append(current_thread().name)
        return check(picture)

    monkeypatch.setattr(embedder, "check", watched)
    asked = [embedder.embed_then(one, len) for one in (drawn(1), b"words", drawn(2, side=102))]
    assert asked[0].result(10) == embedder.dimension
    with pytest.raises(Problem, match="no picture"):
        asked[1].result(10)
    with pytest.raises(Problem, match="pixels"):
        asked[2].result(10)
    assert len(threads) == 3
    assert all(name.startswith("batches-") for name in threads)


def test_how_alike_two_vectors_are() -> None:
    one, other = np.array([3.0, 4.0], np.float32), np.array([4.0, 3.0], np.float32)
    assert compared(one / 5, other / 5) == Likeness(
        pytest.approx(0.96), pytest.approx(0.08**0.5)
    )  # fmt: skip
    assert compared(one, -one).similarity == 0
    assert compared(one, np.zeros(2, np.float32)).cosine == 0
