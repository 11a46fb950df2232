"""What a check of a recipe looks at, and what it finds."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from toolkit.config.parts import Part
from toolkit.config.schema import Config


@dataclass(frozen=True)
class RecipeFinding:
    """One value that does not go with the data or with the rest of the recipe.

    Attributes:
        code: what it is; docs/training.md has the table.
        severity: ``error`` for what cannot work, ``warning`` for what is unlikely to.
        key: where the value is set.
        value: the value.
        why: what is wrong with it.
        fix: what to change it to.
    """

    code: str
    severity: Literal["error", "warning"]
    key: str
    value: Any
    why: str
    fix: str

    def __str__(self) -> str:
        """Returns one line for a person."""
        return f"{self.code}: {self.key} is {self.value}: {self.why} {self.fix}"

    def row(self) -> dict[str, Any]:
        """Returns the finding as plain data."""
        return asdict(self)


_BATCH = "Train.batch_size"


@dataclass(frozen=True)
class Recipe:
    """A configuration, and what its training list has.

    Attributes:
        config: what is trained.
        class_sizes: pictures of each class, int64 [c]; None for training without labels.
        num_images: rows of the list, each turned one counted.
        num_outputs: rows of the class head.
        num_processes: how many share a batch.
    """

    config: Config
    class_sizes: NDArray[np.int64] | None
    num_images: int
    num_outputs: int = 0
    num_processes: int = 1

    @property
    def sampler(self) -> Part:
        """How pictures form batches."""
        return self.config.Data.sampler

    @property
    def batch(self) -> int:
        """Pictures a batch, of all processes."""
        return self.config.Train.batch_size * self.num_processes

    @property
    def batch_key(self) -> str:
        """Where that is set."""
        several = self.num_processes > 1
        return f"Train.batch_size x {self.num_processes} processes" if several else _BATCH

    @property
    def draws_classes(self) -> bool:
        """Whether the sampler puts several pictures of a class into a batch on purpose."""
        return "sample_per_id" in self.sampler.options

    @property
    def steps_per_epoch(self) -> int:
        """Updates of an epoch, about: samplers that draw classes may make some more."""
        batches = self.num_images // self.batch
        if not self.sampler.options.get("drop_last", True):
            batches = -(-self.num_images // self.batch)
        return -(-max(1, batches) // self.config.Train.accumulate_steps)

    def losses(self, names: Iterable[str]) -> Iterator[Part]:
        """Yields the losses of the recipe that are among some."""
        wanted = frozenset(names)
        return (part for part in self.config.Loss if part.name in wanted)
