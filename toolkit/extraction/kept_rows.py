"""An earlier output as features that are not computed again."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from toolkit.errors import ExtractionError
from toolkit.extraction.earlier import Earlier
from toolkit.extraction.job import Identity, WorkFolder, check_same, read_job
from toolkit.extraction.merge import CONTENTS, FACTS
from toolkit.extraction.shard_file import DIGEST_BYTES, Failed, writing_shard
from toolkit.extraction.writers.writer import Writer

_LOG = logging.getLogger(__name__)
_UNKNOWN = Failed("row", "it failed before")


def keep_rows(
    output: Path,
    writer: Writer,
    folder: WorkFolder,
    identity: Identity,
    by: Literal["row", "content"],
) -> Earlier | None:
    """Makes the features of an earlier output ready to be looked up.

    Args:
        output: the earlier output, with its ``.job.json`` beside it.
        writer: its format.
        folder: where the looked-up file goes.
        identity: of the job that wants to keep rows; its model, and for ``row`` its input too, must
            be those of the earlier job.
        by: see `Earlier`.

    Returns:
        The features; None for ``content`` where there is no earlier output.

    Raises:
        ExtractionError: the output is not there, of another job, or damaged.
    """
    facts_file = output.with_name(output.name + FACTS)
    if not output.is_file() or not facts_file.is_file():
        if by == "content":
            return None
        raise ExtractionError(
            f"Extract.only_failed is true and {output} is not there with its {FACTS}: run the "
            "extraction first, with the same output."
        )
    facts = read_job(facts_file)
    _check(identity, facts, facts_file, by)
    file = folder.path / "earlier.rows"
    dtype = np.dtype(str(facts.get("dtype", "<f4")))
    try:
        with writing_shard(file, dtype.name, varying=bool(facts.get("varying"))) as kept:
            for feature, digest in zip(
                writer.features(output), _digests(output, facts), strict=True
            ):
                kept.add(_UNKNOWN if feature is None else feature.astype(dtype), digest)
            kept.finish()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExtractionError(
            f"{output} cannot be read back ({error}). Extract everything again, with "
            "Extract.only_failed and incremental false."
        ) from error
    return Earlier(file, by)


def _check(identity: Identity, facts: Mapping[str, Any], file: Path, by: str) -> None:
    own = identity.to_json()
    keys = ("format_version", "model") if by == "content" else (*own.keys() - {"shard_size"},)
    way_out = "Give the earlier settings, or another output."
    check_same(
        {key: own[key] for key in keys}, {key: facts.get(key) for key in keys}, file, way_out
    )


def _digests(output: Path, facts: Mapping[str, Any]) -> Iterator[bytes]:
    """Yields the digest of each row; zeros where they were not kept."""
    file = output.with_name(output.name + CONTENTS)
    rows = int(facts.get("rows", 0))
    if not file.is_file():
        _LOG.info("%s is not there: no content of the earlier output is known.", file)
        yield from (b"" for _ in range(rows))
        return
    with file.open("rb") as digests:
        for _ in range(rows):
            yield digests.read(DIGEST_BYTES)
