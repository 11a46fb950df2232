"""The Python API of the index: two calls, the same work as modes build_index and search.

Example:
    >>> from toolkit import build_index, search
    >>> print(build_index("photographs/", "index").summary())
    >>> for found in search("index", ["shelf.jpg", "till.jpg"], topk=5):
    ...     print(found.row.id, [(hit.id, round(hit.score, 3)) for hit in found.hits])
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.build.model_place import model_directory
from toolkit.runtime import prepare_paddle

if TYPE_CHECKING:
    from toolkit.build.picture_search import Found
    from toolkit.config.schema import Config
    from toolkit.tasks.build_index import BuildIndexReport


def build_index(
    input: str | Path,  # noqa: A002 - the name of the key
    folder: str | Path,
    *,
    model: str | Path | None = None,
    device: str = "auto",
    **options: Any,
) -> "BuildIndexReport":
    """Builds an index of pictures in a folder, or adds to the one that is there.

    Args:
        input: a folder of pictures, a list file, or features of ``extract``.
        folder: of the index.
        model: what ``create_model`` takes: a name, or the folder of an exported model; None is the
            model that ships with this package. Not used with features.
        device: ``auto | cpu | gpu | gpu:0``.
        options: keys of the section Index: docs/configuration.md.

    Returns:
        Counts, failures by picture, the plan, and what the index says about itself.

    Raises:
        ConfigError: an option is unknown or of the wrong type.
        ToolkitError: the input, the model or the index cannot be used.
    """
    from toolkit.tasks.build_index import run

    given = {**options, "input": str(input), "folder": str(folder)}
    return run(_config("Index", given, model, device))


def search(
    folder: str | Path,
    pictures: str | Path | list[str] | list[Path],
    *,
    model: str | Path | None = None,
    device: str = "auto",
    **options: Any,
) -> Iterator["Found"]:
    """Yields what an index finds for each picture, in their order.

    Args:
        folder: of the index.
        pictures: a file, a folder, an address, or a list of such.
        model: as for `build_index`; the one that the index was built with.
        device: ``auto | cpu | gpu | gpu:0``.
        options: keys of the section Search, such as ``topk`` and ``where``: docs/configuration.md.

    Returns:
        For each picture its hits, or why it could not be looked up. What can be told before the
        first of them is raised here.

    Raises:
        ConfigError: an option is unknown or of the wrong type.
        ToolkitError: the pictures, the model or the index cannot be used.
    """
    from toolkit.build.picture_search import open_search

    names = [str(name) for name in pictures] if isinstance(pictures, list) else str(pictures)
    given = {**options, "input": names, "folder": str(folder)}
    opened = ExitStack()
    ready = opened.enter_context(open_search(_config("Search", given, model, device)))

    def found() -> Iterator["Found"]:
        with opened:
            yield from ready.found()

    return found()


def _config(
    section: str, values: Mapping[str, Any], model: str | Path | None, device: str
) -> "Config":
    from toolkit.cards.catalog import DEFAULT_MODEL
    from toolkit.config.load import sections_config
    from toolkit.inference.directory import find_export
    from toolkit.inference.preprocess import read_inference_config

    prepare_paddle()
    directory = model_directory(model, engine=values.get("engine", "auto"), device=device)
    name = read_inference_config(find_export(directory)).model_name
    given = {"model_dir": str(directory), **values}
    config = sections_config({"Global": {"model": DEFAULT_MODEL, "device": device}, section: given})
    # A model of somebody's own is in no catalogue, and an index needs no recipe.
    named = config.Global.model_copy(update={"model": name})
    return config.model_copy(update={"Global": named})
