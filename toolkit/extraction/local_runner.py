"""Processes of this machine that take shard after shard; one that dies costs its shard only."""

import multiprocessing
import pickle
import signal
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from toolkit.errors import ExtractionError
from toolkit.extraction.records import Piece
from toolkit.extraction.waiting import Waiting
from toolkit.extraction.worker import ShardReport, Worker, WorkOrder

_GRACE_SECONDS = 5.0
_NAME = "extraction worker"


def run_here(order: WorkOrder, pieces: Sequence[Piece]) -> Iterator[ShardReport]:
    """Does all pieces in this process."""
    if pieces:
        worker = Worker(order)
        for piece in pieces:
            yield worker.run(piece)


def run_processes(
    order: WorkOrder, pieces: Sequence[Piece], *, num_worker: int
) -> Iterator[ShardReport]:
    """Does all pieces in processes that open the model once each; reports come as they are done.

    Raises:
        ExtractionError: a shard has killed its worker too often.
        ToolkitError: whatever a worker says of the model or the input.
    """
    waiting = Waiting(pieces)
    team = [_Hand(order) for _ in range(min(num_worker, len(pieces)))]
    try:
        while team:
            for hand in _heard_from(team):
                report = hand.listen()
                if isinstance(report, ShardReport):
                    yield report
                if not hand.is_alive:
                    team.remove(hand)
                    waiting.died(hand.piece, hand.told())
                    team.append(_Hand(order))
                    continue
                hand.give(waiting.next())
                if hand.piece is None:
                    team.remove(hand)
                    hand.stop()
    finally:
        for hand in team:
            hand.stop()


def refuse_in_worker() -> None:
    """Ends a worker that runs its parent's script a second time, instead of working for it.

    Raises:
        ExtractionError: this is such a worker.
    """
    # The name is there before the script is run again; whose child it is, only after.
    if multiprocessing.current_process().name == _NAME:
        raise ExtractionError(
            "Worker processes import the script that starts them. Put the call of toolkit.extract "
            'under: if __name__ == "__main__":, or set Extract.num_worker to 1.'
        )


class _Hand:
    """A process, the line to it, and the piece that it works on."""

    def __init__(self, order: WorkOrder) -> None:
        context = multiprocessing.get_context("spawn")
        self.line, theirs = context.Pipe()
        self.piece: Piece | None = None
        self.is_alive = True
        self.process: BaseProcess = context.Process(
            target=_serve, args=(theirs, order), name=_NAME, daemon=True
        )
        self.process.start()
        theirs.close()  # so that the end of the process is the end of the line

    def listen(self) -> ShardReport | None:
        """Returns the report of a shard; None when the worker has only opened its model, or died.

        Raises:
            ToolkitError: what it said before it gave up.
        """
        try:
            said: Any = self.line.recv()
        except (EOFError, OSError):
            self.is_alive = False
            return None
        if isinstance(said, BaseException):
            raise said
        return said if isinstance(said, ShardReport) else None

    def give(self, piece: Piece | None) -> None:
        """Hands out the next piece, or None: that was all."""
        self.piece = piece
        with suppress(OSError):  # it has died since: its line will say so
            self.line.send(piece)

    def told(self) -> str:
        """Says how the process ended."""
        self.process.join(_GRACE_SECONDS)
        code = self.process.exitcode
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"

    def stop(self) -> None:
        """Ends the process, whatever it does."""
        self.line.close()
        self.process.join(0 if self.piece else _GRACE_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _heard_from(team: Sequence[_Hand]) -> list[_Hand]:
    ready = wait([hand.line for hand in team])
    return [hand for hand in team if hand.line in ready]


def _serve(line: Connection, order: WorkOrder) -> None:
    """The life of a worker; it ends when the process at the other end of the line does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is told to the main process
    try:
        worker = Worker(order)
        line.send("ready")
        while (piece := line.recv()) is not None:
            line.send(worker.run(piece))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except Exception as error:  # told to the main process, which raises it
        line.send(_portable(error))


def _portable(error: Exception) -> Exception:
    """Returns the error, or its text where it cannot be sent."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own, made in this line
    except Exception:  # whatever its class does when it is copied
        return RuntimeError("".join(traceback.format_exception(error)))
    return error
