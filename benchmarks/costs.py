"""Counts parameters and multiply-adds of every model that has a card.

    python -m benchmarks.costs [--write]

Prints a table: input side, parameters, multiply-adds for one image. With --write it also stores
them in toolkit/cards/costs.json, where the cards read them.
"""

import argparse
import json
from pathlib import Path

from toolkit.build.card_network import card_config, embedding_network
from toolkit.build.transforms import image_size
from toolkit.cards.card import Card
from toolkit.cards.catalog import CARDS
from toolkit.models.cost import measure_cost
from toolkit.runtime import prepare_paddle
from toolkit.storage import write_text

FILE = Path(__file__).parents[1] / "toolkit" / "cards" / "costs.json"


def count(card: Card) -> tuple[int, int, int]:
    """Returns input side, parameters and multiply-adds of the network that gives the embedding.

    A backbone ends at its feature; branches count as parameters one by one, and as the one
    convolution that they become for deployment in the multiply-adds.
    """
    config = card_config(card)
    network = embedding_network(card, config)
    size = image_size(config.Data.eval_transforms)
    parameters = measure_cost(network, size).parameters
    network.re_parameterize()
    return size[0], parameters, measure_cost(network, size).multiply_adds


def main() -> int:
    """Prints the table, and writes it if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help=f"also write {FILE.name}")
    arguments = parser.parse_args()
    prepare_paddle()
    costs = {}
    print(f"{'model':<42} {'side':>4} {'parameters, M':>14} {'multiply-adds, G':>17}")
    for name, card in CARDS.items():
        side, parameters, products = costs[name] = count(card)
        print(f"{name:<42} {side:>4} {parameters / 1e6:>14.2f} {products / 1e9:>17.3f}")
    if arguments.write:
        rows = ",\n".join(f"  {json.dumps(name)}: {list(row)}" for name, row in costs.items())
        write_text(FILE, f"{{\n{rows}\n}}\n")
        print(f"wrote {FILE}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
