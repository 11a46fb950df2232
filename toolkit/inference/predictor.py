"""Pictures of any kind to features, one result a picture, in the order they were given."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from toolkit.data.sources import Source, open_sources
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.errors import ImageError
from toolkit.fetch.http import fetch_bytes
from toolkit.inference.engines.engine import Engine
from toolkit.inference.read_ahead import prepared_batches
from toolkit.inference.result import ClaimedNames, FeatureResult
from toolkit.inference.unit_vectors import unit_vectors


@dataclass(frozen=True, slots=True)
class _Picture:
    """A picture on its way: with the image, then with the feature, or with an error."""

    name: str | None
    image: NDArray[np.float32] | None = None
    feature: NDArray[np.float32] | None = None
    error: str | None = None


class Predictor:
    """A model that is ready to run.

    Args:
        model_name: what the model is called.
        pipeline: RGB pixels [h, w, 3] to the tensor [3, h, w] that the network takes.
        engine: runs the network.
        batch_size: pictures a forward pass where `predict` is not told otherwise.
        workers: threads that read and prepare pictures.
        fetch: loads an address.

    Raises:
        ValueError: `batch_size` is below 1.
    """

    def __init__(
        self,
        model_name: str,
        pipeline: Pipeline,
        engine: Engine,
        *,
        batch_size: int = 1,
        workers: int = 2,
        fetch: Callable[[str], bytes] = fetch_bytes,
    ) -> None:
        self.model_name = model_name
        self.pipeline = pipeline
        self.batch_size = _check_batch_size(batch_size)
        self._engine, self._workers, self._fetch = engine, workers, fetch

    def predict(
        self,
        input: object,  # noqa: A002 - PaddleX's name, which people pass by keyword
        batch_size: int | None = None,
    ) -> Iterator[FeatureResult]:
        """Computes the feature of every picture.

        Args:
            input: path (text or `Path`), folder, http(s) address, uint8 array (BGR), PIL image,
                bytes of an image file, or a list or iterator of these. An iterator is never asked
                for more than one batch.
            batch_size: pictures a forward pass; the features do not depend on it.

        Returns:
            A generator of one result a picture, in order. A picture that cannot be used is a result
            with `error`; the others go on.

        Raises:
            TypeError: an input of another type; at once, for an iterator when its turn comes.
            ValueError: `batch_size` is below 1; at once.
            DatasetError: the only input is a folder that is not there or holds no picture; at once.
        """
        size = self.batch_size if batch_size is None else _check_batch_size(batch_size)
        sources = open_sources(input, fetch=self._fetch)
        return self._results(sources, size, batches_ahead=0 if isinstance(input, Iterator) else 1)

    def _results(
        self, sources: Iterator[Source], batch_size: int, *, batches_ahead: int
    ) -> Iterator[FeatureResult]:
        batches = prepared_batches(
            sources,
            partial(_prepare, self.pipeline),
            batch_size=batch_size,
            workers=min(self._workers, batch_size * (1 + batches_ahead)),
            batches_ahead=batches_ahead,
        )
        names = ClaimedNames()
        for position, done in enumerate(chain.from_iterable(map(self._embed, batches))):
            yield FeatureResult(
                done.name, done.feature, error=done.error, position=position, names=names
            )

    def _embed(self, batch: list[_Picture]) -> list[_Picture]:
        """Replaces the images of a batch by their features."""
        images = [picture.image for picture in batch if picture.image is not None]
        if not images:
            return batch
        features = iter(self._engine.run(np.stack(images)))
        return [
            picture if picture.image is None else _with_feature(picture, next(features))
            for picture in batch
        ]


def _prepare(pipeline: Pipeline, source: Source) -> _Picture:
    try:
        image = pipeline(source.load(), np.random.default_rng(0))
    except ImageError as error:
        return _Picture(source.name, error=str(error))
    return _Picture(source.name, image=image)


def _with_feature(picture: _Picture, feature: NDArray[np.float32]) -> _Picture:
    if not np.isfinite(feature).all():
        return _Picture(picture.name, error="the network gave values that are not finite.")
    return _Picture(picture.name, feature=unit_vectors(feature[np.newaxis])[0])


def _check_batch_size(batch_size: int) -> int:
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it must be 1 or more.")
    return batch_size
