"""Compares the toolkit's networks with PaddleClas 2.6.0, number by number.

    python -m benchmarks.conformance.paddleclas [FAMILY ...] [--write-golden]

Makes a virtual environment of its own under output/conformance, installs PaddlePaddle and
PaddleClas without PaddleClas's pins, gives both sides the same weights and images, and prints one
line per comparison: how many tensors of the state were compared by name and shape, and the largest
difference of the outputs relative to the largest output. It exits with 1 when a name or a shape
differs, a difference exceeds the tolerance, or a registered network of the families has no line.

With --write-golden it also stores PaddleClas's outputs in tests/models/golden, where the tests
compare with them and need no PaddleClas. Weights and images are not stored: `seeded.py` makes
them again from their names.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from benchmarks.conformance import families
from benchmarks.conformance.environments import TOOLKIT_MODULES, python_of
from benchmarks.conformance.running import Peer, Side, run

VERSION = "2.6.0"
# What ppcls.arch imports; PaddleClas's own list also pins versions that current Pythons refuse.
MODULES = ["opencv-python-headless", "pyyaml", "requests", "scikit-learn", "six", "tqdm"]
ORIGIN = """\
Outputs of PaddleClas {version} (the wheel on PyPI, `ppcls.arch`) on paddlepaddle {paddle}, CPU,
float32. Nothing of this toolkit computed them. Made by

    python -m benchmarks.conformance.paddleclas {family} --write-golden

with weights and inputs from `benchmarks/conformance/seeded.py`: a function of each tensor's name
and shape. How each network was built stands in `benchmarks/conformance/families/{family}.py`."""


def open_side() -> Side:
    """Imports PaddleClas's networks, in its environment."""
    import paddle

    arch = import_arch()
    paddle.seed(0)
    version = paddle.version.full_version
    return Side(
        f"PaddleClas {VERSION}, paddle {version}, CPU",
        (arch,),
        lambda family, _: ORIGIN.format(version=VERSION, paddle=version, family=family),
    )


def environment() -> Path:
    """Returns the interpreter of PaddleClas's environment, made when it is not there."""
    wanted = ["paddlepaddle>=3.0,<4", *MODULES, *TOOLKIT_MODULES]
    return python_of("paddleclas", wanted, without_their_pins=[f"paddleclas=={VERSION}"])


def import_arch() -> Any:
    """Imports ppcls.arch alone: importing paddleclas would start its whole deployment side."""
    wheel = importlib.util.find_spec("paddleclas")
    if wheel is None or not wheel.submodule_search_locations:
        raise SystemExit("paddleclas is not installed here; run without --inside.")
    sys.path.insert(0, wheel.submodule_search_locations[0])
    arch = importlib.import_module("ppcls.arch")
    # Without this some of its networks crash while they are built.
    importlib.import_module("ppcls.utils.logger").init_logger()
    return arch


if __name__ == "__main__":
    raise SystemExit(
        run(
            Peer("benchmarks.conformance.paddleclas", families, environment, open_side),
            "Compares the toolkit's networks with PaddleClas 2.6.0, number by number.",
        )
    )
