"""From `SelectModel.models` to exported models that are ready to be compared."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from toolkit.build.fetching import fetch_options
from toolkit.cards.catalog import ALIASES, CARDS, model_card
from toolkit.config.load import load_config
from toolkit.config.schema import Config
from toolkit.config.select_section import CandidateSection
from toolkit.errors import ModelError, nearest
from toolkit.fingerprint import fingerprint_bytes, fingerprint_file
from toolkit.inference.directory import find_export
from toolkit.inference.embed import EmbeddedPaths
from toolkit.inference.embedded_file import TimedEmbeddings, read_embedded, write_embedded
from toolkit.inference.engines.devices import machine_device
from toolkit.inference.engines.engine import AUTO, choose_engine, files_of_engine
from toolkit.inference.model_fingerprint import model_fingerprint
from toolkit.inference.preprocess import INFERENCE_FILE, read_inference_config
from toolkit.storage import atomic_directory

_LOG = logging.getLogger(__name__)
_FOLDER = "select_model"
_EXPORTS, _FEATURES = "exports", "features"


@dataclass(frozen=True)
class Candidate:
    """An exported model, and what is known of it before it runs.

    Attributes:
        directory: the export.
        engine: what runs it.
        size: bytes of the files that this engine opens.
    """

    directory: Path
    engine: str
    size: int


def candidate_name(entry: str | CandidateSection) -> str:
    """Returns what a model is called in the tables: as the configuration has it."""
    if isinstance(entry, str):
        return entry
    where = "" if entry.weight_path == AUTO else f" with {entry.weight_path}"
    return f"{entry.config}{where}"


def open_candidate(config: Config, entry: str | CandidateSection) -> Candidate:
    """Finds a model, and downloads or exports it where that has not been done.

    Raises:
        ToolkitError: it is not there, or cannot be had.
    """
    directory = _directory(config, entry)
    written = read_inference_config(directory)
    device = machine_device(config.Global.device)
    engine: str = config.SelectModel.engine
    if engine == AUTO:
        engine = choose_engine(directory, device, written.precision)
    files = [directory / name for name in files_of_engine(engine, written.precision)]
    size = sum(file.stat().st_size for file in files if file.is_file())
    return Candidate(directory, engine, size)


def embed_candidate(
    config: Config, candidate: Candidate, paths: Sequence[Path]
) -> tuple[TimedEmbeddings, bool]:
    """Computes the features of pictures, unless an earlier run did.

    Returns:
        The features, and whether they are of an earlier run.

    Raises:
        ToolkitError: the model cannot be opened.
    """
    section = config.SelectModel
    asked = [model_fingerprint(candidate.directory), candidate.engine, section.decode]
    key = "-".join([*asked, _pictures_fingerprint(paths)])
    name = fingerprint_bytes(key.encode())
    file = Path(config.Global.output) / _FOLDER / _FEATURES / f"{name}.npz"
    kept = read_embedded(file, key)
    if kept is not None:
        _LOG.info("The features of %s are read from %s.", candidate.directory, file)
        return kept, True
    embed = _embedder(config, candidate)
    began = time.monotonic()
    embedded = embed(list(paths))
    timed = TimedEmbeddings(embedded, time.monotonic() - began)
    write_embedded(file, key, timed)
    return timed, False


def _embedder(config: Config, candidate: Candidate) -> Callable[[list[Path]], EmbeddedPaths]:
    from toolkit.build.embedding import build_export_embedder

    section = config.SelectModel
    own = {
        "engine": candidate.engine,
        "decode": section.decode,
        "batch_size": section.batch_size,
    }
    changed = config.Evaluate.model_copy(update=own)
    return build_export_embedder(
        config.model_copy(update={"Evaluate": changed}), candidate.directory
    )


def _pictures_fingerprint(paths: Sequence[Path]) -> str:
    """Returns what changes where the list, or a file of it, does."""
    said = "\n".join(f"{path.resolve()} {_state(path)}" for path in paths)
    return fingerprint_bytes(said.encode("utf-8", "surrogateescape"))


def _state(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "is not there"
    return f"{found.st_size} {found.st_mtime_ns}"


def _directory(config: Config, entry: str | CandidateSection) -> Path:
    if isinstance(entry, CandidateSection):
        return _exported(config, entry)
    if entry in CARDS or entry in ALIASES:
        from toolkit.build.official import opened_model

        return opened_model(
            model_card(entry),
            fetch_options(config),
            engine=config.SelectModel.engine,
            device=config.Global.device,
        )
    if not Path(entry).exists():
        raise ModelError(
            f"{entry!r} is neither the name of a model nor a folder.{nearest(entry, CARDS)} "
            "main.py --list-models has the names."
        )
    from toolkit.inference.official import opened_folder

    return find_export(opened_folder(Path(entry), fetch_options(config)))


def _exported(config: Config, entry: CandidateSection) -> Path:
    """Exports a checkpoint, once for its weights and its network."""
    from toolkit.build.embedding import build_exporter
    from toolkit.build.model import build_network, checkpoint_weights, load_trained

    own = load_config(entry.config)
    weights = checkpoint_weights(entry.weight_path, Path(own.Global.output), fetch_options(config))
    network = yaml.safe_dump(own.model_dump(include={"Global", "Arch", "Data", "Adapter"}))
    key = fingerprint_bytes(f"{network}{fingerprint_file(weights)}".encode())
    folder = Path(config.Global.output) / _FOLDER / _EXPORTS / key
    if not (folder / INFERENCE_FILE).is_file():
        model = build_network(own, num_classes=None)
        load_trained(model, weights)
        with atomic_directory(folder) as temporary:
            build_exporter(own, model)(temporary)
    return folder
