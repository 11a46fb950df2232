"""Index and Search: pictures and vectors into an index, and out of it again."""

from typing import Any, Literal

from pydantic import Field

from toolkit.config.run_sections import DecodeMode, EngineName
from toolkit.config.section import OptionalPath, Section
from toolkit.config.types import Fraction, PositiveInt

IndexMetric = Literal["cosine", "inner_product", "l2", "hamming"]
IndexKind = Literal["auto", "flat", "hnsw", "ivf", "ivf_pq", "sq8", "binary"]
_MODEL_DIR = "Exported model; auto is <Global.output>/best_model/inference, null official."
_FOLDER = "Folder of the index; null is <Global.output>/index."
_MILVUS = "Address of Milvus, http://host:19530, or a file of milvus-lite ending in .db; null: the \
index is a folder. The environment variable MILVUS_TOKEN has the token, user:password."
_COLLECTION = "Collection of Milvus: letters, digits and underscores."


class IndexSection(Section):
    """An index of pictures: what goes in, and how it is searched."""

    folder: OptionalPath = Field(None, description=_FOLDER)
    milvus: OptionalPath = Field(None, description=_MILVUS)
    collection: str = Field("pictures", description=_COLLECTION)
    input: OptionalPath = Field(
        None,
        description="A list file, a folder of pictures, features.npy or .parquet of extract or "
        "predict, or an index folder of PaddleX; null is the gallery list of the dataset.",
    )
    input_root: OptionalPath = Field(
        None, description="Folder that paths of a list start from; null: where the list is."
    )
    incremental: bool = Field(
        True, description="Add to an index that is there; false: such an index is an error."
    )
    remove_missing: bool = Field(
        False, description="Also remove records that the input no longer has."
    )
    kind: IndexKind = Field(
        "auto", description="How neighbours are found; auto plans from count, memory and recall."
    )
    options: dict[str, PositiveInt] = Field(
        {},
        description="Of the kind: links, construction (hnsw), lists (ivf, ivf_pq), bytes (ivf_pq), "
        "effort, candidates; what is left out suits the number of vectors.",
    )
    metric: IndexMetric = Field("cosine", description="What near means.")
    whitening: PositiveInt | None = Field(
        None,
        description="Numbers of a vector after PCA-whitening, learned from what goes in; null: "
        "vectors stay as they are.",
    )
    memory_mib: PositiveInt | None = Field(
        None, description="Memory that the structure may take; null is half of the machine's."
    )
    recall: Fraction = Field(0.95, description="recall@10 that the effort of searches is set for.")
    min_recall: Fraction = Field(
        0.9, description="recall@10, measured beside an exact search, below which nothing is built."
    )
    fields: list[str] = Field(
        ["label"], description="Fields of the records that filters often ask for."
    )
    fingerprint: str | None = Field(
        None, description="Of model and preprocessing; null takes that of the model or the file."
    )
    model_dir: str | None = Field("auto", description=_MODEL_DIR)
    engine: EngineName = Field("auto", description="What runs the network.")
    decode: DecodeMode = Field("fast", description="As Predict.decode.")
    batch_size: PositiveInt = Field(16, description="Pictures a forward pass.")
    export_paddlex: OptionalPath = Field(
        None, description="Folder for the index as PaddleX reads it: vector.index, id_map.yaml."
    )
    export_database: OptionalPath = Field(
        None,
        description="Folder for the index as mode serve reads it, with its pictures: "
        "<Serve.root>/default/<name>. Labels are its groups.",
    )


class SearchSection(Section):
    """The nearest records of pictures."""

    folder: OptionalPath = Field(None, description=_FOLDER)
    milvus: OptionalPath = Field(None, description=_MILVUS)
    collection: str = Field("pictures", description=_COLLECTION)
    input: str | list[str] | None = Field(
        None, description="Pictures: file, folder, address or a list; null is the query list."
    )
    topk: PositiveInt = Field(10, description="Hits of a query at most.")
    where: dict[str, Any] = Field({}, description="Filter of the records: docs/index.md.")
    threshold: float | None = Field(None, description="Lowest score of a hit; null: any.")
    false_match_rate: Fraction | None = Field(
        None,
        description="Share of pictures of unknown things that may find a match: the threshold for "
        "it is measured with the query list of the dataset; null: Search.threshold holds.",
    )
    vote: bool = Field(False, description="Also name the label that most of the hits speak for.")
    rerank: Literal["none", "query_expansion", "k_reciprocal"] = Field(
        "none", description="How the hits are put in order a second time."
    )
    rerank_candidates: PositiveInt = Field(50, description="Hits that are put in order again.")
    sheet_queries: PositiveInt = Field(12, description="Queries on the contact sheet at most.")
    check_model: bool = Field(
        True, description="Refuse an index that vectors of another model were written to."
    )
    model_dir: str | None = Field("auto", description=_MODEL_DIR)
    engine: EngineName = Field("auto", description="What runs the network.")
    decode: DecodeMode = Field("fast", description="As Predict.decode.")
    batch_size: PositiveInt = Field(16, description="Pictures a forward pass.")
