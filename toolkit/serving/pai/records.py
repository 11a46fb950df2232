"""The functions of PAI's retrieval service that work on the records of one database."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from toolkit.serving.pai.metric_names import pai_metric
from toolkit.serving.pai.parameters import Parameters
from toolkit.serving.picture_database import PictureDatabase
from toolkit.serving.picture_records import (
    PictureRecord,
    checked_data,
    checked_group,
    checked_intra,
    entry_json,
    hit_json,
    of_group,
)
from toolkit.serving.problems import Kind, Problem
from toolkit.serving.service import Service

Answer = dict[str, Any]
_MOST_LINES = 1000


@dataclass(frozen=True)
class RecordCall:
    """A call that works on a database.

    Attributes:
        database: that it names.
        parameters: of the call.
        home: folder below the root that the client lives in.
    """

    database: PictureDatabase
    parameters: Parameters
    home: str

    def key(self) -> tuple[str, int | None]:
        """Returns the group, and the number where one is given.

        Raises:
            Problem: the group is missing, or one of the two is malformed.
        """
        group = checked_group(self.parameters.required("group_id"))
        if "intra_id" not in self.parameters:
            return group, None
        return group, checked_intra(self.parameters.required("intra_id"))


class RecordFunctions:
    """Functions of records.

    Args:
        service: the model, and the reader of pictures.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def functions(self) -> dict[str, Callable[[RecordCall], Answer]]:
        """Returns the functions by name; each takes a call."""
        return {
            "db_set": self._set,
            "db_update": self._update,
            "db_get": self._get,
            "db_del": self._delete,
            "db_clean": self._clean,
            "db_search": self._search,
        }

    def _set(self, call: RecordCall) -> Answer:
        if "filelist" in call.parameters:
            return self._set_all(call)
        return self._written(call, must_exist=False)

    def _update(self, call: RecordCall) -> Answer:
        call.parameters.required("intra_id")
        return self._written(call, must_exist=True)

    def _written(self, call: RecordCall, *, must_exist: bool) -> Answer:
        database, parameters = call.database, call.parameters
        group, number = call.key()
        savename = parameters.text("savename", "") or None
        data = checked_data(parameters.mapping("data"))
        record = PictureRecord(group, number or 0, savename, data)
        if must_exist and database.get(group, record.intra_id) is None:
            raise _no_record(group, number)
        name = "image_path" if "image_path" in parameters else "image"
        picture = self._service.reader.read(parameters.required(name), call.home, name)
        (vector,) = self._service.embedder.embed(picture)
        if number is None:
            (record,), is_new = database.append([vector], [record], [picture]), True
        else:
            is_new = database.put(vector, record, picture)
        info = {"update": True} if must_exist else {"add": True, "update": not is_new}
        return {"info": info, "group_id": group, "intra_id": record.intra_id}

    def _set_all(self, call: RecordCall) -> Answer:
        """Adds the pictures of a list, a line each: address, delimiter, group."""
        parameters, read = call.parameters, self._service.reader.read
        delimiter = parameters.text("delimiter", " ")
        image_root = parameters.text("image_root", "")
        lines = _lines(read(parameters.required("filelist"), call.home, "filelist"))
        if len(lines) > _MOST_LINES or not delimiter:
            raise Problem(
                Kind.WRONG_VALUE,
                f"filelist has {len(lines):,} lines and the delimiter {delimiter!r}; expected at "
                f"most {_MOST_LINES:,} lines and a delimiter. A job of /v1 takes longer lists.",
            )
        added, failed = 0, list[dict[str, Any]]()
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            address, _, group = line.strip().rpartition(delimiter)
            try:
                record = PictureRecord(checked_group(group.strip()), 0)
                (vector,) = self._service.embedder.embed(
                    read(image_root + address.strip(), call.home, "the picture")
                )
                call.database.append([vector], [record])
                added += 1
            except Problem as problem:
                failed.append({"line": number, "error": problem.message})
        return {"info": {"add": added, "failed": failed}}

    def _get(self, call: RecordCall) -> Answer:
        group, number = call.key()
        found = call.database.entries(of_group(group, number))
        if not found:
            raise _no_record(group, number)
        return {"result": [entry_json(entry) for entry in found]}

    def _delete(self, call: RecordCall) -> Answer:
        group, number = call.key()
        count = call.database.remove_where(of_group(group, number))
        if not count:
            raise _no_record(group, number)
        return {"info": {"delete": count}}

    def _clean(self, call: RecordCall) -> Answer:
        return {"info": {"delete": call.database.remove_where({})}}

    def _search(self, call: RecordCall) -> Answer:
        database, parameters = call.database, call.parameters
        k = parameters.whole("search_topk", 1, most=self._service.max_topk)
        where = dict(parameters.mapping("where"))
        if "group_id" in parameters:
            where["group_id"] = checked_group(parameters.required("group_id"))
        feature = parameters.text("search_feature", database.feature)
        if feature != database.feature:
            raise Problem(
                Kind.WRONG_VALUE, f"search_feature is {feature!r:.80}; there is {database.feature}."
            )
        threshold, by_group = parameters.number("threshold"), parameters.flag("group_by")
        picture = self._service.reader.read(parameters.required("image"), call.home)
        (vector,) = self._service.embedder.embed(picture)
        hits = database.search(vector, k, where=where, threshold=threshold, by_group=by_group)
        info = {
            "database_name": database.folder.name,
            "search_topk": k,
            "metric": {database.feature: pai_metric(database.facts.metric)},
        }
        return {"info": info, "result": [hit_json(hit, rank) for rank, hit in enumerate(hits, 1)]}


def _lines(listed: bytes) -> list[str]:
    try:
        return listed.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise Problem(Kind.WRONG_VALUE, f"filelist is not UTF-8: {error.reason}.") from error


def _no_record(group: str, number: int | None) -> Problem:
    which = f"group {group!r}" if number is None else f"group {group!r}, intra_id {number}"
    return Problem(Kind.NO_RECORD, f"There is no record of {which}.")
