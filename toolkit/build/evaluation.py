"""From a configuration to the retrieval test that train and evaluate run."""

from toolkit.build.data import read_split
from toolkit.config.schema import Config
from toolkit.evaluation.trial import Measures, RetrievalTrial


def build_trial(config: Config) -> RetrievalTrial:
    """Reads gallery.txt and query.txt; no other list has to be there."""
    measures = Measures(
        recall_k=tuple(config.Metric.recall_k),
        precision_k=tuple(config.Metric.precision_k),
        bootstrap_samples=config.Metric.bootstrap_samples,
        seed=config.Global.seed,
        knn_k=None if config.SelfSup is None else config.SelfSup.knn_k,
    )
    return RetrievalTrial(read_split(config, "query"), read_split(config, "gallery"), measures)
