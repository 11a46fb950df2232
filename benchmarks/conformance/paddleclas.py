"""Compares the toolkit's networks with PaddleClas 2.6.0, number by number.

    python -m benchmarks.conformance.paddleclas [FAMILY ...] [--write-golden]

Makes a virtual environment of its own under output/conformance, installs PaddlePaddle and
PaddleClas without PaddleClas's pins, gives both sides the same weights and images, and prints one
line per comparison: how many tensors of the state were compared by name and shape, and the largest
difference of the outputs relative to the largest output. It exits with 1 when a name or a shape
differs or a difference exceeds the tolerance.

With --write-golden it also stores PaddleClas's outputs in tests/models/golden, where the tests
compare with them and need no PaddleClas. Weights and images are not stored: `seeded.py` makes
them again from their names.
"""

import argparse
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.conformance import families
from benchmarks.conformance.comparison import TOLERANCE, Comparison
from benchmarks.conformance.environments import TOOLKIT_MODULES, python_of, run_inside

VERSION = "2.6.0"
# What ppcls.arch imports; PaddleClas's own list also pins versions that current Pythons refuse.
MODULES = ["opencv-python-headless", "pyyaml", "requests", "scikit-learn", "six", "tqdm"]
ORIGIN = """\
Outputs of PaddleClas {version} (the wheel on PyPI, `ppcls.arch`) on paddlepaddle {paddle}, CPU,
float32. Nothing of this toolkit computed them. Made by

    python -m benchmarks.conformance.paddleclas {family} --write-golden

with weights and inputs from `benchmarks/conformance/seeded.py`: a function of each tensor's name
and shape. How each network was built stands in `benchmarks/conformance/families/{family}.py`."""


def compare_all(chosen: Sequence[str], *, write_golden: bool) -> int:
    """Runs the comparisons in this process, which needs both sides to be importable."""
    import paddle

    arch = _import_arch()
    paddle.seed(0)
    version = paddle.version.full_version
    table = Comparison(f"PaddleClas {VERSION}, paddle {version}, CPU")
    for family in chosen or families_there():
        module = importlib.import_module(f"benchmarks.conformance.families.{family}")
        module.compare(table, arch)
        if write_golden and module.GOLDEN:
            origin = ORIGIN.format(version=VERSION, paddle=version, family=family)
            table.store(family, module.GOLDEN, origin)
    lines = len(table.outputs)
    print(f"{lines} comparisons, {table.failures} outside {TOLERANCE:g} or with other names")
    return 1 if table.failures else 0


def families_there() -> list[str]:
    """Returns the names of the families."""
    return sorted(module.name for module in pkgutil.iter_modules(families.__path__))


def _import_arch() -> Any:
    """Imports ppcls.arch alone: importing paddleclas would start its whole deployment side."""
    wheel = importlib.util.find_spec("paddleclas")
    if wheel is None or not wheel.submodule_search_locations:
        raise SystemExit("paddleclas is not installed here; run without --inside.")
    sys.path.insert(0, wheel.submodule_search_locations[0])
    arch = importlib.import_module("ppcls.arch")
    # Without this some of its networks crash while they are built.
    importlib.import_module("ppcls.utils.logger").init_logger()
    return arch


def main() -> int:
    """Makes the environment and runs the comparison in it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=", ".join(families_there()))
    parser.add_argument("--write-golden", action="store_true", help="store outputs for the tests")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if unknown := set(arguments.families) - set(families_there()):
        parser.error(f"unknown family {min(unknown)}; known: {', '.join(families_there())}")
    if arguments.inside:
        return compare_all(arguments.families, write_golden=arguments.write_golden)
    wanted = ["paddlepaddle>=3.0,<4", *MODULES, *TOOLKIT_MODULES]
    python = python_of("paddleclas", wanted, without_their_pins=[f"paddleclas=={VERSION}"])
    golden = ["--write-golden"] if arguments.write_golden else []
    return run_inside(python, "benchmarks.conformance.paddleclas", [*arguments.families, *golden])


if __name__ == "__main__":
    raise SystemExit(main())
