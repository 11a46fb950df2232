"""One side of the training benchmark: a process that makes steps when it is told to.

    python -m benchmarks.training_worker NETWORK SIDE BATCH_SIZE KERNELS

KERNELS is Train.kernels: ``auto`` or ``paddle``. It reads numbers of steps, one a line, and answers
each with a JSON object: the losses, and the seconds of every step. Batches, labels and initial
weights follow from fixed seeds, so two processes see the same.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

CLASSES = 40
_BATCHES = 4


def main() -> int:
    """Builds the network and obeys."""
    name, side, batch_size, kernels = sys.argv[1:]
    # What a library prints goes to the standard error; the answers have the output to themselves.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        step = _stepper(name, int(side), int(batch_size), kernels)
        print("ready", file=answers, flush=True)
        for line in sys.stdin:
            losses, seconds = [], []
            for _ in range(int(line)):
                started = time.perf_counter()
                losses.append(step())
                seconds.append(time.perf_counter() - started)
            print(json.dumps({"losses": losses, "seconds": seconds}), file=answers, flush=True)
    return 0


def _stepper(name: str, side: int, batch_size: int, kernels: str) -> Callable[[], float]:
    """Returns a function that makes one training step and returns its loss."""
    from toolkit.runtime import Device, prepare_paddle

    prepare_paddle()
    import paddle
    from paddle import nn

    from toolkit.build.kernels import install_kernels
    from toolkit.registry import BACKBONES
    from toolkit.training.named_optimizer import named_parameters
    from toolkit.training.optimizers import Momentum

    paddle.device.set_device("cpu")
    paddle.seed(0)
    backbone = BACKBONES.build(name)
    network = nn.Sequential(backbone, nn.Linear(backbone.out_features, CLASSES))
    network.train()
    install_kernels(network, kernels, Device("cpu"))
    optimizer = Momentum(named_parameters(network), learning_rate=0.01)
    batches = _batches(paddle, side, batch_size)
    made = 0

    def step() -> float:
        nonlocal made
        images, labels = batches[made % len(batches)]
        made += 1
        loss = nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.clear_gradients()
        return float(loss)

    return step


def _batches(paddle: Any, side: int, batch_size: int) -> list[tuple[Any, Any]]:
    rng = np.random.default_rng(0)
    return [
        (
            paddle.to_tensor(rng.standard_normal((batch_size, 3, side, side), dtype=np.float32)),
            paddle.to_tensor(rng.integers(0, CLASSES, batch_size)),
        )
        for _ in range(_BATCHES)
    ]


if __name__ == "__main__":
    raise SystemExit(main())
