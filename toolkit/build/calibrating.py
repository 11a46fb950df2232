"""The threshold for "no match", measured on pictures of one's own with the index as it is."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from toolkit.build.index import PictureRow, list_rows
from toolkit.build.searching import build_search
from toolkit.config.schema import Config
from toolkit.errors import ConfigError, DatasetError
from toolkit.evaluation.open_set import Threshold, threshold_at
from toolkit.index.interface import Filter, Hit, VectorIndex
from toolkit.inference.predictor import Predictor

_AT_ONCE = 256


def calibrated(config: Config, index: VectorIndex, predictor: Predictor) -> Threshold | None:
    """Measures the threshold that ``Search.false_match_rate`` asks for; None: it asks for none.

    Every picture of the query list is looked up twice: among all records, and among those of other
    labels, as a thing that is not there would be.

    Raises:
        ConfigError: a threshold is given too, or there is no query list.
        DatasetError: the list or the index has no labels.
    """
    rate = config.Search.false_match_rate
    if rate is None:
        return None
    if config.Search.threshold is not None:
        raise ConfigError(
            f"Search.threshold is {config.Search.threshold:g} and Search.false_match_rate {rate:g} "
            "asks for another one. Set one of them to null."
        )
    by_label = defaultdict[str, list[PictureRow]](list)
    for row in list_rows(config, "query"):
        by_label[row.record["label"]].append(row)
    where = config.Search.where
    unknown, scores, right = list[float](), list[float](), list[bool]()
    for label, rows in by_label.items():
        is_there = index.count({"label": label}) > 0
        strange = _strange(where, label)
        for among, vectors in _embedded(predictor, rows):
            unknown += [hits[0].score for hits in _found(config, index, vectors, strange) if hits]
            if is_there:
                best = _best(among, _found(config, index, vectors, where))
                scores += [hit.score for hit in best]
                right += [hit.record.get("label") == label for hit in best]
    if not unknown or not scores:
        raise DatasetError(
            "Search.false_match_rate needs readable pictures in the query list, and records of "
            "their labels and of others in the index; features without labels are none."
        )
    return threshold_at(rate, np.sort(unknown), np.array(scores), np.array(right))


def _embedded(
    predictor: Predictor, rows: Sequence[PictureRow]
) -> Iterator[tuple[list[PictureRow], NDArray[np.float32]]]:
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        results = zip(some, predictor.predict([row.path for row in some]), strict=True)
        there = [(row, result.feature) for row, result in results if result.feature is not None]
        if there:
            yield [row for row, _ in there], np.stack([feature for _, feature in there])


def _found(
    config: Config, index: VectorIndex, vectors: NDArray[np.float32], where: Filter
) -> list[list[Hit]]:
    """Finds two hits each, the picture itself may be one, in the way that the section asks for."""
    section = config.Search.model_copy(update={"where": where, "topk": 2})
    return build_search(section, index)(vectors)


def _strange(where: Filter, label: str) -> Filter:
    """Returns a filter that keeps what another one keeps, but for a label."""
    own = {"label": label}
    return {"not": {"any": [{"not": where}, own]} if where else own}


def _best(rows: Sequence[PictureRow], found: Sequence[Sequence[Hit]]) -> list[Hit]:
    """Returns the nearest hit of each query that is another picture."""
    others = [
        [hit for hit in hits if hit.id != row.id] for row, hits in zip(rows, found, strict=True)
    ]
    return [hits[0] for hits in others if hits]
