"""The Python API of extraction: one call, the same job as mode extract.

Example:
    >>> from toolkit import extract
    >>> if __name__ == "__main__":  # the workers import this file again
    ...     report = extract("photographs/", "features.parquet", model="output", num_worker=8)
    ...     print(report.summary())
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.build.model_place import model_directory
from toolkit.runtime import prepare_paddle

if TYPE_CHECKING:
    from toolkit.tasks.extract_report import ExtractReport


def extract(
    input: str | Path,  # noqa: A002 - the name of the key
    output: str | Path,
    *,
    model: str | Path | None = None,
    device: str = "auto",
    seed: int = 0,
    **options: Any,
) -> "ExtractReport":
    """Extracts the features of any list of pictures into a file.

    Args:
        input: a list file, a folder, a table, or tar shards.
        output: the file to write; its ending decides on the format, text for any other.
        model: what ``create_model`` takes: a name, or the folder of an exported model; None is the
            model that ships with this package. Not used with ``predictor``.
        device: ``auto | cpu | gpu | gpu:0``.
        seed: of random weights, with ``weights="random"``.
        options: keys of the section Extract: docs/configuration.md.

    Returns:
        Rows, failures by cause, times, files; ``passed`` is False where ``main.py`` exits with 1.

    Raises:
        ConfigError: an option is unknown or of the wrong type.
        ToolkitError: the model, the input, or the job of an earlier run cannot be used.
    """
    from toolkit.build.extraction import model_to_open
    from toolkit.build.model_to_open import ModelSource
    from toolkit.cards.catalog import DEFAULT_MODEL
    from toolkit.config.extract_section import extract_section
    from toolkit.tasks.extract import extract as run

    prepare_paddle()
    given = {**options, "input": str(input), "output": str(output)}
    # With a class of the user's, the model is what that class opens.
    given.setdefault("model_dir", None if model is None else str(model))
    section = extract_section(given, call="extract")
    source = ModelSource(
        partial(model_directory, model, engine=section.engine, device=device),
        DEFAULT_MODEL if model is None else model,
        device,
        seed,
    )
    return run(section, model_to_open(section, source), device)
