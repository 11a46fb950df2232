"""What a head for very many classes does not go with is told before the run begins."""

import pytest

from toolkit.build import class_table
from toolkit.build.class_table import check_class_table
from toolkit.build.loss import build_loss
from toolkit.build.model import build_recognizer
from toolkit.errors import ConfigError

CLASSES = 40


@pytest.fixture
def checked(configure, monkeypatch):
    def check(head, *overrides, processes=1):
        monkeypatch.setattr(class_table, "process_count", lambda: processes)
        config = configure(f"Arch.Head={head}", *overrides)
        network = build_recognizer(config.Arch, CLASSES)
        loss = build_loss(config.Loss, CLASSES, network.output_sizes, network.outputs)
        check_class_table(config, network, loss)

    return check


SAMPLED, DIVIDED = "{name: CosMargin, sample_rate: 0.25}", "{name: ArcMargin, sharded: true}"


def test_what_goes_together_passes(checked):
    checked(SAMPLED)
    checked(DIVIDED, "Optimizer.clip_norm=1.0")  # in one process the head is whole
    checked("{name: ArcMargin}", "Train.accumulate_steps=2")
    # No batch has more classes than there are.
    checked("{name: ArcMargin, sample_rate: 0.99}", "Train.batch_size=400")


@pytest.mark.parametrize(
    ("head", "override", "processes", "message"),
    [
        (SAMPLED, "Train.accumulate_steps=2", 1, r"Train\.accumulate_steps is 2"),
        (SAMPLED, "Loss=[CELoss: {}, DSHSDLoss: {}]", 1, "Loss DSHSDLoss needs the logits of all"),
        (SAMPLED, "Train.batch_size=11", 1, r"keeps 10 of 40 .* 11 pictures .* 0\.275 or more"),
        (SAMPLED, "Train.batch_size=8", 2, r"keeps 10 of 40 .* 16 pictures .* 0\.4 or more"),
        (DIVIDED, "Optimizer.clip_norm=1.0", 2, r"Optimizer\.clip_norm needs the whole head"),
        (DIVIDED, "Train.ema_decay=0.9", 2, r"Train\.ema_decay needs the whole head"),
        (DIVIDED, "Optimizer.name=LARS", 2, "Optimizer LARS needs the whole head"),
    ],
)
def test_what_does_not_is_refused(checked, head, override, processes, message):
    with pytest.raises(ConfigError, match=message):
        checked(head, override, processes=processes)
