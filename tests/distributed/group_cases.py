"""What runs both in one process with a whole batch and in two with a share each.

Every case returns {name: array} and says by the name how the two belong together: what begins with
``rows`` are rows of the process's share, ``sum`` adds up over the processes, and anything else is
the same in all of them.
"""

import json

import numpy as np
import paddle
from paddle import nn

from toolkit.distributed.gradients import average_moments, sum_gradients
from toolkit.distributed.group import gather_json, process_count, process_rank, told_by_first
from toolkit.distributed.norm import synchronise_norms
from toolkit.distributed.shares import gather_rows, mean_of_rows, shares_of
from toolkit.distributed.softmax import ClassLogits, class_cross_entropy
from toolkit.evaluation.together import embedded_together
from toolkit.inference.embed import EmbeddedPaths, Failure
from toolkit.losses.cross_entropy import CELoss
from toolkit.models.heads import AdaMargin, ArcMargin, CircleMargin, CosMargin
from toolkit.models.heads.class_table import whole_tables
from toolkit.models.recognizer import Recognizer
from toolkit.registry import LOSSES, METHODS
from toolkit.selfsup.queue import KeyQueue
from toolkit.training.fit import TrainingPlan, fit
from toolkit.training.learner import Learner, Listener, state_arrays
from toolkit.training.named_optimizer import named_parameters
from toolkit.training.optimizers import Momentum

LABELS = np.array([0, 1, 0, 2, 1, 3, 2, 0])
SHARES = (5, 3)
WIDTHS = {
    "backbone": 7,
    "features": 6,
    "logits": 5,
    "teacher_backbone": 3,
    "teacher_features": 9,
    "teacher_logits": 5,
}
HANDED_IN = {"num_classes": 5, "in_features": 6}


def numbers(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def own(rows):
    """The share of this process; everything in one that is alone."""
    return rows if process_count() == 1 else np.split(rows, [SHARES[0]])[process_rank()]


def own_tensor(rows, *, trained=True):
    return paddle.to_tensor(own(rows), stop_gradient=not trained)


def share():
    """What this process's loss counts."""
    return 1.0 if process_count() == 1 else SHARES[process_rank()] / sum(SHARES)


def gathered_rows():
    x, weights = own_tensor(numbers(8, 3)), paddle.to_tensor(numbers(8, 3, seed=1))
    every = gather_rows(x)
    # Each process weighs all rows otherwise; one process does what all do together.
    factors = [0.25, 0.75] if process_count() == 1 else [[0.25, 0.75][process_rank()]]
    sum((every * weights * factor).sum() for factor in factors).backward()
    first, rest = numbers(8, 2)[:0], numbers(8, 2)
    lopsided = rest if process_count() == 1 else (first, rest)[process_rank()]
    return {
        "every": every.numpy(),
        "rows gradient": x.grad.numpy(),
        "one has none": gather_rows(paddle.to_tensor(lopsided)).numpy(),
        "whole numbers": gather_rows(own_tensor(LABELS, trained=False)).numpy(),
        "mean": mean_of_rows(x).numpy(),
        "rows own": shares_of(len(x)).own(every).numpy(),
    }


def told():
    values = gather_json({"ä": [1.5, None, float("nan")], "rank": process_rank()})
    return {
        "in order": np.array([v["rank"] for v in values] == [*range(process_count())]),
        "text": np.array(ord(next(iter(values[-1])))),
        "number": np.array(values[-1]["ä"][0]),
        "by first": np.array(told_by_first(lambda: json.loads("[7, 0.1]"))),
    }


def summed_gradients():
    both, first, none, half = (paddle.create_parameter([2, 2], "float32") for _ in range(4))
    half = half.astype("float16").detach()
    half.stop_gradient = False
    rank, alone = process_rank(), process_count() == 1
    both.grad = paddle.full([2, 2], 3.0 if alone else 1.0 + rank)
    half.grad = paddle.full([2, 2], 3.0 if alone else 1.0 + rank, dtype="float16")
    if rank == 0:
        first.grad = paddle.full([2, 2], 5.0)
    sum_gradients([both, first, none, half])
    return {
        "both": both.grad.numpy(),
        "first": first.grad.numpy(),
        "none": np.array(none.grad is None),
        "half": half.grad.numpy(),
    }


def norms(kind, shape, *, freeze_bias=False):
    paddle.seed(3)
    norm = kind(shape[1], momentum=0.8)
    norm.weight.set_value(numbers(shape[1], seed=5))
    norm.bias.set_value(numbers(shape[1], seed=6))
    norm.bias.stop_gradient = freeze_bias
    if process_count() > 1:
        synchronise_norms(norm)
    # A mean far from zero, which a sum of squares would lose.
    x = own_tensor(numbers(*shape) + 30)
    y = norm(x)
    (y * own_tensor(numbers(*shape, seed=2), trained=False)).sum().backward()
    norm.eval()
    return {
        "rows y": y.numpy(),
        "rows gradient": x.grad.numpy(),
        "sum of weight": norm.weight.grad.numpy(),
        **({} if freeze_bias else {"sum of bias": norm.bias.grad.numpy()}),
        "mean": norm._mean.numpy(),
        "variance": norm._variance.numpy(),
        "rows evaluated": norm(x).numpy(),
    }


def norm_of_maps():
    return norms(nn.BatchNorm2D, (8, 3, 4, 5))


def norm_of_vectors():
    return norms(nn.BatchNorm1D, (8, 3))


def norm_with_frozen_bias():
    return norms(nn.BatchNorm1D, (8, 3), freeze_bias=process_count() > 1)


def averaged_moments():
    norm = nn.BatchNorm1D(2)
    norm._mean.set_value(
        np.float32([3, 5] if process_count() == 1 else [1 + 4 * process_rank()] * 2)
    )
    if process_count() == 1:
        norm._mean.set_value(np.float32([3, 3]))
    average_moments(nn.Sequential(norm))
    return {"mean": norm._mean.numpy(), "variance": norm._variance.numpy()}


def loss_named(name):
    """Value, and gradients of outputs and of what the loss learns, of two batches."""
    paddle.seed(4)
    asked = {option.name for option in LOSSES.options(name) if option.handed_in}
    options = {key: value for key, value in HANDED_IN.items() if key in asked}
    if name.endswith("_XBM"):
        options |= {"start_iter": 0, "xbm_size": 11}
    loss = LOSSES.build(name, **options)
    found = {}
    for batch in range(2):
        outputs = {key: own_tensor(numbers(8, width, seed=batch)) for key, width in WIDTHS.items()}
        value = loss(outputs, own_tensor(LABELS, trained=False)) * share()
        value.backward()
        found[f"sum {batch}"] = value.detach().numpy()
        for key, tensor in outputs.items():
            if tensor.grad is not None:
                found[f"rows {key} {batch}"] = tensor.grad.numpy()
    for key, parameter in loss.named_parameters():
        if parameter.grad is not None:
            found[f"sum of {key}"] = parameter.grad.numpy()
    return found | {f"buffer {key}": buffer.numpy() for key, buffer in loss.named_buffers()}


def queue():
    paddle.seed(5)
    ring = KeyQueue(11, 3)
    for batch in range(2):
        ring.take_in(own_tensor(numbers(8, 3, seed=batch)))
    return {"keys": ring.keys.numpy(), "written": ring.written.numpy()}


class _Nothing(nn.Layer):
    def __init__(self):
        super().__init__()
        self.out_features = 4
        self.linear = nn.Linear(4, 4)


METHOD_OPTIONS = {
    "MoCo": {"hidden": 4, "width": 4, "queue_size": 12},
    "MoBY": {"hidden": 4, "width": 4, "queue_size": 12},
    "SwAV": {"hidden": 4, "width": 4, "prototypes": 6, "queue_size": 8, "queue_from": 1},
    "DINO": {"hidden": 4, "bottleneck": 4, "outputs": 6},
}


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def method_named(name):
    """Loss, gradients and state after two batches of given vectors."""
    paddle.seed(6)
    method = METHODS.build(
        name, network=Recognizer(_Nothing()), total_steps=4, **METHOD_OPTIONS[name]
    )
    method.before_epoch(2)
    found = {}
    for batch in range(3):
        names = {
            "MoCo": ["queries", "keys"],
            "MoBY": ["queries", "queries", "keys", "keys"],
            "SwAV": ["vectors", "vectors", "vectors"],
            "DINO": ["student", "student", "teacher", "features"],
        }[name]
        outputs: dict[str, list] = {}
        for number, key in enumerate(names):
            width = 6 if key in ("student", "teacher") else 4
            rows = unit(numbers(8, width, seed=10 * batch + number))
            trained = key not in ("keys", "teacher")
            outputs.setdefault(key, []).append(own_tensor(rows, trained=trained))
        loss, values = method(outputs, None)
        (loss * share()).backward()
        found[f"sum {batch}"] = (loss * share()).detach().numpy()
        found[f"spread {batch}"] = values["spread"].numpy()
        for key, tensors in outputs.items():
            for number, tensor in enumerate(tensors):
                if tensor.grad is not None:
                    found[f"rows {key} {number} {batch}"] = tensor.grad.numpy()
    return found | {
        f"state {key}": value.numpy()
        for key, value in method.named_buffers()
        if "slow" not in key and "teacher" not in key
    }


def divided_softmax():
    """Six classes, divided after the fourth; one process has them all at hand."""
    logits, labels = 3 * numbers(8, 6), np.array([0, 5, 3, 4, 2, 2, 1, 5])
    first, end = (0, 6) if process_count() == 1 else ((0, 4), (4, 6))[process_rank()]
    values = paddle.to_tensor(logits[:, first:end], stop_gradient=False)
    places = np.where((labels >= first) & (labels < end), labels - first, -1)
    found = {}
    for epsilon in (0.0, 0.1):
        values.clear_gradient()
        loss = class_cross_entropy(ClassLogits(values, paddle.to_tensor(places), True), epsilon)
        (loss * share()).backward()
        found |= {f"loss {epsilon}": loss.detach().numpy()}
        found |= {f"rows gradient {epsilon}": values.grad.numpy().T}
    return found


class Net(nn.Layer):
    """A small network with a batch norm and a class head."""

    def __init__(self, head):
        super().__init__()
        self.linear, self.norm, self.head = nn.Linear(5, 6), nn.BatchNorm1D(6), head

    def forward(self, images, labels=None):
        features = self.norm(self.linear(images))
        return {"features": features, "logits": self.head(features, labels)}


class SharedLoader:
    """Three batches an epoch, the last one smaller."""

    def __init__(self):
        self.images, self.labels = numbers(22, 5), np.arange(22) % 7

    def __len__(self):
        return 3

    def epoch(self, epoch, skip_batches):
        order = np.random.default_rng(epoch).permutation(22)
        for batch in np.split(order, [8, 16])[skip_batches:]:
            rows = np.array_split(batch, process_count())[process_rank()]
            yield self.images[rows], self.labels[rows], rows, []


class Losses(Listener):
    def __init__(self):
        self.values = []

    def on_step(self, record):
        self.values.append(record.loss)


def trained(make_head, *, accumulate=1, loss=None):
    """The losses and the weights of two epochs."""
    paddle.seed(7)
    net = Net(make_head())
    if process_count() > 1:
        synchronise_norms(net)
    loss = loss or Combined(CELoss())
    parameters = [*named_parameters(net), *named_parameters(loss, prefix="loss.")]
    optimizer = Momentum(parameters, 0.1)
    log = Losses()
    plan = TrainingPlan(epochs=2, accumulate_steps=accumulate)
    fit(Learner(net, loss, optimizer, lambda _: 0.1), SharedLoader(), plan, listeners=[log])
    with whole_tables(net):
        state = state_arrays(net)
        remembered = optimizer.state()["accumulators"]["velocity"]
        return {
            "losses": np.array(log.values),
            **{f"weight {name}": value for name, value in state.items()},
            **{f"velocity {name}": value for name, value in remembered.items()},
        }


class Combined(nn.Layer):
    """Adds up losses, as a run does."""

    def __init__(self, *parts):
        super().__init__()
        self.parts = nn.LayerList(parts)

    def forward(self, outputs, labels):
        values = [part(outputs, labels) for part in self.parts]
        return sum(values[1:], values[0]), {"first": values[0].detach()}


def fit_with_classes():
    return trained(lambda: AdaMargin(6, 7))


def fit_with_pairs():
    return trained(
        lambda: CosMargin(6, 7),
        accumulate=2,
        loss=Combined(CELoss(), LOSSES.build("MultiSimilarityLoss")),
    )


def fit_with_sampled_classes():
    return trained(lambda: CircleMargin(6, 7, scale=4.0, sample_rate=0.99))


def fit_with_divided_classes():
    return trained(lambda: ArcMargin(6, 7, sharded=True))


def embedded():
    """Paths that are numbers; those that divide by 7 cannot be read."""

    def embed(paths):
        rows = [row for row, path in enumerate(paths) if int(path) % 7]
        return EmbeddedPaths(
            np.stack([np.float32([int(paths[row]), len(paths)]) for row in rows])[:, :1],
            np.array(rows, dtype=np.int64),
            [Failure(row, f"{path}: no") for row, path in enumerate(paths) if not int(path) % 7],
        )

    found = {}
    for count in (3, 11, 16):
        of_all = embedded_together(embed, batch_size=4)([str(n) for n in range(1, count + 1)])
        found[f"vectors {count}"], found[f"placed {count}"] = of_all.vectors, of_all.rows
        found[f"failed {count}"] = np.array([failure.row for failure in of_all.failures])
    return found


CASES = {
    **{
        case.__name__: case
        for case in (
            *(gathered_rows, told, summed_gradients, averaged_moments, queue, divided_softmax),
            *(norm_of_maps, norm_of_vectors, norm_with_frozen_bias, embedded),
            *(fit_with_classes, fit_with_pairs, fit_with_sampled_classes),
            fit_with_divided_classes,
        )
    },
    **{name: lambda name=name: loss_named(name) for name in LOSSES.names()},
    **{name: lambda name=name: method_named(name) for name in METHODS.names()},
}


def run_all():
    """Runs every case; returns {case: [what each process found]} to the first process."""
    results = {}
    for name, case in CASES.items():
        found = {key: np.asarray(value).tolist() for key, value in case().items()}
        results[name] = gather_json(found)
    return results
