"""Where the batches of a training run come from, and the features of its evaluations."""

from toolkit.build.data import TrainingData, keep_pictures
from toolkit.build.embedding import build_embedder
from toolkit.build.frozen import build_feature_store, build_frozen_embedder, build_phased_loader
from toolkit.build.prepared import epochs_left
from toolkit.config.schema import Config
from toolkit.evaluation.trial import Embed
from toolkit.models.recognizer import Recognizer
from toolkit.training.fit import TrainingPlan
from toolkit.training.frozen import FrozenRecognizer
from toolkit.training.learner import Loader, Position


def build_feed(
    config: Config, data: TrainingData, model: Recognizer, plan: TrainingPlan, start: Position
) -> tuple[Loader, Embed]:
    """Makes ready what is computed once: kept pictures, or the features of a frozen backbone.

    Args:
        config: of the run.
        data: what it trains on.
        model: its network, with the weights that it begins or goes on with.
        plan: how long it trains.
        start: where it begins or goes on.

    Returns:
        Batches by epoch, and paths -> features of the network as it stands when it is called.

    Raises:
        StorageError: the features of a frozen backbone cannot be kept.
    """
    left = epochs_left(plan, data.loader, start)
    if not isinstance(model, FrozenRecognizer):
        keep_pictures(config, data.dataset, epochs=left)
        return data.loader, build_embedder(config, model)
    store, thaw_at = build_feature_store(config, model), config.Train.unfreeze_at
    if thaw_at is not None:
        keep_pictures(config, data.dataset, epochs=left - max(0, thaw_at - start.epoch))
    loader = build_phased_loader(config, data, store, start.epoch)
    return loader, build_frozen_embedder(config, model, store)
