"""How a comparison with a peer runs: in an environment of its own, family by family.

The command that a person types makes the environment and starts itself again inside it, where both
sides can be imported.
"""

import argparse
import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.conformance.comparison import TOLERANCE, Comparison
from benchmarks.conformance.environments import run_inside


@dataclass(frozen=True)
class Side:
    """The other side, opened in its environment.

    Attributes:
        label: its name and version, for the table's heading.
        handed_on: what each family's ``compare`` gets after the table.
        origin: makes the text beside a family's stored outputs from the family and its module.
    """

    label: str
    handed_on: tuple[Any, ...]
    origin: Callable[[str, ModuleType], str]


@dataclass(frozen=True)
class Peer:
    """A comparison that a command runs.

    Attributes:
        command: name of the module that runs it.
        families: the package with one module a family.
        python: returns the interpreter of the environment, made when it is not there.
        open: imports the other side; called inside the environment.
    """

    command: str
    families: ModuleType
    python: Callable[[], Path]
    open: Callable[[], Side]


def run(peer: Peer, purpose: str) -> int:
    """Reads the command line, makes the environment and runs the comparison in it.

    Args:
        peer: what to compare with.
        purpose: one line for ``--help``.

    Returns:
        The exit code: 1 when a tensor has no counterpart, a difference exceeds the tolerance or,
        in a run of all families, a registered network was not compared.
    """
    known = family_names(peer.families)
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=", ".join(known))
    parser.add_argument("--write-golden", action="store_true", help="store outputs for the tests")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if unknown := set(arguments.families) - set(known):
        parser.error(f"unknown family {min(unknown)}; known: {', '.join(known)}")
    if arguments.inside:
        return _compare_all(peer, arguments.families, write_golden=arguments.write_golden)
    golden = ["--write-golden"] if arguments.write_golden else []
    return run_inside(peer.python(), peer.command, [*arguments.families, *golden])


def family_names(package: ModuleType) -> list[str]:
    """Returns the names of a package's families; modules with an underscore serve those."""
    modules = pkgutil.iter_modules(package.__path__)
    return sorted(module.name for module in modules if not module.name.startswith("_"))


def load_family(package: ModuleType, family: str) -> ModuleType:
    """Imports a family's module, which imports its peer only when it compares."""
    return importlib.import_module(f"{package.__name__}.{family}")


def networks_of(families: Sequence[str]) -> list[str]:
    """Returns the registered backbones of some families, without the toys for tests."""
    from toolkit.registry import BACKBONES

    return [
        name
        for name in BACKBONES.names()
        if not name.startswith("Tiny")
        and BACKBONES.location(name).partition(":")[0].rpartition(".")[2] in families
    ]


def _compare_all(peer: Peer, chosen: Sequence[str], *, write_golden: bool) -> int:
    side = peer.open()
    table = Comparison(side.label)
    families = chosen or family_names(peer.families)
    for family in families:
        module = load_family(peer.families, family)
        module.compare(table, *side.handed_on)
        if write_golden and module.GOLDEN:
            table.store(family, module.GOLDEN, side.origin(family, module))
    networks = networks_of(families)
    if left_out := [name for name in networks if name not in table.outputs]:
        print(f"registered, but without a line: {', '.join(left_out)}")
    print(
        f"{len(table.outputs)} comparisons, {table.failures} outside {TOLERANCE:g} or with other "
        f"tensors; {len(networks) - len(left_out)} of {len(networks)} registered networks"
    )
    return 1 if table.failures or left_out else 0
