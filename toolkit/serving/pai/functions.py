"""The functions behind ``POST /api/predict/<service>``: their names, parameters and answers."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from toolkit.errors import nearest
from toolkit.serving.databases import Databases, Schema, schema_of
from toolkit.serving.embedding import compared
from toolkit.serving.pai.envelope import Call
from toolkit.serving.pai.metric_names import our_metric, pai_metric
from toolkit.serving.pai.parameters import Parameters
from toolkit.serving.pai.records import RecordCall, RecordFunctions
from toolkit.serving.pai.sessions import Sessions
from toolkit.serving.picture_database import PictureDatabase
from toolkit.serving.problems import Kind, Problem
from toolkit.serving.service import Service
from toolkit.serving.tokens import Client

Answer = dict[str, Any]
_ALGORITHMS = {"hnsw": "hnsw", "linear": "flat"}
_READING = {"init", "get", "load", "match", "db_get", "db_search"}


class Functions:
    """PAI's functions for one service.

    Args:
        service: the model and the databases.
        sessions: what clients have initialised.
        name: of the service, as its address says it.
        kind: ``match`` knows one function.
    """

    def __init__(
        self, service: Service, sessions: Sessions, name: str, kind: Literal["match", "retrieval"]
    ) -> None:
        self._service, self._sessions, self._name = service, sessions, name
        records = RecordFunctions(service)
        self._of_databases: Mapping[str, Callable[[Databases, Parameters], Answer]] = (
            {}
            if kind == "match"
            else {
                "add": self._add,
                "set": self._list,
                "get": self._list,
                "delete": self._delete,
                "save": self._save,
                "load": self._load,
            }
        )
        self._of_records: Mapping[str, Callable[[RecordCall], Answer]] = (
            {} if kind == "match" else records.functions()
        )

    def names(self) -> list[str]:
        """Returns the names of all functions."""
        opening = ["init"] if self._of_databases else []
        return [*opening, "match", *self._of_databases, *self._of_records]

    def call(self, call: Call, client: Client) -> Answer:
        """Runs a function.

        Returns:
            What its answer has beside ``success``.

        Raises:
            Problem: it cannot be done.
            ToolkitError: it cannot be done.
        """
        parameters = Parameters(call.function, call.parameters)
        if call.function not in self.names():
            hint = nearest(call.function, self.names())
            raise Problem(
                Kind.UNKNOWN_FUNCTION,
                f"{call.function[:80]!r} is no function of {self._name}. There are: "
                f"{', '.join(self.names())}.{hint}",
            )
        if client.access == "read" and call.function not in _READING:
            raise Problem(Kind.FORBIDDEN, f"This token may not call {call.function}: it reads.")
        answer = self._run(call.function, parameters, client)
        if ignored := parameters.unasked():
            answer["ignored"] = ignored
        return answer

    def _run(self, function: str, parameters: Parameters, client: Client) -> Answer:
        if function == "match":
            return self._match(parameters, client)
        if function == "init":
            return {"status": True, **self._sessions.open(self._name, client, parameters)}
        databases = self._sessions.databases(self._name, client)
        if function in self._of_databases:
            return self._of_databases[function](databases, parameters)
        database = databases.get(parameters.text("database_name"))
        return self._of_records[function](RecordCall(database, parameters, client.home))

    def _match(self, parameters: Parameters, client: Client) -> Answer:
        read = self._service.reader.read
        metric = our_metric(parameters.text("metric", "Cosine"))
        pictures = [
            read(parameters.required(name), client.home, name) for name in ("imagea", "imageb")
        ]
        likeness = compared(*self._service.embedder.embed(*pictures))
        answer: Answer = {"similarity": likeness.similarity}
        if metric == "l2":
            return answer | {"l2_distance": likeness.l2_distance}
        return answer | {"cosine_similarity": likeness.cosine}

    def _add(self, databases: Databases, parameters: Parameters) -> Answer:
        name, schema = parameters.text("database_name"), self._schema(parameters)
        for told in ("number_of_replicas", "number_of_shards"):
            parameters.optional(told)  # of Elasticsearch, which is not asked
        if databases.create(name, schema):
            return {"status": True, "name": name, "info": f"database {name} is added."}
        told = f"database {name} exists already; nothing is changed."
        return {"status": False, "name": name, "info": told}

    def _schema(self, parameters: Parameters) -> Schema:
        dimensions = parameters.mapping("feature_dim_dict")
        metrics = parameters.mapping("feature_distance_dict")
        features = list(dimensions or metrics)
        if len(features) > 1 or (dimensions and metrics and set(dimensions) != set(metrics)):
            raise Problem(
                Kind.WRONG_VALUE,
                "feature_dim_dict and feature_distance_dict must name the same one feature; they "
                f"name {sorted({*dimensions, *metrics})}.",
            )
        expected = self._service.embedder.dimension
        for feature, dimension in dimensions.items():
            if dimension != expected or isinstance(dimension, bool):
                raise Problem(
                    Kind.WRONG_DIMENSION,
                    f"feature_dim_dict has {feature}: {dimension!r:.80}; the model that is served, "
                    f"{self._service.embedder.model_name}, gives {expected} numbers.",
                )
        algorithm = parameters.optional("search_algorithm")
        if algorithm is not None and algorithm not in _ALGORITHMS:
            raise Problem(
                Kind.WRONG_VALUE, f"search_algorithm is {algorithm!r:.80}; expected hnsw or linear."
            )
        return Schema(
            metric=our_metric(next(iter(metrics.values()))) if metrics else None,
            kind=_ALGORITHMS[algorithm] if algorithm else None,
            feature=features[0] if features else None,
        )

    def _list(self, databases: Databases, parameters: Parameters) -> Answer:
        for told in ("oss_io_config", "oss_data_dir"):
            parameters.optional(told)
        names = databases.names()
        if "database_name" in parameters:
            name = parameters.text("database_name")
            databases.get(name)
            names = [name]
        damaged = databases.damaged()
        return {
            "db_dict": {
                name: {"damaged": damaged[name]}
                if name in damaged
                else description(databases.get(name))
                for name in names
            }
        }

    def _delete(self, databases: Databases, parameters: Parameters) -> Answer:
        name = parameters.text("database_name")
        databases.delete(name)
        return {"status": True, "name": name, "info": f"database {name} is deleted."}

    def _save(self, databases: Databases, parameters: Parameters) -> Answer:
        name = parameters.text("database_name")
        databases.get(name).save()
        return {"info": f"database {name} is saved."}

    def _load(self, databases: Databases, parameters: Parameters) -> Answer:
        name = parameters.text("database_name")
        count = databases.get(name).facts.count
        return {"info": f"database {name} is loaded: {count} records."}


def description(database: PictureDatabase) -> Answer:
    """Returns what PAI's clients are told of a database."""
    facts, schema = database.facts, schema_of(database)
    return {
        "feature_dim_dict": {database.feature: facts.dimension},
        "feature_distance_dict": {database.feature: pai_metric(facts.metric)},
        "search_algorithm": "linear" if schema.kind == "flat" else schema.kind,
        "count": facts.count,
        "recall": facts.recall,
    }
