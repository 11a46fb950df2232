"""Heads for very many classes: what they compute, what they draw, and what they leave alone."""

import numpy as np
import paddle
import pytest

from toolkit.errors import ConfigError
from toolkit.losses.cross_entropy import CELoss
from toolkit.models.heads import ArcMargin, CircleMargin, CosMargin
from toolkit.models.heads.class_table import ClassTable, whole_tables
from toolkit.training.learner import state_arrays
from toolkit.training.named_optimizer import named_parameters
from toolkit.training.optimizers import Adam, AdamW, Momentum

WIDTH, CLASSES = 8, 20
HEADS = {
    "arc": lambda **options: ArcMargin(WIDTH, CLASSES, **options),
    "arc easy": lambda **options: ArcMargin(WIDTH, CLASSES, easy_margin=True, **options),
    "cos": lambda **options: CosMargin(WIDTH, CLASSES, scale=8.0, **options),
    "circle": lambda **options: CircleMargin(WIDTH, CLASSES, scale=8.0, **options),
}
RULES = {
    "Momentum": lambda found: Momentum(found, 0.5, use_nesterov=True),
    "Adam": lambda found: Adam(found, 0.01, weight_decay=0.1),
    "AdamW": lambda found: AdamW(found, 0.01),
}


def batches(count, *, size=6, classes=CLASSES):
    rng = np.random.default_rng(1)
    for _ in range(count):
        features = paddle.to_tensor(rng.standard_normal((size, WIDTH), dtype=np.float32))
        features.stop_gradient = False
        yield features, paddle.to_tensor(rng.integers(0, classes, size))


def step(head, optimizer, features, labels, loss=None):
    value = (loss or CELoss())({"logits": head(features, labels)}, labels)
    value.backward()
    optimizer.step()
    optimizer.clear_gradients()
    return float(value)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
@pytest.mark.parametrize("make", HEADS.values(), ids=HEADS)
def test_with_every_class_chosen_it_is_the_head_without_a_table(make, rule):
    paddle.seed(2)
    dense, tabled = make(), make(sharded=True)  # in one process all rows, all chosen
    assert dense.table is None
    start = np.random.default_rng(0).standard_normal((CLASSES, WIDTH)).astype(np.float32)
    dense.weight.set_value(start.T)
    tabled.table.rows.set_value(start)
    rules = [rule(named_parameters(head)) for head in (dense, tabled)]
    loss = CELoss(0.1)
    for features, labels in batches(6):
        gradients = []
        for head, optimizer in zip((dense, tabled), rules, strict=True):
            features.clear_gradient()
            gradients.append((step(head, optimizer, features, labels, loss), features.grad.numpy()))
        np.testing.assert_allclose(gradients[0][0], gradients[1][0], rtol=2e-6)
        np.testing.assert_allclose(gradients[0][1], gradients[1][1], rtol=1e-4, atol=3e-5)
    np.testing.assert_allclose(dense.weight.numpy().T, tabled.table.rows.numpy(), atol=5e-5)


def test_a_sample_is_the_softmax_over_the_chosen_classes():
    paddle.seed(3)
    head = CosMargin(WIDTH, CLASSES, margin=0.2, scale=4.0, sample_rate=0.5)
    (features, labels), *_ = batches(1)
    chosen = ClassTable.choose(head.table, labels)
    head.table.drawn.set_value(head.table.drawn - 1)  # the next draw is this one again
    value = float(CELoss()({"logits": head(features, labels)}, labels))
    rows = head.table.active.numpy().astype(float)
    assert rows.shape == (10, WIDTH)
    expected = []
    for feature, place in zip(features.numpy().astype(float), chosen.numpy(), strict=True):
        cosines = [feature @ row / np.linalg.norm(feature) / np.linalg.norm(row) for row in rows]
        cosines[place] -= 0.2
        powers = np.exp(4.0 * np.array(cosines))
        expected.append(-np.log(powers[place] / powers.sum()))
    assert value == pytest.approx(np.mean(expected), rel=1e-5)


def test_what_is_not_chosen_sleeps():
    paddle.seed(4)
    head = ArcMargin(WIDTH, CLASSES, sample_rate=0.4)
    optimizer = Momentum(named_parameters(head), 0.5)
    for features, labels in batches(4):
        rows = head.table.rows.numpy().copy()
        velocity = head.table.memory["velocity"].numpy().copy()
        step(head, optimizer, features, labels)
        chosen = np.zeros(CLASSES, dtype=bool)
        chosen[head.table._chosen.numpy()] = True
        assert chosen.sum() == 8
        assert chosen[labels.numpy()].all()
        for before, after in (
            (rows, head.table.rows.numpy()),
            (velocity, head.table.memory["velocity"].numpy()),
        ):
            np.testing.assert_array_equal(before[~chosen], after[~chosen])
            assert (before[chosen] != after[chosen]).any(axis=1).all()


def test_the_others_are_drawn_evenly():
    paddle.seed(5)
    table = ClassTable(1, 50, 0.2, sharded=False)
    labels, counts = paddle.to_tensor([3, 40, 3]), np.zeros(50)
    for _ in range(2000):
        table.choose(labels)
        counts[table._chosen.numpy()] += 1
    assert counts[3] == counts[40] == 2000
    others = np.delete(counts, [3, 40])
    # 8 of 48 places: 333 with a deviation of 17.
    assert others.min() > 333 - 5 * 17
    assert others.max() < 333 + 5 * 17


def test_a_resumed_head_draws_and_steps_as_an_undisturbed_one():
    def made():
        paddle.seed(6)
        head = ArcMargin(WIDTH, CLASSES, sample_rate=0.5)
        return head, Adam(named_parameters(head), 0.01)

    whole, whole_rule = made()
    for features, labels in batches(6):
        step(whole, whole_rule, features, labels)
    first, first_rule = made()
    data = list(batches(6))
    for features, labels in data[:3]:
        step(first, first_rule, features, labels)
    paddle.seed(99)
    second = ArcMargin(WIDTH, CLASSES, sample_rate=0.5)
    second_rule = Adam(named_parameters(second), 0.01)
    second.set_state_dict(state_arrays(first))
    second_rule.load_state(first_rule.state())
    for features, labels in data[3:]:
        step(second, second_rule, features, labels)
    for name, array in state_arrays(whole).items():
        np.testing.assert_array_equal(array, second.state_dict()[name].numpy(), err_msg=name)
    saved, again = whole_rule.state()["accumulators"], second_rule.state()["accumulators"]
    assert {name for entries in saved.values() for name in entries} == {"table.rows"}
    assert saved["moment1"]["table.rows"].shape == (CLASSES, WIDTH)
    for kind, entries in saved.items():
        np.testing.assert_array_equal(entries["table.rows"], again[kind]["table.rows"])


def test_without_labels_all_classes_have_their_cosine():
    head = CosMargin(WIDTH, CLASSES, sample_rate=0.1)
    head.eval()
    (features, labels), *_ = batches(1)
    rows = head.table.rows.numpy().astype(float)
    for given in (None, labels):
        cosines = head(features, given).numpy()
        assert cosines.shape == (6, CLASSES)
        feature, row = features.numpy().astype(float)[2], rows[7]
        exact = feature @ row / np.linalg.norm(feature) / np.linalg.norm(row)
        assert cosines[2, 7] == pytest.approx(exact, abs=1e-5)


def test_more_classes_in_a_batch_than_are_chosen_is_an_error_with_the_way_out():
    head = ArcMargin(WIDTH, CLASSES, sample_rate=0.1)
    labels = paddle.to_tensor([1, 2, 3, 3])
    with pytest.raises(ConfigError, match=r"3 classes .* uses 2 of its 20 in .* to 0\.15 "):
        head(paddle.randn([4, WIDTH]), labels)


def test_a_rate_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"sample_rate is a share above 0, up to 1; got 0\.0"):
        CircleMargin(WIDTH, CLASSES, sample_rate=0.0)


def test_one_process_has_its_table_whole_already():
    head = ArcMargin(WIDTH, CLASSES, sharded=True)
    rows = head.table.rows
    with whole_tables(head):
        assert head.table.rows is rows
    assert head.table.rows is rows
