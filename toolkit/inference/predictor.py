"""Pictures of any kind to features, one result a picture, in the order they were given."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from toolkit.data.sources import Source, open_sources
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.inference.engines.engine import Engine
from toolkit.inference.pipeline import FeaturePipeline
from toolkit.inference.result import ClaimedNames, FeatureResult


def _fetch_bytes(address: str) -> bytes:
    # Here, because the parts of Python that speak HTTPS take longer to import than a first picture.
    from toolkit.fetch.http import fetch_bytes

    return fetch_bytes(address)


class Predictor:
    """A model that is ready to run.

    Args:
        model_name: what the model is called.
        pipeline: RGB pixels [h, w, 3] to the tensor [3, h, w] that the network takes.
        engine: runs the network.
        batch_size: pictures a forward pass where `predict` is not told otherwise.
        workers: threads that read and prepare pictures where the engine has one stream.
        fetch: loads an address.
        decode: ``fast`` lets the decoder shrink a JPEG that is several times larger than `pipeline`
            resizes it to; ``exact`` decodes every pixel. Smaller pictures are the same with both.

    Raises:
        ValueError: `batch_size` is below 1, or `decode` is none of the two.
    """

    def __init__(
        self,
        model_name: str,
        pipeline: Pipeline,
        engine: Engine,
        *,
        batch_size: int = 1,
        workers: int = 2,
        fetch: Callable[[str], bytes] = _fetch_bytes,
        decode: Literal["fast", "exact"] = "fast",
    ) -> None:
        if decode not in ("fast", "exact"):
            raise ValueError(f"decode is {decode!r}; it must be 'fast' or 'exact'.")
        self.model_name = model_name
        self.pipeline = pipeline
        self.batch_size = _check_batch_size(batch_size)
        self._fetch = fetch
        self._target = pipeline.target() if decode == "fast" else None
        self._features = FeaturePipeline(engine, pipeline, workers=workers)

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
            batch_size: pictures a forward pass at most; the features do not depend on it. Where
                every core has a stream of its own, smaller passes are faster and are taken.

        Returns:
            A generator of one result a picture, in order. A picture that cannot be used is a result
            with `error`; the others go on.

        Raises:
            TypeError: an input of another type; at once, for an iterator when its turn comes.
            ValueError: `batch_size` is below 1; at once.
            DatasetError: the only input is a folder that is not there or holds no picture; at once.
        """
        size = self.batch_size if batch_size is None else _check_batch_size(batch_size)
        sources = open_sources(input, fetch=self._fetch, target=self._target)
        return self._results(sources, size, lazily=isinstance(input, Iterator))

    def streams(self) -> int:
        """Opens the engine's streams, and returns how many threads can compute side by side."""
        return self._features.streams()

    def predict_here(self, pictures: Sequence[bytes], *, alone: bool) -> list[FeatureResult]:
        """Computes the features of a few pictures in the thread that calls.

        Args:
            pictures: bytes of image files, as many as one forward pass takes.
            alone: nobody else computes: the network has all cores.
        """
        sources = open_sources(list(pictures), fetch=self._fetch, target=self._target)
        outcomes = self._features.in_this_thread(sources, alone=alone)
        return [FeatureResult(done.name, done.feature, error=done.error) for done in outcomes]

    def _results(
        self, sources: Iterator[Source], batch_size: int, *, lazily: bool
    ) -> Iterator[FeatureResult]:
        outcomes = self._features.features(sources, batch_size, lazily=lazily)
        names = ClaimedNames()
        for position, done in enumerate(outcomes):
            yield FeatureResult(
                done.name, done.feature, error=done.error, position=position, names=names
            )


def _check_batch_size(batch_size: int) -> int:
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it must be 1 or more.")
    return batch_size
