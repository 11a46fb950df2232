"""Mode select_model: which of several models to take for these pictures, and at what price."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.build.candidates import candidate_name, embed_candidate, open_candidate
from toolkit.build.evaluation import build_trial
from toolkit.config.schema import Config
from toolkit.config.select_section import CandidateSection
from toolkit.errors import ConfigError, ToolkitError
from toolkit.evaluation.contest import Entrant, Standing, standings
from toolkit.evaluation.trial import RetrievalTrial
from toolkit.inference.embed import EmbeddedPaths
from toolkit.reports.trade_off import TradeOff, draw_trade_off

_LOG = logging.getLogger(__name__)
_PICTURE = "recall_against_time.png"
_SHOWN = ("recall1", "recall5", "mAP")


@dataclass(frozen=True)
class Failed:
    """A model that could not be measured."""

    name: str
    reason: str


@dataclass(frozen=True)
class SelectModelReport:
    """The outcome of a comparison.

    Attributes:
        standings: the models, the best first.
        failed: those that could not be measured.
        metric: that decided.
        unreadable: pictures that were left out.
        picture: metric against time; None where nothing was measured.
    """

    standings: list[Standing]
    failed: list[Failed]
    metric: str
    unreadable: list[str]
    picture: Path | None

    @property
    def passed(self) -> bool:
        """A comparison passes when every model was measured."""
        return not self.failed

    def to_json(self) -> dict[str, Any]:
        """Returns all rows, measured or not."""
        return {
            "metric": self.metric,
            "best": self.standings[0].entrant.name if self.standings else None,
            "models": [row.to_json() for row in self.standings],
            "failed": [{"name": row.name, "reason": row.reason} for row in self.failed],
            "unreadable": self.unreadable,
            "picture": None if self.picture is None else self.picture.name,
        }

    def summary(self) -> str:
        """Returns the table, and what can be said of the best."""
        width = max([len(row.entrant.name) for row in self.standings] + [5])
        heading = f"{'model':{width}}  values      MB  ms/picture"
        lines = [heading + "".join(f"{name:>26}" for name in _SHOWN)] if self.standings else []
        for row in self.standings:
            one = row.entrant
            facts = f"{one.dimension:>8}{one.size / 1e6:>8.2f}{one.milliseconds:>12.2f}"
            cells = "".join(f"{_cell(one, name):>26}" for name in _SHOWN)
            lines.append(f"{one.name:{width}}{facts}{cells}")
        lines += [_beside_best(row, self.metric) for row in self.standings[1:]]
        lines += [f"{row.name}: not measured. {row.reason}" for row in self.failed]
        if self.unreadable:
            lines.append(f"Left out, for they could not be read: {len(self.unreadable)} pictures.")
        return "\n".join([*lines, *([] if self.picture is None else [f"picture   {self.picture}"])])


def run(config: Config) -> SelectModelReport:
    """Measures the models of `SelectModel.models` on the lists gallery and query.

    Raises:
        ConfigError: no model is given, or one twice.
        DatasetError: the lists are not there, or nothing can be measured.
    """
    section, output = config.SelectModel, Path(config.Global.output)
    names = [candidate_name(entry) for entry in section.models]
    _check_names(names)
    trial = build_trial(config)
    entrants, failed, unreadable = list[Entrant](), list[Failed](), list[str]()
    for number, (name, entry) in enumerate(zip(names, section.models, strict=True), start=1):
        _LOG.info("Model %d of %d: %s.", number, len(names), name)
        try:
            entrant, left_out = _measure(config, trial, name, entry)
        except ToolkitError as error:
            failed.append(Failed(name, str(error)))
        except Exception as error:
            # An engine may raise anything; the other models are to be measured all the same.
            _LOG.exception("%s cannot be run.", name)
            failed.append(Failed(name, f"{type(error).__name__}: {error}"))
        else:
            entrants.append(entrant)
            unreadable = left_out
    rows = standings(entrants, section.metric, np.random.default_rng(config.Global.seed))
    picture = output / _PICTURE if rows else None
    if picture is not None:
        draw_trade_off(
            [_point(row.entrant, section.metric) for row in rows], section.metric, picture
        )
    return SelectModelReport(rows, failed, section.metric, unreadable, picture)


def _measure(
    config: Config, trial: RetrievalTrial, name: str, entry: str | CandidateSection
) -> tuple[Entrant, list[str]]:
    candidate = open_candidate(config, entry)
    seconds, pictures = 0.0, 0

    def embed(paths: list[Path]) -> EmbeddedPaths:
        nonlocal seconds, pictures
        timed, _ = embed_candidate(config, candidate, paths)
        seconds, pictures = timed.seconds, len(paths)
        return timed.embedded

    outcome = trial.run(embed)
    entrant = Entrant(
        name,
        outcome.result,
        dimension=outcome.query.vectors.shape[1],
        size=candidate.size,
        milliseconds=1000 * seconds / max(1, pictures),
        engine=candidate.engine,
    )
    return entrant, outcome.failures


def _check_names(names: list[str]) -> None:
    if not names:
        raise ConfigError(
            "SelectModel.models is empty: give names of cards, folders of exports, or "
            "{config: FILE, weight_path: FILE}."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"SelectModel.models names {', '.join(twice)} more than once.")


def _point(one: Entrant, metric: str) -> TradeOff:
    value = one.result.metrics[metric]
    low, high = one.result.intervals.get(metric, (value, value))
    return TradeOff(one.name, one.milliseconds, value, low, high)


def _cell(one: Entrant, name: str) -> str:
    if name not in one.result.metrics:
        return "-"
    value = f"{one.result.metrics[name]:.4f}"
    if name not in one.result.intervals:
        return value
    low, high = one.result.intervals[name]
    return f"{value} ({low:.4f}-{high:.4f})"


def _beside_best(row: Standing, metric: str) -> str:
    behind = row.behind
    if behind is None:
        return f"{row.entrant.name} was measured on other queries than the best; not compared."
    verdict = "a real difference" if row.is_told_apart else "no difference that can be told"
    return (
        f"{row.entrant.name} is {100 * behind.mean:.2f} points of {metric} behind the best, 95% "
        f"interval {100 * behind.low:.2f} to {100 * behind.high:.2f}: {verdict}."
    )
