"""The curves: pictures of the right size, drawn without a screen or pyplot."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from toolkit.reports import curves
from toolkit.reports.smoothing import smoothed


def step_row(step, loss, losses=None):
    losses = {"CELoss": loss} if losses is None else losses
    return {
        "kind": "step",
        "epoch": 1,
        "step": step,
        "loss": loss,
        "losses": losses,
        "learning_rate": 0.1 / (step + 1),
    }


def evaluation_row(epoch, **metrics):
    return {"kind": "evaluation", "epoch": epoch, "step": epoch * 10, "metrics": metrics}


ROWS = [
    *(step_row(step, 5 / (step + 1), {"a": 1.0, "b": 2.0}) for step in range(40)),
    step_row(41, None, {}),
    evaluation_row(1, recall1=0.2, recall5=0.4, mAP=0.1),
    evaluation_row(2, recall1=0.5, recall5=None, mAP=0.3, precision1=0.5),
]


@pytest.fixture
def drawn(monkeypatch):
    """The axes of what is drawn, by the name of their y axis."""
    found = {}
    original = curves._write

    def write(figure, axes, path):
        found["axes"] = axes
        original(figure, axes, path)

    monkeypatch.setattr(curves, "_write", write)
    return found


@pytest.mark.parametrize("draw", [curves.draw_loss_curve, curves.draw_recall_curve])
@pytest.mark.parametrize("rows", [ROWS, [step_row(1, None, {})], []], ids=["all", "none", "0"])
def test_a_picture_is_written_whatever_the_rows(tmp_path, draw, rows):
    path = tmp_path / "folder" / "curve.png"
    draw(rows, path)
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("PNG", (960, 540))
    assert [file.name for file in path.parent.iterdir()] == ["curve.png"]


def test_loss_curve_has_the_total_and_its_parts(tmp_path, drawn):
    curves.draw_loss_curve(ROWS, tmp_path / "loss.png")
    lines = {line.get_label(): line for line in drawn["axes"].get_lines()}
    assert {"a", "b", "loss"} <= set(lines)
    np.testing.assert_allclose(lines["loss"].get_ydata(), [5 / (s + 1) for s in range(40)])
    np.testing.assert_array_equal(lines["b"].get_ydata(), [2.0] * 40)


def test_one_part_alone_is_not_drawn_twice(tmp_path, drawn):
    curves.draw_loss_curve([step_row(1, 2.0), step_row(2, 1.0)], tmp_path / "loss.png")
    labels = [line.get_label() for line in drawn["axes"].get_lines()]
    assert "CELoss" not in labels


def test_recall_curve(tmp_path, drawn):
    curves.draw_recall_curve(ROWS, tmp_path / "recall.png")
    lines = {line.get_label(): line for line in drawn["axes"].get_lines()}
    assert list(lines) == ["recall1", "recall5", "mAP"]
    np.testing.assert_array_equal(lines["recall1"].get_xydata(), [[1, 0.2], [2, 0.5]])
    np.testing.assert_array_equal(lines["recall5"].get_xydata(), [[1, 0.4]])
    assert drawn["axes"].get_ylim() == (0, 1)


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        (ROWS, ["loss_curve.png", "recall_curve.png"]),
        (ROWS[:3], ["loss_curve.png"]),
        (ROWS[-1:], ["recall_curve.png"]),
        ([], []),
    ],
)
def test_only_curves_that_have_rows_are_written(tmp_path, rows, names):
    assert curves.write_curves(rows, tmp_path) == [tmp_path / name for name in names]
    assert sorted(file.name for file in tmp_path.iterdir()) == names


def test_smoothing_is_a_mean_over_a_window():
    values = np.random.default_rng(0).normal(size=300)
    half = 3
    slow = [values[max(0, i - half) : i + half + 1].mean() for i in range(300)]
    np.testing.assert_allclose(smoothed(values), slow)
    np.testing.assert_allclose(smoothed([1.0, 2.0]), [1.0, 2.0])


def test_importing_it_brings_in_neither_matplotlib_nor_paddle():
    script = (
        "import sys, toolkit.reports.curves\n"
        "bad = {'matplotlib', 'paddle'} & set(sys.modules)\n"
        "raise SystemExit(f'imported {bad}' if bad else 0)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
