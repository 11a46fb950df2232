"""The exported model that a mode runs: of this output folder, of a given one, or the official."""

import logging
from pathlib import Path

from toolkit.build.fetching import fetch_options
from toolkit.cards.catalog import model_card
from toolkit.config.schema import Config
from toolkit.errors import ModelError
from toolkit.inference.official import opened_folder
from toolkit.storage import atomic_directory

_LOG = logging.getLogger(__name__)


def exported_model(config: Config, given: str | None, *, engine: str) -> Path:
    """Returns the folder of an exported model.

    Args:
        config: names the output folder and the model.
        given: the folder; ``auto`` is the best model of the output folder, which is exported if
            that has not been done; None is the official model.
        engine: what will run it, for the official model.

    Raises:
        ToolkitError: it is not there, or cannot be had.
    """
    if given is None:
        return _official(config, engine)
    if given != "auto":
        return opened_folder(Path(given), fetch_options(config))
    best = Path(config.Global.output) / "best_model"
    if not best.is_dir():
        mode = config.Global.mode.capitalize()
        raise ModelError(
            f"{config.Global.output} has no best_model, which {mode}.model_dir auto means: train "
            "first (Global.mode=train), give the folder of an exported model, or null for the "
            "official one."
        )
    if (best / "best_model.pdparams").is_file() and not (best / "inference").is_dir():
        _export(config, best)
    return best


def _official(config: Config, engine: str) -> Path:
    from toolkit.build.official import opened_model

    return opened_model(
        model_card(config.Global.model),
        fetch_options(config),
        engine=engine,
        device=config.Global.device,
    )


def _export(config: Config, best: Path) -> None:
    """Exports the best model of a run that was killed: train does it when it ends."""
    from toolkit.build.embedding import build_exporter
    from toolkit.build.model import build_network, checkpoint_weights, load_trained

    _LOG.info("%s is not exported yet (its run did not end by itself); exporting it.", best)
    model = build_network(config, num_classes=None)
    load_trained(model, checkpoint_weights("auto", best.parent, fetch_options(config)))
    with atomic_directory(best / "inference") as temporary:
        build_exporter(config, model)(temporary)
