"""Compares the networks that PaddleClas lacks with independent implementations from PyPI.

    python -m benchmarks.conformance.oracles [FAMILY ...] [--write-golden]

Makes one virtual environment for all of them under output/conformance, gives both sides the same
weights and images, and prints the table that benchmarks.conformance.paddleclas prints for the
others. It exits with 1 when a tensor has no counterpart, a difference exceeds the tolerance, or a
registered network of the families has no line.

With --write-golden it also stores the peers' outputs in tests/models/golden.
"""

import os
import re
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from benchmarks.conformance import oracles
from benchmarks.conformance.environments import TOOLKIT_MODULES, python_of
from benchmarks.conformance.running import Peer, Side, family_names, load_family, run

ORIGIN = """\
Outputs of {peers}, CPU, float32. Nothing of this toolkit computed them. Made by

    python -m benchmarks.conformance.oracles {family} --write-golden

with weights and inputs from `benchmarks/conformance/seeded.py`: a function of each tensor's name
and shape. How each network was built, and which of its tensors got which weights, stands in
`benchmarks/conformance/oracles/{family}.py`."""


def open_side() -> Side:
    """Prepares for the peers, which their families import themselves."""
    # Read by TensorFlow when it is imported: no messages, and sums in the plain order.
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
    return Side("independent implementations, CPU", (), _origin)


def _origin(family: str, module: ModuleType) -> str:
    names = (re.split(r"[^\w.-]", peer, maxsplit=1)[0] for peer in module.PEER)
    peers = ", ".join(f"{name} {version(name)}" for name in names)
    return ORIGIN.format(peers=peers, family=family)


def environment() -> Path:
    """Returns the interpreter of the environment that has every family's peer."""
    modules = [load_family(oracles, family) for family in family_names(oracles)]
    peers = sorted({peer for module in modules for peer in module.PEER})
    alone = [name for module in modules for name in getattr(module, "WITHOUT_PINS", ())]
    wanted = ["paddlepaddle>=3.0,<4", *TOOLKIT_MODULES, *peers]
    return python_of("oracles", wanted, without_their_pins=alone)


if __name__ == "__main__":
    raise SystemExit(
        run(
            Peer(oracles.__name__, oracles, environment, open_side),
            "Compares the networks that PaddleClas lacks with independent implementations.",
        )
    )
