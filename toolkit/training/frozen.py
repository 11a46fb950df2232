"""Training in two phases: first neck and head on what a frozen backbone gives, then all of it.

In the first phase the backbone does not run at all: the features of every picture are known. So
nothing is augmented, the backbone's statistics and weights stay bit for bit, and a step takes what
neck and head take. Checkpoints hold the whole network in both phases.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from paddle import Tensor

from toolkit.data.samplers import Key, Sampler
from toolkit.models.recognizer import Recognizer
from toolkit.training.ema import AveragedWeights
from toolkit.training.feature_store import BackboneFeatures
from toolkit.training.learner import Batch, Loader

_LOG = logging.getLogger(__name__)

_BACKBONE = "backbone."


class FrozenRecognizer(Recognizer):
    """A recogniser that is trained on stored features while it is frozen, and on images after.

    Args:
        network: its parts become this network's; names and weights stay.

    Attributes:
        frozen: `forward` takes what `Recognizer.read` gives, and the backbone does not run, so that
            training changes nothing of it. `embed` takes images all the same.
    """

    def __init__(self, network: Recognizer) -> None:
        super().__init__(network.backbone, network.neck, network.head)
        self.frozen = True

    def forward(self, images: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """Computes the outputs of images or, while frozen, of what the backbone gave for them."""
        if self.frozen:
            return self.outputs_of(images, labels)
        return super().forward(images, labels)


@dataclass(frozen=True)
class Phases:
    """Which epochs are trained with a frozen backbone.

    Attributes:
        thaw_at: the first epoch, from 1, in which the backbone is trained too; None: never.
        factor: of the learning rate from that epoch on.
    """

    thaw_at: int | None = None
    factor: float = 1.0

    def frozen(self, epoch: int) -> bool:
        """Says whether the backbone is frozen in an epoch."""
        return self.thaw_at is None or epoch < self.thaw_at

    def schedule(
        self, plain: Callable[[int], float], steps_per_epoch: int
    ) -> Callable[[int], float]:
        """Returns a learning rate by step that has the factor from the thaw on."""

        def rate(step: int) -> float:
            return plain(step) * (1.0 if self.frozen(step // steps_per_epoch + 1) else self.factor)

        return rate

    def switch(
        self, model: FrozenRecognizer, average: AveragedWeights | None
    ) -> Callable[[int], None]:
        """Returns what has to be told of every epoch before it begins; it says what changes."""
        told: list[bool] = []

        def before_epoch(epoch: int) -> None:
            model.frozen = self.frozen(epoch)
            if average is not None:
                average.held = _BACKBONE if model.frozen else None
            if [model.frozen] == told:
                return
            told[:] = [model.frozen]
            if model.frozen:
                until = "" if self.thaw_at is None else f" until epoch {self.thaw_at}"
                _LOG.info(
                    "From epoch %d on the backbone is frozen%s: neck and head are trained on its "
                    "stored features, without augmentation.",
                    *(epoch, until),
                )
            else:
                _LOG.info(
                    "From epoch %d on the backbone is trained too, on augmented pictures, and the "
                    "learning rate is multiplied by %g.",
                    *(epoch, self.factor),
                )

        return before_epoch


class FeatureLoader:
    """Batches of stored features in the order that a sampler gives.

    Args:
        features: of each item.
        labels: class index of each item, int64.
        sampler: which items form which batch.
    """

    def __init__(
        self, features: BackboneFeatures, labels: NDArray[np.int64], sampler: Sampler
    ) -> None:
        self._features, self._labels, self._sampler = features, labels, sampler

    def __len__(self) -> int:
        """Batches of an epoch."""
        return len(self._sampler)

    def epoch(self, epoch: int, skip_batches: int) -> Iterator[Batch]:
        """Yields the batches of an epoch (from 1), leaving out the first ones."""
        self._sampler.set_epoch(epoch - 1)
        self._sampler.skip(skip_batches)
        return map(self._batch, self._sampler)

    def _batch(self, keys: list[Key]) -> Batch:
        features = self._features
        rows = {index: row for _, index in keys if (row := features.rows[index]) is not None}
        read = [index for _, index in keys if index in rows]
        stacked = np.stack([rows[index] for index in read]) if read else np.empty((0, 1))
        indices = np.array(read, dtype=np.int64)
        failures = [features.failures[index] for _, index in keys if index in features.failures]
        return stacked.astype(np.float32, copy=False), self._labels[indices], indices, failures


class PhasedLoader:
    """Stored features while the backbone is frozen, pictures from then on.

    Args:
        phases: when.
        features: of the frozen epochs; None when none is left.
        pictures: of the others.
    """

    def __init__(self, phases: Phases, features: Loader | None, pictures: Loader) -> None:
        self._phases, self._features, self._pictures = phases, features, pictures

    def __len__(self) -> int:
        """Batches of an epoch."""
        return len(self._pictures)

    def epoch(self, epoch: int, skip_batches: int) -> Iterator[Batch]:
        """Yields the batches of an epoch (from 1), leaving out the first ones."""
        frozen = self._features is not None and self._phases.frozen(epoch)
        loader = self._features if frozen and self._features is not None else self._pictures
        return loader.epoch(epoch, skip_batches)
