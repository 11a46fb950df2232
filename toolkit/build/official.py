"""From a card to the folder of its inference model, ready to open."""

from pathlib import Path

from toolkit.cards.card import Card
from toolkit.errors import ModelError
from toolkit.fetch.lock import locked
from toolkit.fetch.options import FetchOptions
from toolkit.fetch.record import check_record, keep_record
from toolkit.inference.converted import converted_folder
from toolkit.inference.official import official_model
from toolkit.inference.preprocess import INFERENCE_FILE


def opened_model(card: Card, options: FetchOptions, *, engine: str, device: str) -> Path:
    """Returns the folder of a model's export for an engine, with ONNX files if it needs them.

    Args:
        card: the model.
        options: cache, mirror, and whether to verify.
        engine: a name of ``ENGINES``, or ``auto``.
        device: ``auto | cpu | gpu | gpu:0``.

    Raises:
        ToolkitError: see `model_folder` and `converted_folder`.
    """
    folder = model_folder(card, options)
    return converted_folder(folder, options.cache / "onnx_models", engine=engine, device=device)


def model_folder(card: Card, options: FetchOptions) -> Path:
    """Returns the folder of a model's export: in this package, on this machine, or downloaded.

    Backbones are published as weights; the export is made of them once and kept in the cache.

    Raises:
        ModelError: nothing is published that could be opened.
        FetchError: it cannot be downloaded, the message has the ways out; or what was made of it
            before is not the same any more.
        WeightsError: the weights are not those of the network.
    """
    if card.kind == "recognition":
        return official_model(card, options)
    folder = options.model_folders()[0] / card.name
    if (folder / INFERENCE_FILE).is_file():
        check_record(folder, verify=options.verify)
        return folder
    url = card.pretrained_url
    if url is None:
        raise ModelError(
            f"No weights of {card.name!r} are published for Paddle. Bring a file of yours: "
            f"Global.model={card.name}, Arch.Neck=null, Export.weight_path=FILE, "
            "Global.mode=export; then open the folder that it writes."
        )
    with locked(folder):
        if not (folder / INFERENCE_FILE).is_file():
            # It stands on Paddle; whoever opens what is here already needs none.
            from toolkit.build.card_network import export_published

            export_published(card, url, folder, options)
            keep_record(folder, url)
    return folder
