"""More classes for a trained head: known rows stay wherever they are, new ones are imprinted."""

import numpy as np
import paddle
import pytest
from paddle import nn
from tiny_training import ArrayLoader, assert_identical, snapshot

from toolkit.errors import WeightsError
from toolkit.losses.class_vectors import CenterLoss
from toolkit.losses.combined import CombinedLoss
from toolkit.losses.cross_entropy import CELoss
from toolkit.models.heads import FC, AdaMargin, ArcMargin, SubCenterArcMargin
from toolkit.models.recognizer import Recognizer
from toolkit.training.checkpoint import RunState, save_checkpoint
from toolkit.training.class_rows import ClassRows, load_extended
from toolkit.training.ema import AveragedWeights
from toolkit.training.fit import TrainingPlan, fit
from toolkit.training.learner import Learner, Position, state_arrays
from toolkit.training.named_optimizer import named_parameters
from toolkit.training.optimizers import AdamW, Momentum

OLD, NEW = ["2", "10", "cat"], ["1", "2", "10", "ant", "cat"]
WIDTH = 6
HEADS = {
    "FC": lambda c: FC(WIDTH, c),
    "ArcMargin": lambda c: ArcMargin(WIDTH, c),
    "SubCenterArcMargin": lambda c: SubCenterArcMargin(WIDTH, c, sub_centers=2),
    "AdaMargin": lambda c: AdaMargin(WIDTH, c),
}


class Flat(nn.Layer):
    out_features = WIDTH

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(12, WIDTH)

    def forward(self, images):
        return self.linear(images.flatten(1))


def learner(head, num_outputs, *, rule=Momentum, seed=1, ema=True):
    paddle.seed(seed)
    model = Recognizer(Flat(), None, HEADS[head](num_outputs))
    loss = CombinedLoss(
        [("CELoss", 1.0, CELoss()), ("CenterLoss", 0.1, CenterLoss(num_outputs, WIDTH))]
    )
    parameters = named_parameters(model) + named_parameters(loss, "loss.")
    average = AveragedWeights(model, 0.9) if ema else None
    return Learner(model, loss, rule(parameters, 0.05), lambda _: 0.05, average)


def trained(folder, head="FC", *, classes=3, **options):
    found = learner(head, classes, **options)
    rng = np.random.default_rng(2)
    images = rng.normal(size=(24, 3, 2, 2)).astype("float32")
    fit(found, ArrayLoader(images, np.arange(24) % len(OLD), 6), TrainingPlan(epochs=2))
    save_checkpoint(folder / "latest", "latest", found, RunState(Position(3, 0, 8), 2, 0))
    return found


MEANS = {"1": np.arange(1, 7, dtype="float32") / 10, "ant": np.eye(6, dtype="float32")[3]}


def class_axis(array, classes):
    """The axis with the classes, told by the numbers of this test: no other length is one."""
    return next((a for a, size in enumerate(array.shape) if size in (classes, 2 * classes)), None)


@pytest.mark.parametrize("rule", [Momentum, AdamW])
@pytest.mark.parametrize("head", HEADS)
def test_rows_of_known_labels_are_found_by_their_label(tmp_path, head, rule):
    old = trained(tmp_path, head, rule=rule)
    now = learner(head, len(NEW), rule=rule, seed=9)
    fresh = snapshot(now)
    load_extended(tmp_path / "latest", now, ClassRows(OLD, NEW), lambda: MEANS)
    before, after = snapshot(old), snapshot(now)
    for name, array in after.items():
        if array.shape == before[name].shape:
            np.testing.assert_array_equal(array, before[name], err_msg=name)
            continue
        axis = class_axis(array, len(NEW))
        width = array.shape[axis] // len(NEW)
        by_class = np.split(array, len(NEW), axis)
        known = np.split(before[name], len(OLD), axis)
        for number, label in enumerate(OLD):
            np.testing.assert_array_equal(
                by_class[NEW.index(label)], known[number], err_msg=f"{name} {label}"
            )
        if name.startswith(("loss.", "velocity", "moment")):
            start = np.split(fresh[name], len(NEW), axis)
            for label in ("1", "ant"):
                np.testing.assert_array_equal(by_class[NEW.index(label)], start[NEW.index(label)])
        elif array.ndim == 2:  # the head, and its average
            columns = before[name][:, ::width]
            for label, mean in MEANS.items():
                row = by_class[NEW.index(label)][:, 0]
                assert row @ mean / np.linalg.norm(row) / np.linalg.norm(mean) > 0.99999
            if not name.startswith("average"):
                length = np.linalg.norm(columns, axis=0).mean()
                np.testing.assert_allclose(np.linalg.norm(row), length, rtol=1e-5)
    assert now.average.num_updates == old.average.num_updates


def test_known_classes_get_the_logits_that_they_had(tmp_path):
    old = trained(tmp_path)
    now = learner("FC", len(NEW), seed=9)
    load_extended(tmp_path / "latest", now, ClassRows(OLD, NEW), lambda: MEANS)
    images = paddle.randn([5, 3, 2, 2])
    for part in (old, now):
        part.model.eval()
    at = [NEW.index(label) for label in OLD]
    np.testing.assert_allclose(
        now.model(images)["logits"].numpy()[:, at], old.model(images)["logits"].numpy(), atol=1e-6
    )


def test_turned_classes_have_several_outputs(tmp_path):
    old = trained(tmp_path, classes=2 * len(OLD))
    now = learner("FC", 2 * len(NEW), seed=9)
    load_extended(tmp_path / "latest", now, ClassRows(OLD, NEW, turns=2), dict)
    left, right = state_arrays(old.model), state_arrays(now.model)
    for number, label in enumerate(OLD):
        at = 2 * NEW.index(label)
        np.testing.assert_array_equal(
            right["head.fc.weight"][:, at : at + 2],
            left["head.fc.weight"][:, 2 * number : 2 * number + 2],
        )


def test_no_new_class_is_the_checkpoint_itself(tmp_path):
    old = trained(tmp_path)
    now = learner("FC", len(OLD), seed=9)
    load_extended(tmp_path / "latest", now, ClassRows(OLD, OLD), dict)
    assert_identical(snapshot(old), snapshot(now))


def test_spare_outputs_are_refused(tmp_path):
    """5 outputs were trained for 3 labels: which two of them are free cannot be told."""
    trained(tmp_path, classes=len(NEW))
    for classes in (len(NEW), len(NEW) + 1):
        labels = [*NEW, "dog"][:classes]
        now = learner("FC", classes, seed=9)
        before = snapshot(now)
        with pytest.raises(WeightsError, match=r"larger Train\.num_classes"):
            load_extended(tmp_path / "latest", now, ClassRows(OLD, labels), dict)
        assert_identical(before, snapshot(now))


def test_another_network_is_refused(tmp_path):
    trained(tmp_path)
    now = learner("ArcMargin", len(NEW))
    with pytest.raises(WeightsError, match=r"head\.weight"):
        load_extended(tmp_path / "latest", now, ClassRows(OLD, NEW), dict)


def test_another_rule_begins_anew(tmp_path, caplog):
    trained(tmp_path)
    now = learner("FC", len(NEW), rule=AdamW)
    load_extended(tmp_path / "latest", now, ClassRows(OLD, NEW), dict)
    assert "trained with Momentum and this run uses AdamW" in caplog.text


def test_averages_begin_with_the_weights_where_the_checkpoint_has_none(tmp_path):
    trained(tmp_path, ema=False)
    now = learner("FC", len(NEW), seed=9)
    load_extended(tmp_path / "latest", now, ClassRows(OLD, NEW), lambda: MEANS)
    assert_identical(now.average.weights(), state_arrays(now.model))
    assert now.average.num_updates == 0
