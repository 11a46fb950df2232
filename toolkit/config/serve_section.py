"""The section Serve: matching and retrieval over HTTP."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from toolkit.config.run_sections import DecodeMode, EngineName
from toolkit.config.section import OptionalPath, Section
from toolkit.config.types import NonNegativeFloat, PositiveFloat, PositiveInt, Range

ServiceKind = Literal["match", "retrieval"]
_DEFAULT_SERVICES: dict[str, ServiceKind] = {
    "img_match_001": "match",
    "img_retrieval_001": "retrieval",
}


def _are_names(services: dict[str, ServiceKind]) -> dict[str, ServiceKind]:
    for name in services:
        if not name or not all(letter.isalnum() or letter in "_-." for letter in name):
            raise ValueError(f"the service {name!r} needs a name of letters, digits, _, - and .")
    return services


class ServeSection(Section):
    """Matching and retrieval over HTTP."""

    model_dir: str | None = Field(
        "auto",
        description="Exported model; auto is <Global.output>/best_model/inference, null official.",
    )
    engine: EngineName = Field(
        "auto", description="What runs the network; auto is the fastest that is installed."
    )
    detector_dir: OptionalPath = Field(
        None,
        description="Exported detector, such as PP-ShiTuV2_det_infer: pictures are searched for "
        "what it finds in them; null: as a whole.",
    )
    decode: DecodeMode = Field("fast", description="As Predict.decode.")
    threads: PositiveInt | None = Field(
        None, description="CPU threads of the network; null takes all cores."
    )
    root: OptionalPath = Field(
        None,
        description="Folder of all databases, in which oss://bucket/key is bucket/key.",
    )
    host: str = Field(
        "127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 is everybody."
    )
    port: Annotated[int, Range(ge=0, le=65535)] = Field(
        8080, description="Port to listen on; 0 takes a free one."
    )
    services: Annotated[dict[str, ServiceKind], AfterValidator(_are_names)] = Field(
        default_factory=lambda: dict(_DEFAULT_SERVICES),
        description="Names below /api/predict/, and what each is: match or retrieval.",
    )
    default_folder: str = Field(
        "default",
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*$",
        description="Folder below the root whose databases /v1 shows: oss://default to PAI's init.",
    )
    token_file: OptionalPath = Field(
        None,
        description="A line each: token, read or write, folder; null reads TOOLKIT_TOKEN.",
    )
    without_token: bool = Field(False, description="Let everybody in, to write.")
    open_metrics: bool = Field(False, description="Give /metrics without a token.")
    index_kind: Literal["flat", "hnsw", "ivf", "ivf_pq", "sq8", "binary"] = Field(
        "flat", description="How neighbours are found in databases that say nothing else."
    )
    batch_size: PositiveInt = Field(16, description="Pictures a forward pass at most.")
    batch_wait: NonNegativeFloat = Field(
        0.0, description="Seconds that the first picture of a batch waits for others."
    )
    queue_size: PositiveInt = Field(256, description="Pictures that may wait for the network.")
    workers: PositiveInt = Field(64, description="Requests that are worked on at a time.")
    max_requests: PositiveInt = Field(
        1024, description="Requests that are read or wait; more are answered 503."
    )
    max_connections: PositiveInt = Field(4096, description="Open connections; more are closed.")
    max_body_bytes: PositiveInt = Field(20_000_000, description="Longer requests are refused.")
    max_buffered_bytes: PositiveInt = Field(
        500_000_000, description="Of all requests together; more are answered 503."
    )
    max_pixels: PositiveInt = Field(50_000_000, description="Larger pictures are refused.")
    max_records: PositiveInt | None = Field(
        10_000_000, description="Records in a database; null for any number."
    )
    max_databases: PositiveInt = Field(1000, description="Databases in a folder.")
    max_topk: PositiveInt = Field(1000, description="Neighbours that may be asked for.")
    rate: PositiveFloat | None = Field(
        None, description="Requests a second of one token; null for any number."
    )
    timeout: PositiveFloat = Field(30.0, description="Seconds until a request is answered 408.")
    read_timeout: PositiveFloat = Field(
        20.0,
        description="Seconds in which a client must have sent its headers, and its body; and that "
        "an idle connection is kept.",
    )
    stop_timeout: PositiveFloat = Field(
        30.0, description="Seconds that requests under way have when the service is stopped."
    )
    fetch_urls: bool = Field(False, description="Let clients name pictures by URL.")
    fetch_timeout: PositiveFloat = Field(10.0, description="Seconds that one URL may take.")
    oss_endpoint: OptionalPath = Field(
        None,
        description="S3-compatible store that pictures named oss:// are read from; null: the root.",
    )
    oss_buckets: list[str] | None = Field(
        None, description="Buckets of that store that may be read; null allows any."
    )
    page: bool = Field(True, description="Show the web page at /.")
