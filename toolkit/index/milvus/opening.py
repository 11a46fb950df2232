"""Making and opening a collection: facts that Milvus does not keep, and only what was expected.

The facts stand as JSON in the description of the collection, and once more in a property of it,
because milvus-lite keeps no description: format version, dimension, metric and fingerprint.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

from toolkit.errors import VectorIndexError, import_optional
from toolkit.index.checking import check_expected
from toolkit.index.milvus.collection import LONGEST_ID, MilvusIndex, said
from toolkit.index.similarity import Similarity

_FORMAT_VERSION = 1
_PROPERTY = "toolkit.index"
_METRICS = {"cosine": "COSINE", "inner_product": "IP", "l2": "L2"}


@dataclass(frozen=True)
class _Facts:
    format_version: int
    dimension: int
    metric: str
    fingerprint: str


def create_milvus(
    address: str,
    collection: str,
    *,
    dimension: int,
    metric: str = "cosine",
    fingerprint: str = "",
    token: str = "",
) -> MilvusIndex:
    """Makes an empty collection, and opens it.

    Args:
        address: ``http://host:19530`` of a server, or a path ending in ``.db`` for milvus-lite.
        collection: letters, digits and underscores.
        dimension: numbers a vector.
        metric: ``cosine``, ``inner_product`` or ``l2``.
        fingerprint: of the model and its preprocessing.
        token: ``user:password`` or an API key of the server.

    Raises:
        ExtraError: pymilvus is not installed.
        VectorIndexError: the collection is there already, Milvus cannot be reached, or the metric
            is hamming.
    """
    similarity = Similarity.named(metric, dimension)
    if similarity.is_binary:
        raise VectorIndexError("Bits are searched by the index in a folder; Milvus takes floats.")
    client = _client(address, token)
    facts = json.dumps(asdict(_Facts(_FORMAT_VERSION, dimension, similarity.metric, fingerprint)))
    with said(collection):
        if client.has_collection(collection):
            raise VectorIndexError(f"{address} has a collection {collection!r} already; open it.")
        parameters = client.prepare_index_params()
        measure = _METRICS[similarity.metric]
        parameters.add_index("vector", index_type="AUTOINDEX", metric_type=measure)
        # `entries` asks for ranges of it.
        parameters.add_index("row", index_type="INVERTED")
        client.create_collection(
            collection,
            schema=_schema(client, dimension, facts),
            index_params=parameters,
            consistency_level="Strong",
            properties={_PROPERTY: facts},
        )
    return MilvusIndex(client, collection, similarity, fingerprint)


def open_milvus(
    address: str,
    collection: str,
    *,
    fingerprint: str | None = None,
    dimension: int | None = None,
    metric: str | None = None,
    token: str = "",
) -> MilvusIndex:
    """Opens a collection that `create_milvus` made.

    Args:
        address: as for `create_milvus`.
        collection: its name.
        fingerprint: of the model whose vectors will be written and searched; None: not known.
        dimension: that is expected; None for any.
        metric: that is expected; None for any.
        token: ``user:password`` or an API key of the server.

    Raises:
        ExtraError: pymilvus is not installed.
        VectorIndexError: there is no such collection, it is of another make or not what is
            expected, or Milvus cannot be reached.
    """
    client = _client(address, token)
    with said(collection):
        if not client.has_collection(collection):
            raise VectorIndexError(f"{address} has no collection {collection!r}. Make it first.")
        facts = _facts(client.describe_collection(collection), collection)
        expected = {"fingerprint": fingerprint, "dimension": dimension, "metric": metric}
        check_expected(f"The collection {collection!r}", asdict(facts), expected)
        client.load_collection(collection)
    similarity = Similarity.named(facts.metric, facts.dimension)
    return MilvusIndex(client, collection, similarity, facts.fingerprint)


def has_collection(address: str, collection: str, token: str = "") -> bool:
    """Whether there is such a collection.

    Raises:
        ExtraError: pymilvus is not installed.
        VectorIndexError: Milvus cannot be reached.
    """
    client = _client(address, token)
    with said(collection):
        found = bool(client.has_collection(collection))
        client.close()
    return found


def _client(address: str, token: str) -> Any:
    pymilvus = import_optional("pymilvus", purpose="An index on Milvus")
    try:
        return pymilvus.MilvusClient(uri=address, token=token)
    except pymilvus.MilvusException as error:
        raise VectorIndexError(
            f"Milvus at {address} cannot be reached: {error} A file ending in .db needs the "
            "package milvus-lite; docs/index.md says how a server is started."
        ) from error


def _schema(client: Any, dimension: int, facts: str) -> Any:
    kinds = import_optional("pymilvus", purpose="An index on Milvus").DataType
    schema = client.create_schema(auto_id=False, description=facts)
    schema.add_field("id", kinds.VARCHAR, is_primary=True, max_length=LONGEST_ID)
    schema.add_field("vector", kinds.FLOAT_VECTOR, dim=dimension)
    schema.add_field("record", kinds.JSON)
    schema.add_field("row", kinds.INT64)
    return schema


def _facts(described: dict[str, Any], collection: str) -> _Facts:
    text = described.get("description") or described.get("properties", {}).get(_PROPERTY, "")
    try:
        facts = json.loads(text)
        version = facts["format_version"]
        if version == _FORMAT_VERSION:
            return _Facts(**facts)
    except (ValueError, KeyError, TypeError) as error:
        raise VectorIndexError(
            f"The collection {collection!r} was not made by this toolkit: its description is "
            f"{text!r}. Copy it into one that create_milvus makes."
        ) from error
    raise VectorIndexError(
        f"The collection {collection!r} has the format version {version!r}; this toolkit reads "
        f"{_FORMAT_VERSION}."
    )
