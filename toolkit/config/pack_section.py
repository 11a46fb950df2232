"""Pack: pictures into TFRecords or tar shards.

The names are those of PAI's conversion component where its documentation has them.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from toolkit.config.section import OptionalPath, Section
from toolkit.config.types import Fraction, PositiveInt, Range
from toolkit.errors import nearest

_PACKED = "CLASSIFICATION"
_NOT_PACKED = (
    "DETECTION", "SEGMENTATION", "POLYGON_SEGMENTATION", "INSTANCE_SEGMENTATION", "TEXT_END2END",
    "TEXT_RECOGNITION", "TEXT_DETECTION", "VIDEO_CLASSIFICATION",
)  # fmt: skip


def _known_model_type(value: str) -> str:
    if value in _NOT_PACKED:
        raise ValueError(
            f"{value} is a model type of PAI that is not packed here: its records hold more than a "
            f"picture and a class. Use {_PACKED}, also for self-supervised training."
        )
    if value != _PACKED:
        hint = nearest(value, [_PACKED, *_NOT_PACKED])
        raise ValueError(f"Unknown model type {value!r}. Known: {_PACKED}.{hint}")
    return value


class PackSection(Section):
    """Pictures in few large files: TFRecords or tar shards."""

    label_file: OptionalPath = Field(
        None, description="What is packed; null is the train list of the dataset."
    )
    label_source: Literal["list", "unlabelled", "pai"] = Field(
        "list",
        description="list: a list file; unlabelled: a path a line; pai: annotations of PAI (CSV).",
    )
    delimiter: str | None = Field(
        None, min_length=1, description="Between columns; null: as usual for the label_source."
    )
    image_root: OptionalPath = Field(
        None,
        description="Folder that paths start from, oss://bucket/key too; null: Global.dataset_dir, "
        "else where label_file is.",
    )
    output_tfrecord: OptionalPath = Field(
        None, description="Folder and prefix of the files; null is <Global.output>/pack/data."
    )
    format: Literal["tfrecord", "webdataset"] = Field(
        "tfrecord", description="TFRecord files with an index, or tar shards of webdataset."
    )
    model_type: Annotated[str, AfterValidator(_known_model_type)] = Field(
        _PACKED, description="CLASSIFICATION, also for self-supervised training."
    )
    class_list_file: OptionalPath = Field(
        None,
        description="A class a line, numbered from 0; an empty file stores no labels. null numbers "
        "the labels of the list.",
    )
    test_ratio: Fraction = Field(0.0, description="Share of the pictures in the test files.")
    max_image_size: PositiveInt | None = Field(
        None, description="Longest side in pixels; larger pictures are shrunk. null shrinks none."
    )
    max_test_image_size: PositiveInt | None = Field(
        None, description="The same for test pictures; null takes max_image_size."
    )
    default_class: str | None = Field(
        None, description="Class of labels that class_list_file lacks; null skips their rows."
    )
    error_class: str | None = Field(None, description="Rows with this label are left out.")
    ignore_class: None = Field(None, description="Of detection in PAI; only null is legal.")
    image_encoding: Literal["jpg", "png"] = Field(
        "jpg", description="Pictures that are in it and need no shrinking stay as they are."
    )
    jpeg_quality: Annotated[int, Range(ge=1, le=100)] = Field(
        95, description="Of pictures that have to be encoded."
    )
    shuffle: bool = Field(False, description="Order by Global.seed, not as the list has it.")
    num_samples_per_tfrecord: PositiveInt = Field(
        1000, description="Rows a file, of a tar shard too; bad pictures leave it shorter."
    )
    read_parallel_num: PositiveInt = Field(
        10, description="Threads that read, decode and shrink pictures."
    )
    write_parallel_num: PositiveInt = Field(1, description="Files written at a time.")
    workers: PositiveInt = Field(5, description="Kept for PAI; this machine is the only one.")
    cpu: PositiveInt = Field(800, description="Kept for PAI: hundredths of a core a worker.")
    memory: PositiveInt = Field(20000, description="Kept for PAI: MB a worker.")

    @field_validator("ignore_class", mode="before")
    @classmethod
    def _nothing_ignored(cls, value: object) -> object:
        if value not in (None, "None", ""):
            raise ValueError(
                f"ignore_class is {value!r}; it belongs to detection. To leave out rows of a "
                "class, use error_class."
            )
        return None

    @field_validator("default_class")
    @classmethod
    def _class_of_a_list(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("class_list_file") is None:
            raise ValueError(
                f"default_class is {value!r} and class_list_file is null, so no label is unknown; "
                "give class_list_file, or leave default_class out."
            )
        return value
