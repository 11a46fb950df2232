"""How much memory and time a head for very many classes takes in training.

    python -m benchmarks.many_classes [--classes N] [--width D] [--sample-rate R] [--batch B]
                                      [--steps N] [--processes P]

Embeddings are random; a network in front of the head would add its own. Prints one line a process.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.peak_memory import peak_mib

_PAUSE_STEPS = 2  # the first steps make what later ones use again


def measured(classes: int, width: int, rate: float, batch: int, steps: int) -> list[str]:
    """Trains a head for some steps; returns a line for each process, in the first one."""
    import numpy as np
    import paddle

    from toolkit.distributed.gradients import sum_gradients
    from toolkit.distributed.group import gather_json, process_count, process_rank
    from toolkit.kernels.memory import keep_freed_memory
    from toolkit.losses.cross_entropy import CELoss
    from toolkit.models.heads import ArcMargin
    from toolkit.training.named_optimizer import named_parameters
    from toolkit.training.optimizers import Momentum

    keep_freed_memory()  # as a run on a CPU does
    head = ArcMargin(width, classes, sample_rate=rate, sharded=process_count() > 1)
    optimizer, loss = Momentum(named_parameters(head), 0.1), CELoss()
    rng = np.random.default_rng(process_rank())
    seconds = []
    for _ in range(_PAUSE_STEPS + steps):
        labels = paddle.to_tensor(rng.integers(0, classes, batch))
        features = paddle.to_tensor(rng.standard_normal((batch, width), dtype=np.float32))
        features.stop_gradient = False
        began = time.perf_counter()
        value = loss({"logits": head(features, labels)}, labels) / process_count()
        value.backward()
        sum_gradients([i.parameter for i in optimizer.parameters if not i.of_this_process])
        optimizer.step()
        optimizer.clear_gradients()
        seconds.append(time.perf_counter() - began)
    typical = sorted(seconds[_PAUSE_STEPS:])[steps // 2]
    rows = 0 if head.table is None else len(head.table.rows)
    line = (
        f"process {process_rank()}: {classes:,} classes of {width}, {rows:,} rows here, sample "
        f"rate {rate:g}, batch {batch}: {1000 * typical:.0f} ms a step, "
        f"peak {peak_mib() / 1024:.2f} GiB"
    )
    told: list[str] = gather_json(line)
    return told


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--classes", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--sample-rate", type=float, default=0.1)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args(arguments)
    work = (given.classes, given.width, given.sample_rate, given.batch, given.steps)
    if given.processes == 1:
        print("\n".join(measured(*work)))
        return
    from toolkit.distributed.launch import LaunchPlan, run_processes

    with TemporaryDirectory(prefix="processes-") as folder:
        plan = LaunchPlan(given.processes, (), Path(folder))
        print("\n".join(run_processes(measured, work, plan)))


if __name__ == "__main__":
    main()
