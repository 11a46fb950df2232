"""The group of processes that this one belongs to: who it is, and how all wait for each other."""

import json
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import paddle
from paddle import Tensor

_COUNT, _BACKEND = "PADDLE_TRAINERS_NUM", "PADDLE_DISTRI_BACKEND"
_ASK_AFTER = 0.001  # seconds, doubled up to the next
_ASK_AT_LEAST_EVERY = 0.1


def started_in_group() -> bool:
    """Tells whether a launcher started this process as one of several."""
    return int(os.environ.get(_COUNT, "1")) > 1


def join_group() -> None:
    """Joins the group that the launcher's environment names, once; waits for all to come."""
    if started_in_group() and not paddle.distributed.is_initialized():
        if not paddle.device.is_compiled_with_cuda():
            os.environ.setdefault(_BACKEND, "gloo")
        paddle.distributed.init_parallel_env()


def own_device() -> str:
    """Returns the device that this process of a group runs on: ``cpu`` or ``gpu:<number>``."""
    if os.environ.get(_BACKEND) == "gloo" or not paddle.device.is_compiled_with_cuda():
        return "cpu"
    environment: Any = paddle.distributed.ParallelEnv
    return f"gpu:{environment().device_id}"


def process_count() -> int:
    """Returns how many processes train together; 1 without a group."""
    return paddle.distributed.get_world_size() if paddle.distributed.is_initialized() else 1


def process_rank() -> int:
    """Returns the number of this process, from 0."""
    return paddle.distributed.get_rank() if paddle.distributed.is_initialized() else 0


def is_first() -> bool:
    """Tells whether this is the process that prints and writes."""
    return process_rank() == 0


def meet() -> None:
    """Waits, for as long as it takes, until every process has come here.

    The operations of gloo give up after 30 seconds, which Paddle has no setting for. Where one
    process may be late (it reads pictures, checks a dataset, writes an export) all meet first.
    """
    if process_count() == 1:
        return
    store = paddle.base.core.create_or_get_global_tcp_store()
    come, seconds = store.add("toolkit/met", 1), _ASK_AFTER
    # The processes meet one time after the other, so a count alone tells the times apart.
    awaited = -(-come // process_count()) * process_count()
    while store.add("toolkit/met", 0) < awaited:
        time.sleep(seconds)
        seconds = min(2 * seconds, _ASK_AT_LEAST_EVERY)


def first_alone(act: Callable[[], None]) -> None:
    """Lets the first process do something while the others wait."""
    if is_first():
        act()
    meet()


def first_then_others(act: Callable[[], None]) -> None:
    """Lets the first process do something, and then the others, who find what it left."""
    first_alone(act)
    if not is_first():
        act()


def told_by_first(compute: Callable[[], Any]) -> Any:
    """Returns to every process what the first one computes while the others wait.

    Args:
        compute: gives what JSON can hold; called in the first process only.
    """
    if process_count() == 1:
        return compute()
    value = compute() if is_first() else None
    meet()
    return gather_json(value)[0]


def told_by_all(reason: str) -> str:
    """Returns the first reason that a process of the group gives, to every process.

    Args:
        reason: of this one; empty for none.
    """
    meet()
    return next((given for given in gather_json(reason) if given), "")


def everywhere(flag: bool) -> bool:  # noqa: FBT001 - its one argument is the question
    """Tells whether something holds in every process."""
    return all(gather_json(flag))


def gather_json(value: Any) -> list[Any]:
    """Returns what every process gave, in their order; each value is what JSON can hold."""
    if process_count() == 1:
        return [value]
    # Numbers and not pickles: what comes over a socket must not be able to run code.
    text = np.frombuffer(json.dumps(value).encode(), dtype=np.uint8)
    lengths = all_gathered(paddle.to_tensor([len(text)], dtype="int64")).numpy()
    padded = np.zeros(int(lengths.max()), dtype=np.uint8)
    padded[: len(text)] = text
    rows = all_gathered(paddle.to_tensor(padded)).numpy().reshape(len(lengths), -1)
    return [json.loads(row[:length].tobytes()) for row, length in zip(rows, lengths, strict=True)]


def all_gathered(rows: Tensor) -> Tensor:
    """Returns the rows [n, ...] of every process as one [processes * n, ...], without gradient.

    Args:
        rows: of one shape in every process, n of 1 or more (gloo divides by it).
    """
    parts: list[Tensor] = []
    paddle.distributed.all_gather(parts, rows.detach().contiguous())
    return paddle.concat(parts)


def all_summed(values: Tensor) -> Tensor:
    """Returns the sum over the processes, without gradient; of the shape and type of `values`.

    Sums of float16 and bfloat16 come out wrong with gloo (Paddle 3.3), so they are made in float32.
    """
    if process_count() == 1:
        return values
    small = values.dtype in (paddle.float16, paddle.bfloat16)
    total = values.detach().astype("float32") if small else values.detach().clone()
    paddle.distributed.all_reduce(total)
    return total.astype(values.dtype)


def summed_values(values: dict[str, float]) -> dict[str, float]:
    """Returns the sums over the processes of numbers that all name alike."""
    if process_count() == 1:
        return values
    total = all_summed(paddle.to_tensor([*values.values()], dtype="float64")).numpy()
    return dict(zip(values, map(float, total), strict=True))
