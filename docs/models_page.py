"""docs/models.md: one section a model that is made for retrieval, one table of backbones."""

from toolkit.cards.card import Card
from toolkit.cards.catalog import CARDS

_INTRODUCTION = """\
# Models

Every name that `Global.model` and `create_model` know. `python main.py --list-models` prints the
short form, `toolkit.list_models()` returns the names, `toolkit.model_card(name)` a card.

A number under *published* is what its source says, measured there with official weights. It was not
measured by this toolkit: official weights could not be had where it was built. What this toolkit
shows is that its networks compute what PaddleClas's compute on the same weights
(`make conformance`). Parameters and multiply-adds are counted by `python -m benchmarks.costs`,
without the class head: parameters as they are trained, multiply-adds of one image of the input size
with branches fused. A multiply-add is one product and one sum; counted are convolutions, linear
layers and both products of attention (queries with keys, weights with values). Who counts no
attention finds less for the same network: 16.8 G instead of 17.6 G for CLIP ViT-B/16.
"""


def models_page() -> str:
    """Returns the page."""
    made_for_it = [card for card in CARDS.values() if card.kind == "recognition"]
    backbones = [card for card in CARDS.values() if card.kind == "backbone"]
    lines = [_INTRODUCTION]
    for card in made_for_it:
        lines += _section(card)
    lines += [
        "## Backbones with ImageNet weights",
        "",
        "`create_model(name)` gives the feature that the network's classifier reads; training",
        "starts from the weights with `Train.pretrain_weight_path`. Those without an address take",
        "a file of yours.",
        "",
        "| name | feature | input | parameters, M | multiply-adds, G | top-1 / 5, % | weights |",
        "|---|---|---|---|---|---|---|",
        *(_row(card) for card in backbones),
        "",
        "### Where the architectures and the numbers come from",
        "",
        *_sources(backbones),
        "",
    ]
    return "\n".join(lines)


def _section(card: Card) -> list[str]:
    facts = {
        "architecture": card.architecture,
        "embedding": f"{card.dimension} values, scaled to length 1 by `predict`",
        "input": card.preprocessing,
        "parameters": f"{card.parameters / 1e6:.2f} M",
        "multiply-adds": f"{card.multiply_adds / 1e9:.3f} G",
        "licence": card.licence,
        "trained on": card.trained_on,
        "good for": card.good_for,
        "not for": card.not_for,
        "paper": card.paper,
        "weights to start from": _link(card.pretrained_url),
        "trained weights": _link(card.weights_url),
        "inference model": "ships with this package"
        if card.embedded
        else _link(card.inference_url),
    }
    lines = [f"## {card.name}", "", card.summary, "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in facts.items() if value]
    for number in card.published:
        where = f" ({number.hardware})" if number.hardware else ""
        lines.append(f"| *published:* {number.what}{where} | {number.value:g} — {number.source} |")
    lines += [
        f"| *measured:* {number.what} | {number.value:.3f} — `{number.source}` |"
        for number in card.measured
    ]
    return [*lines, ""]


def _row(card: Card) -> str:
    by_name = {number.what: number.value for number in card.published}
    first, fifth = (by_name.get(f"ImageNet top-{k}, %") for k in (1, 5))
    accuracy = "" if first is None else f"{first:g}" + ("" if fifth is None else f" / {fifth:g}")
    return (
        f"| `{card.name}` | {card.dimension} | {card.input_size} | {card.parameters / 1e6:.2f} | "
        f"{card.multiply_adds / 1e9:.3f} | {accuracy} | {_link(card.pretrained_url)} |"
    )


def _sources(cards: list[Card]) -> list[str]:
    papers: dict[str, list[str]] = {}
    numbers: dict[str, list[str]] = {}
    for card in cards:
        papers.setdefault(card.paper, []).append(card.name)
        for number in card.published[:1]:
            numbers.setdefault(number.source, []).append(card.name)
    return [
        *(f"- {', '.join(names)}: {paper}" for paper, names in papers.items()),
        *(f"- accuracies of {', '.join(names)}: {source}" for source, names in numbers.items()),
    ]


def _link(url: str | None) -> str:
    return "" if url is None else f"[{url.rsplit('/', 1)[-1]}]({url})"
