"""PaddleX's general image recognition (PP-ShiTuV2) as its serving does it, with ids and thresholds.

An index is a database whose key nobody can guess, in a folder of its own; a label is the group of a
picture, and its id is the number, counted over the whole index. Where PaddleX's own server has
faults, this one does what its page says: ``topk`` counts, adding tells the ids that removing needs,
and a threshold applies to every neighbour.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.serving.databases import Databases, Schema
from toolkit.serving.embedding import Vector
from toolkit.serving.picture_database import PictureDatabase
from toolkit.serving.picture_parts import parts_of
from toolkit.serving.picture_records import PictureRecord, checked_group, checked_intra
from toolkit.serving.problems import Kind, Problem
from toolkit.serving.service import Service
from toolkit.serving.tokens import Client

_FOLDER = "paddlex"
_SCHEMA = Schema(metric="cosine", kind="flat")
_TOPK, _THRESHOLD = 5, 0.5


class Shitu:
    """The functions of the recognition pipeline.

    Args:
        service: the model and the databases.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def build(self, client: Client, body: Mapping[str, Any]) -> dict[str, Any]:
        """Makes an index of labelled pictures.

        Raises:
            Problem: a picture or a label cannot be used; then there is no index.
        """
        vectors, records = self._labelled(client, body)
        databases, key = self._databases(client), str(uuid.uuid4())
        databases.create(key, _SCHEMA)
        ids = _append(databases.get(key), vectors, records)
        return {"indexKey": key, "imageCount": len(ids), "ids": ids}

    def add(self, client: Client, body: Mapping[str, Any]) -> dict[str, Any]:
        """Adds labelled pictures to an index, all or none."""
        database = self._database(client, body)
        vectors, records = self._labelled(client, body)
        ids = _append(database, vectors, records)
        return {"imageCount": database.facts.count, "ids": ids}

    def remove(self, client: Client, body: Mapping[str, Any]) -> dict[str, Any]:
        """Removes pictures by their ids."""
        database = self._database(client, body)
        ids = body.get("ids")
        if not isinstance(ids, list):
            raise Problem(Kind.WRONG_VALUE, "ids: expected a list of whole numbers.")
        numbers = [checked_intra(number) for number in ids]
        removed = database.remove_where({"intra_id": numbers}) if numbers else 0
        return {"imageCount": database.facts.count, "removed": removed}

    def infer(self, client: Client, body: Mapping[str, Any]) -> dict[str, Any]:
        """Recognises what is in a picture: in given boxes, in those of the detector, or whole."""
        database = self._database(client, body)
        topk = _number(body, "topk", _TOPK)
        if not float(topk).is_integer() or not 1 <= topk <= self._service.max_topk:
            raise Problem(
                Kind.WRONG_VALUE, f"topk is {topk:g}; expected 1 to {self._service.max_topk}."
            )
        threshold = _number(body, "recThreshold", _THRESHOLD)
        picture = self._service.reader.read(body.get("image"), client.home)
        least = _number(body, "detThreshold", _THRESHOLD)
        parts = parts_of(self._service, picture, body.get("boxes"), least)
        vectors = self._service.embedder.embed(*(part.picture for part in parts))
        found = [database.search(vector, int(topk), threshold=threshold) for vector in vectors]
        return {
            "detectedObjects": [
                {
                    "bbox": list(part.corners),
                    "recResults": [
                        {
                            "label": hit.record["group_id"],
                            "score": hit.score,
                            "id": hit.record["intra_id"],
                        }
                        for hit in hits
                    ],
                    "score": part.score,
                }
                for part, hits in zip(parts, found, strict=True)
            ]
        }

    def _labelled(
        self, client: Client, body: Mapping[str, Any]
    ) -> tuple[list[Vector], list[PictureRecord]]:
        pairs = body.get("imageLabelPairs")
        if not isinstance(pairs, list) or not all(isinstance(pair, dict) for pair in pairs):
            raise Problem(Kind.WRONG_VALUE, "imageLabelPairs: expected a list of {image, label}.")
        if not pairs:
            raise Problem(Kind.WRONG_VALUE, "imageLabelPairs is empty.")
        records = [PictureRecord(checked_group(pair.get("label")), 0) for pair in pairs]
        read = self._service.reader.read
        pictures = [
            read(pair.get("image"), client.home, f"imageLabelPairs[{number}].image")
            for number, pair in enumerate(pairs)
        ]
        return self._service.embedder.embed(*pictures), records

    def _databases(self, client: Client) -> Databases:
        return self._service.folders.at(self._service.home(client) / _FOLDER)

    def _database(self, client: Client, body: Mapping[str, Any]) -> PictureDatabase:
        key = body.get("indexKey")
        if not isinstance(key, str):
            raise Problem(
                Kind.MISSING_PARAMETER, "indexKey is missing; /shitu-index-build gives one."
            )
        return self._databases(client).get(key)


def _append(
    database: PictureDatabase, vectors: Sequence[Vector], records: Sequence[PictureRecord]
) -> list[int]:
    written = database.append(vectors, records, over_groups=True)
    return [record.intra_id for record in written]


def _number(body: Mapping[str, Any], name: str, default: float) -> float:
    value = body.get(name)
    value = default if value is None else value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Problem(Kind.WRONG_VALUE, f"{name} is {value!r:.80}; expected a number.")
    return float(value)
