"""The section Extract: features of any list of pictures.

Names follow EasyVision's ``ev_predict_ext`` where it has one.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator

from toolkit.config.run_sections import EngineName
from toolkit.config.section import OptionalPath, Section
from toolkit.config.types import Fraction, PositiveFloat, PositiveInt
from toolkit.errors import ConfigError, nearest

InputFormat = Literal[
    "auto", "text", "annotations", "folder", "csv", "jsonl", "parquet", "sqlite", "webdataset"
]
OutputFormat = Literal["auto", "text", "parquet", "npy", "jsonl", "table", "pickle"]


def _is_class(text: str) -> str:
    module, colon, name = text.partition(":")
    if not colon or not name.isidentifier() or not all(map(str.isidentifier, module.split("."))):
        raise ValueError("expected module:Class, such as my_package.my_module:MyPredictor")
    return text


class ExtractSection(Section):
    """Features of any list of pictures, on one machine or many."""

    model_dir: str | None = Field(
        "auto",
        description="Exported model; auto is <Global.output>/best_model/inference, null official.",
    )
    predictor: Annotated[str, AfterValidator(_is_class)] | None = Field(
        None, description="A class of yours, module:Class, in place of an exported model."
    )
    predictor_options: dict[str, Any] | None = Field(
        None, description="Handed to that class as model_config."
    )
    feature_name: str = Field(
        "feature",
        min_length=1,
        description="Which layer: docs/endpoints.md; feature is the model's embedding.",
    )
    pool: Literal["none", "avg", "max", "gem"] = Field(
        "none", description="How a map of features becomes a list; none flattens it."
    )
    weights: str = Field(
        "auto", min_length=1, description="Of named layers: auto, random (Global.seed), or a file."
    )
    l2_normalise: bool | None = Field(
        None, description="Scale features to length 1; null does for the embedding alone."
    )
    dtype: Literal["float32", "float16"] = Field("float32", description="Of the features.")
    engine: EngineName = Field(
        "auto", description="What runs the network; auto is the fastest that is installed."
    )
    decode: Literal["fast", "exact"] = Field(
        "fast", description="As Predict.decode: fast shrinks large JPEGs while they are decoded."
    )
    input: str | None = Field(
        None, description="List file, folder, table, or tar shards (a file, folder or pattern)."
    )
    input_format: InputFormat = Field("auto", description="auto goes by what it is.")
    input_root: OptionalPath = Field(
        None, description="Folder that relative paths start from; null is the current one."
    )
    input_table: OptionalPath = Field(
        None, description="Table of an SQLite file; null takes the only one."
    )
    image_column: OptionalPath = Field(
        None, description="Column of the picture; null takes url, image, path or base64."
    )
    image_type: Literal["url", "base64"] | None = Field(
        None, description="What that column holds; null goes by its name."
    )
    reserved_columns: list[str] | None = Field(
        None, description="Columns that are copied to the output; [ALL_COLUMNS] copies all."
    )
    result_column: str = Field(
        "feature", min_length=1, description="Column of the result in a table."
    )
    output: OptionalPath = Field(
        None, description="File to write; null is <Global.output>/features.<format>."
    )
    output_format: OutputFormat = Field(
        "auto", description="auto goes by the ending of Extract.output, and is text for any other."
    )
    batch_size: PositiveInt = Field(
        4, description="Pictures a forward pass: a core has caches for the maps of a few."
    )
    shard_size: PositiveInt = Field(
        256, description="Rows that are done as one; rounded up to whole batches."
    )
    num_worker: PositiveInt | Literal["auto"] = Field(
        "auto",
        description="Processes, or actors on a cluster; auto is the cores, or 1 on a GPU.",
    )
    predict_threads: PositiveInt = Field(1, description="Threads of the network in each worker.")
    read_threads: PositiveInt | Literal["auto"] = Field(
        "auto",
        description="Threads of each worker that read and decode; auto is 1 for files of this "
        "machine, 8 where the first picture comes over the network.",
    )
    queue_size: PositiveInt = Field(
        64, description="Pictures of each worker that may be ahead of the network."
    )
    runner: Literal["local", "ray"] = Field(
        "local", description="Processes here, or a Ray cluster."
    )
    ray_address: OptionalPath = Field(
        None, description="Of the cluster; null takes the one of this machine, or starts one."
    )
    resume: bool = Field(True, description="Go on with a run that was killed.")
    only_failed: bool = Field(
        False, description="Compute the rows of the output that failed, and keep the others."
    )
    incremental: bool = Field(
        False, description="Keep features of pictures whose bytes were in the earlier output."
    )
    max_error_rate: Fraction = Field(
        1.0, description="The run fails when more rows fail; it always does when all do."
    )
    max_pickle_rows: PositiveInt = Field(
        1_000_000, description="A pickle is in memory as a whole; longer ones are refused."
    )
    max_bytes: PositiveInt = Field(100_000_000, description="Larger files are failed rows.")
    http_timeout: PositiveFloat = Field(10.0, description="Seconds without an answer or a block.")
    http_deadline: PositiveFloat = Field(60.0, description="Seconds for a whole picture.")
    allowed_roots: list[str] | None = Field(
        None, description="Folders that local pictures must be in; null allows any."
    )
    allowed_buckets: list[str] | None = Field(
        None, description="Buckets that may be read; null allows any."
    )
    oss_root: OptionalPath = Field(
        None, description="Folder in which oss://bucket/key is bucket/key; null asks the store."
    )
    oss_endpoint: OptionalPath = Field(
        None, description="S3-compatible endpoint of oss://: https://s3.oss-<region>.aliyuncs.com."
    )
    s3_endpoint: OptionalPath = Field(None, description="Endpoint of s3://; null is Amazon's.")

    @field_validator("incremental")
    @classmethod
    def _one_of_the_two(cls, value: bool, info: ValidationInfo) -> bool:  # noqa: FBT001
        if value and info.data.get("only_failed"):
            raise ValueError("only_failed and incremental are both true; set one of them.")
        return value


def extract_section(values: Mapping[str, Any], *, call: str) -> ExtractSection:
    """Makes the section of some values.

    Args:
        values: by key.
        call: where they were given, for the errors.

    Raises:
        ConfigError: a key is unknown, or a value of the wrong type.
    """
    known = ExtractSection.model_fields
    if unknown := [key for key in values if key not in known]:
        raise ConfigError(
            f"{call} has no option {unknown[0]!r}.{nearest(unknown[0], known)} "
            f"Known: {', '.join(known)}."
        )
    try:
        return ExtractSection(**values)
    except ValidationError as error:
        raise ConfigError(
            f"{call}: {one['loc'][0]}: {one['msg']}; received {one['input']!r}."
            for one in error.errors()
        ) from error
