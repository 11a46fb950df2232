"""What the processes of a run agree on before an update: which batches, and of how many images."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.distributed.group import gather_json, meet, process_count
from toolkit.training.learner import Batch

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Group:
    """The batches of one update.

    Attributes:
        batches: this process's part of each that is trained on, with its number in the group.
        images: images in them, of all processes.
        failures: what could not be read in any process.
        length: batches that were read, those left out among them.
        stop: why the run is to end before this update; empty to go on.
    """

    batches: list[tuple[int, Batch]]
    images: int
    failures: list[str]
    length: int
    stop: str = ""


def agreed(group: Sequence[Batch], stop: str) -> Group:
    """Returns what all processes train on.

    A batch of which a process has no image is trained on by none: the others would wait for it
    where their losses gather. It is rare, a share of which nothing could be read or a last batch
    of fewer images than there are processes, and the log says so.

    Args:
        group: this process's part of every batch of an update.
        stop: why this process is to end; empty to go on.
    """
    # The one whose pictures take longest to read may be far behind.
    meet()
    own = [len(batch[1]) for batch in group]
    told = gather_json((own, [text for batch in group for text in batch[3]], stop))
    counts = list(zip(*(sizes for sizes, *_ in told), strict=True))
    for number, sizes in enumerate(counts):
        if 0 in sizes and any(sizes):
            _LOGGER.warning(
                "%d pictures are left out: batch %d of an update has none for process %d, so none "
                "of the %d processes trains on it.",
                *(sum(sizes), number, sizes.index(0), process_count()),
            )
    kept = [number for number, sizes in enumerate(counts) if all(sizes)]
    return Group(
        batches=[(number, group[number]) for number in kept],
        images=sum(sum(counts[number]) for number in kept),
        failures=[text for _, texts, _ in told for text in texts],
        length=len(group),
        stop=next((reason for *_, reason in told if reason), ""),
    )
