"""Check a folder of pictures, train an image embedding, measure it honestly, and search with it.

Only names that people use from Python live here. They are resolved on first use (PEP 562), so
that ``import toolkit`` costs milliseconds and brings in no framework.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from toolkit.version import __version__

if TYPE_CHECKING:
    from toolkit.cards.catalog import list_models, model_card
    from toolkit.errors import ToolkitError
    from toolkit.interfaces.api import create_model
    from toolkit.interfaces.extraction import extract
    from toolkit.interfaces.run import run
    from toolkit.interfaces.searching import build_index, search

__all__ = [
    "ToolkitError",
    "__version__",
    "build_index",
    "create_model",
    "extract",
    "list_models",
    "model_card",
    "run",
    "search",
]

_HOMES = {
    "ToolkitError": "toolkit.errors",
    "build_index": "toolkit.interfaces.searching",
    "create_model": "toolkit.interfaces.api",
    "extract": "toolkit.interfaces.extraction",
    "list_models": "toolkit.cards.catalog",
    "model_card": "toolkit.cards.catalog",
    "run": "toolkit.interfaces.run",
    "search": "toolkit.interfaces.searching",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'toolkit' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
