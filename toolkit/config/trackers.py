"""Train.trackers: where the numbers of a run go beside metrics.jsonl."""

from typing import Annotated

from pydantic import AfterValidator

from toolkit.config.parts import Part, PartField
from toolkit.registry import TRACKERS


def _each_once(trackers: list[Part]) -> list[Part]:
    names = [part.name for part in trackers]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the tracker {name} is named twice; give each once.")
    return trackers


Trackers = Annotated[
    list[Annotated[Part, PartField(TRACKERS, keyed=True)]], AfterValidator(_each_once)
]
"""Names, each with its options or without: ``[tensorboard, wandb: {mode: offline}]``."""
