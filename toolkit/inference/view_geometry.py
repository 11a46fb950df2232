"""How the features of views lie, for a network that is being trained without labels."""

import numpy as np

from toolkit.data.views import ViewDataset, collate_views
from toolkit.inference.engines.network import NetworkEngine
from toolkit.inference.unit_vectors import unit_vectors
from toolkit.models.recognizer import Recognizer
from toolkit.selfsup.geometry import describe

_EPOCH = 0


def view_geometry(
    network: Recognizer, dataset: ViewDataset, count: int, batch_size: int
) -> dict[str, float]:
    """Describes the features of the first two views of some pictures, always the same ones.

    Args:
        network: as it stands.
        dataset: pictures, spread over which `count` are looked at.
        count: how many; 0 looks at none.
        batch_size: pictures a forward pass.

    Returns:
        `toolkit.selfsup.geometry.describe`; nothing when fewer than two pictures could be read.
    """
    places = np.unique(np.linspace(0, len(dataset) - 1, min(count, len(dataset))).astype(int))
    engine = NetworkEngine(network)
    pairs = []
    for start in range(0, len(places), batch_size):
        keys = [(_EPOCH, int(place)) for place in places[start : start + batch_size]]
        batch = collate_views([dataset[key] for key in keys])
        if batch.images:
            both = [unit_vectors(engine.run(batch.images[0][:, view])) for view in (0, 1)]
            pairs.append(np.stack(both))
    if sum(pair.shape[1] for pair in pairs) < 2:
        return {}
    first, second = np.concatenate(pairs, axis=1)
    return describe(first, second)
