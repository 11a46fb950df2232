"""The same job on a Ray cluster: actors that open the model once take shard after shard.

Shards are files in the work folder, which all machines must see under the same path. What is in a
file depends on its piece alone, so it does not matter which actor wrote it, or that one died.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from toolkit.errors import import_optional
from toolkit.extraction.records import Piece
from toolkit.extraction.waiting import Waiting
from toolkit.extraction.worker import ShardReport, Worker, WorkOrder


def run_ray(
    order: WorkOrder,
    pieces: Sequence[Piece],
    *,
    num_worker: int | None,
    threads: int,
    address: str | None,
) -> Iterator[ShardReport]:
    """Does all pieces on a cluster; reports come as they are done.

    Args:
        order: what the workers must know; its paths hold on every machine.
        pieces: what is to be done.
        num_worker: how many actors; None takes as many as the cluster has room for.
        threads: cores that each is given.
        address: of the cluster; None takes the one that there is, or starts one on this machine.

    Raises:
        ExtraError: Ray is not installed.
        ExtractionError: a shard has killed its actor too often.
        ToolkitError: whatever a worker says of the model or the input.
    """
    if not pieces:
        return
    ray = import_optional("ray", purpose="Extract.runner ray")
    was_connected = ray.is_initialized()
    if not was_connected:
        ray.init(address=address, log_to_driver=False, logging_level="error")
    try:
        room = max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)
        yield from _Team(ray, order, threads).work(pieces, min(num_worker or room, len(pieces)))
    finally:
        if not was_connected:
            ray.shutdown()


class _Team:
    """Actors, and which piece each works on."""

    def __init__(self, ray: Any, order: WorkOrder, threads: int) -> None:
        self._ray = ray
        self._kind = ray.remote(num_cpus=threads)(Worker)
        # Sent once for all actors.
        self._order = ray.put(order)
        self._under_way: dict[Any, tuple[Any, Piece]] = {}

    def work(self, pieces: Sequence[Piece], count: int) -> Iterator[ShardReport]:
        """Yields a report of each piece."""
        waiting = Waiting(pieces)
        for _ in range(count):
            self._give(self._kind.remote(self._order), waiting.next())
        while self._under_way:
            (ready,), _ = self._ray.wait(list(self._under_way), num_returns=1)
            actor, piece = self._under_way.pop(ready)
            try:
                report: ShardReport = self._ray.get(ready)
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from error
            except self._ray.exceptions.RayActorError as error:
                waiting.died(piece, " ".join(str(error).split()))
                actor = self._kind.remote(self._order)
            else:
                yield report
            self._give(actor, waiting.next())

    def _give(self, actor: Any, piece: Piece | None) -> None:
        if piece is not None:
            self._under_way[actor.run.remote(piece)] = actor, piece
