"""From `Train.trackers` to what listens to the numbers of a run."""

from collections.abc import Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

from toolkit.config.parts import Part
from toolkit.config.schema import Config
from toolkit.config.settings import flat_settings
from toolkit.errors import ConfigError, ToolkitError, import_optional
from toolkit.registry import TRACKERS
from toolkit.training.trackers.tracker import TrackedRun, Tracker

_VISUALDL = "visualdl"


def require_trackers(config: Config) -> None:
    """Makes sure that what the trackers need is installed, before anything takes time.

    Raises:
        ExtraError: it is not; the message names the extra.
    """
    for part in config.Train.trackers:
        package = TRACKERS.get(part.name).package  # type: ignore[attr-defined]
        import_optional(package, purpose=f"Train.trackers: {part.name}")


def open_trackers(config: Config, resumed_step: int | None) -> list[Tracker]:
    """Opens the trackers that a configuration asks for.

    Args:
        config: of the run.
        resumed_step: the update that it goes on after; None for a new run.

    Raises:
        ConfigError: one cannot be opened; those before it are closed again.
    """
    run = TrackedRun(
        Path(config.Global.output),
        config.Global.model,
        flat_settings(config.model_dump()),
        resumed_step,
    )
    opened: list[Tracker] = []
    with ExitStack() as stack:
        for part in _parts(config):
            tracker = _open(part, run)
            stack.callback(tracker.close, finished=False)
            opened.append(tracker)
        stack.pop_all()
    return opened


def _open(part: Part, run: TrackedRun) -> Tracker:
    try:
        tracker: Tracker = TRACKERS.build(part.name, run=run, **part.options)
    except ToolkitError:
        raise
    except Exception as error:  # of a library that we do not know
        raise ConfigError(
            f"Train.trackers: {part.name} cannot be opened ({type(error).__name__}: {error}). Look "
            "at its options and at its own settings (account, address), or leave it out; "
            "metrics.jsonl is always written."
        ) from error
    return tracker


def _parts(config: Config) -> Sequence[Part]:
    """The trackers that are named, and VisualDL where it is welcome and installed."""
    named = config.Train.trackers
    if any(part.name == _VISUALDL for part in named) or not config.Train.visualdl:
        return named
    return [Part(_VISUALDL, {}), *named] if find_spec(_VISUALDL) is not None else named
