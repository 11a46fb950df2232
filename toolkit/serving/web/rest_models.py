"""What the routes of ``/v1`` take and give, for checking and for OpenAPI."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from toolkit.serving.picture_records import LARGEST_INTRA, LONGEST_GROUP

_Group = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_GROUP,
        description="Which product or person it shows.",
        examples=["shoe-888"],
    ),
]
_Intra = Annotated[
    int | None,
    Field(
        ge=0,
        le=LARGEST_INTRA,
        description="Which picture of the group; left out, the next number is taken.",
    ),
]
_Where = Annotated[
    dict[str, Any],
    Field(
        description="Which records may be found: group_id, intra_id, savename, data.<key>.",
        examples=[{"data.colour": "red"}],
    ),
]


class Options(BaseModel):
    """Values of a request; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class NoOptions(Options):
    """A request with pictures alone."""


class DatabaseOptions(Options):
    """What a database is made of."""

    metric: Literal["cosine", "l2", "inner_product"] | None = Field(
        None, description="How vectors are compared; cosine where it is left out."
    )
    kind: Literal["flat", "hnsw", "ivf", "ivf_pq", "sq8", "binary"] | None = Field(
        None, description="How neighbours are found; Serve.index_kind where it is left out."
    )


class AddOptions(Options):
    """A picture that is added, or put in the place of another."""

    group_id: _Group
    intra_id: _Intra = None
    keep: bool = Field(
        default=True, description="Keep the picture itself, to show it with results."
    )
    savename: str | None = Field(
        None, max_length=255, description="Its file; left out, its name comes from its bytes."
    )
    data: dict[str, Any] = Field(
        default_factory=dict,
        description="What else is to be kept; filters can ask for it.",
        examples=[{"colour": "red"}],
    )


class SearchOptions(Options):
    """What is searched for."""

    k: int = Field(10, ge=1, description="How many neighbours.", examples=[10])
    group_id: _Group | None = None
    where: _Where = Field(default_factory=dict)
    threshold: float | None = Field(None, description="Lowest similarity of a neighbour.")
    by_group: bool = Field(default=False, description="Only the nearest picture of each group.")
    detect: bool = Field(
        default=False,
        description="Search for the thing that the detector is surest of, not for the whole.",
    )


class Picture(BaseModel):
    """A record."""

    group_id: str
    intra_id: int
    savename: str | None = None
    data: dict[str, Any] = Field(default_factory=dict)


class Neighbour(Picture):
    """A record that was found."""

    rank: int
    similarity: float
    distance: float


class SearchAnswer(BaseModel):
    """Neighbours, nearest first."""

    neighbours: list[Neighbour]
    box: list[float] | None = Field(
        None, description="With detect: left, top, right and bottom of what was searched for."
    )


class Added(Picture):
    """The record that was written."""

    is_new: bool


class Pictures(BaseModel):
    """Records, in the order of writing."""

    count: int
    pictures: list[Picture]


class Deleted(BaseModel):
    """How many records are gone."""

    deleted: int


class DatabaseFacts(BaseModel):
    """What a database says about itself."""

    name: str
    dimension: int | None = None
    metric: str | None = None
    kind: str | None = None
    count: int | None = None
    recall: float | None = None
    damaged: str | None = Field(None, description="Why it cannot be opened; null: it can.")


class DatabaseList(BaseModel):
    """All databases."""

    databases: list[DatabaseFacts]


class Features(BaseModel):
    """The vector of a picture, of length 1."""

    feature: list[float]
    dimension: int
    model: str
    fingerprint: str


class MatchAnswer(BaseModel):
    """How alike two pictures are."""

    similarity: float = Field(description="0 to 1; higher is more alike.")
    cosine_similarity: float
    l2_distance: float


class JobFailure(BaseModel):
    """A row that was not written, and why."""

    row: int
    error: str


class JobFacts(BaseModel):
    """How far a job is."""

    id: str
    database: str
    state: Literal["waiting", "running", "done", "cancelled", "failed"]
    total: int
    done: int = Field(description="Rows that are through, those that failed among them.")
    failed: int
    errors: list[JobFailure] = Field(description="The first hundred that failed.")
    reason: str | None = Field(description="Why the job itself failed.")


class JobList(BaseModel):
    """All jobs, the oldest first."""

    jobs: list[JobFacts]


class JobOptions(Options):
    """Pictures that are added one after the other."""

    rows: list[dict[str, Any]] | None = Field(
        None,
        description="Objects with image, group_id, and perhaps intra_id, savename, data.",
        examples=[[{"image": "oss://bucket/1.jpg", "group_id": "shoe-888"}]],
    )
    file: str | None = Field(
        None, description="In place of rows: oss://bucket/key of a file with an object a line."
    )
    keep: bool = Field(default=True, description="Keep the pictures.")


class ProblemAnswer(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    kind: str
    code: int
    request_id: str
