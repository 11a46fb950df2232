"""Official inference models: already on this machine, or downloaded and unpacked with care."""

import logging
from pathlib import Path

from toolkit.archives import is_archive, unpacked
from toolkit.cards.card import Card
from toolkit.downloads import download_bar
from toolkit.errors import ArchiveError, FetchError, ModelError
from toolkit.fetch.download import download_archive
from toolkit.fetch.options import FetchOptions, ways_out
from toolkit.fetch.record import check_record
from toolkit.inference.preprocess import INFERENCE_FILE

_LOG = logging.getLogger(__name__)
_TIMEOUT = 5.0
OWN_FOLDER = "open a folder of your own, create_model(model_dir=...) or Predict.model_dir"
"""The way out that needs no download of a model."""


def official_model(card: Card, options: FetchOptions, *, timeout: float = _TIMEOUT) -> Path:
    """Returns the folder of an official inference model, downloading it when it is nowhere.

    It is looked for below `FetchOptions.model_folders`, one folder a model; the first of them also
    takes the download.

    Args:
        card: the model.
        options: cache, mirror, and whether to verify.
        timeout: seconds to wait for the server.

    Raises:
        ModelError: there is no official model of this card, or its archive or folder is not one.
        FetchError: it cannot be downloaded, the message has the ways out; or what was downloaded
            before is not the same any more.
    """
    if card.embedded:
        return card.embedded_folder
    own, paddlex = (folder / card.name for folder in options.model_folders())
    if (own / INFERENCE_FILE).is_file():
        check_record(own, verify=options.verify)
        return own
    if (paddlex / INFERENCE_FILE).is_file():
        if options.verify:
            _LOG.warning("%s cannot be verified: PaddleX put it there, without a record.", paddlex)
        return paddlex
    if card.inference_url is None:
        raise ModelError(
            f"There is no official inference model of {card.name!r}. Train one, and open its "
            "output folder: create_model('output')."
        )
    if own.is_dir():
        raise ModelError(
            f"{str(own)!r} holds no model: there is no {INFERENCE_FILE} in it. Unpack the archive "
            f"so that {INFERENCE_FILE} is right below that folder, or delete the folder, and the "
            "model is downloaded."
        )
    try:
        with download_bar(card.name) as progress:
            return download_archive(
                card.inference_url,
                own,
                options=options,
                accept=_check_model,
                timeout=timeout,
                progress=progress,
            )
    except (ArchiveError, ModelError) as error:
        raise ModelError(f"{card.inference_url} cannot be used: {error}") from error
    except (FetchError, OSError) as error:
        raise FetchError(
            f"The official model {card.name!r} is not on this machine (looked in {str(own)!r}, "
            f"{str(paddlex)!r}) and cannot be downloaded. {getattr(error, 'reason', error)}",
            ways_out(OWN_FOLDER, f"unpack {card.inference_url} as {str(own)!r} by hand"),
        ) from error


def opened_folder(path: Path, options: FetchOptions) -> Path:
    """Returns the folder of a model that is given as a tar archive; any other path as it is.

    Raises:
        ArchiveError: the archive is damaged or hostile.
    """
    return unpacked(path, options.cache / "unpacked") if is_archive(path) else path


def _check_model(folder: Path) -> None:
    if not (folder / INFERENCE_FILE).is_file():
        raise ModelError(f"the archive holds no model: there is no {INFERENCE_FILE} in it.")
