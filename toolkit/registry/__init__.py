"""Names that a configuration may use, and where the part behind each name lives.

A registry is a table name -> "module:attribute". It knows its names without importing anything
behind them, and it reads a part's options from the part's source, so a typo in a backbone's name
or a wrong type of an option is found in milliseconds and without Paddle. A new part costs one file
and one line here; the tests walk these tables.
"""

from toolkit.registry.backbones import BACKBONES
from toolkit.registry.parts import (
    CHECKS,
    CONVERTERS,
    HEADS,
    LOSSES,
    METHODS,
    NECKS,
    OPTIMIZERS,
    OPTIONS,
    SAMPLERS,
    SCHEDULES,
    TASKS,
    TRACKERS,
    TRANSFORMS,
)
from toolkit.registry.table import Option, Registry

__all__ = [
    "BACKBONES",
    "CHECKS",
    "CONVERTERS",
    "HEADS",
    "LOSSES",
    "METHODS",
    "NECKS",
    "OPTIMIZERS",
    "OPTIONS",
    "SAMPLERS",
    "SCHEDULES",
    "TASKS",
    "TRACKERS",
    "TRANSFORMS",
    "Option",
    "Registry",
]
