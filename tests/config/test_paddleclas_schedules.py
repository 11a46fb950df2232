"""PaddleClas's learning rates against the schedulers of Paddle that it builds from them."""

import pytest
from paddle.optimizer import lr
from paddleclas_reading import V1, read

from toolkit.build.optimizer import build_schedule
from toolkit.config.load import check_document

STEPS_PER_EPOCH, EPOCHS = 10, 10


@pytest.mark.parametrize(
    ("options", "oracle"),
    [
        ("Step, step_size: 2, gamma: 0.5", lambda _: lr.StepDecay(0.4, 20, gamma=0.5)),
        (
            "MultiStepDecay, milestones: [2, 5], gamma: 0.5",
            lambda _: lr.MultiStepDecay(0.4, [20, 50], gamma=0.5),
        ),
        (
            "Piecewise, decay_epochs: [2, 5], values: [0.4, 0.3, 0.1]",
            lambda _: lr.PiecewiseDecay([20, 50], [0.4, 0.3, 0.1]),
        ),
        ("Cosine, eta_min: 0.01", lambda steps: lr.CosineAnnealingDecay(0.4, steps, eta_min=0.01)),
        (
            "Linear, end_lr: 0.01, power: 2.0",
            lambda steps: lr.PolynomialDecay(0.4, steps, 0.01, 2.0),
        ),
        ("Constant", lambda _: lr.StepDecay(0.4, 10**6)),
    ],
    ids=lambda part: part.split(",")[0] if isinstance(part, str) else "",
)
@pytest.mark.parametrize("warmup", [0, 3])
def test_schedules_are_those_that_paddleclas_builds(options, oracle, warmup) -> None:
    """LinearWarmup over the epochs' steps, and after it a schedule that starts to count there."""
    config = check_document(
        read(
            V1,
            f"Optimizer.lr={{name: {options}, learning_rate: 0.4, warmup_epoch: {warmup}}}",
            f"Global.epochs={EPOCHS}",
        )
    )
    schedule = build_schedule(config.Optimizer, config.Train, STEPS_PER_EPOCH)
    expected = oracle((EPOCHS - warmup) * STEPS_PER_EPOCH)
    if warmup:
        expected = lr.LinearWarmup(expected, warmup * STEPS_PER_EPOCH, 0.0, 0.4)
    for step in range(EPOCHS * STEPS_PER_EPOCH):
        assert schedule(step) == pytest.approx(expected(), abs=1e-9), step
        expected.step()
