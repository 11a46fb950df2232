"""The conformance run itself: it must be able to fail, and leave no network out."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.conformance import families, oracles
from benchmarks.conformance.comparison import GOLDEN, Comparison
from benchmarks.conformance.running import Peer, Side, family_names, load_family, networks_of, run
from toolkit.registry import BACKBONES

# A network of this toolkit alone has nothing to be compared with.
OURS_ALONE = {"SmallResNet"}


def test_every_registered_network_belongs_to_a_family_that_is_compared():
    compared = networks_of([*family_names(families), *family_names(oracles)])
    registered = {name for name in BACKBONES.names() if not name.startswith("Tiny")}
    assert set(compared) == registered - OURS_ALONE


def test_the_stored_outputs_are_those_that_the_families_name():
    named = {}
    for package in (families, oracles):
        for family in family_names(package):
            if golden := load_family(package, family).GOLDEN:
                named[family] = set(golden)
    stored = {}
    for file in GOLDEN.glob("*.npz"):
        with np.load(file) as arrays:
            stored[file.stem] = set(arrays)
    assert stored == named
    assert all(Path(GOLDEN, f"{family}.md").is_file() for family in named)


@pytest.mark.parametrize(
    ("ours", "failures"),
    [
        ([1.0, 2.0], 0),
        ([1.0, 2.00001], 0),
        ([1.0, 2.0001], 1),
        ([1.0, float("nan")], 1),
        ([1.0], 1),
    ],
)
def test_a_line_fails_beyond_the_tolerance(ours, failures, capsys):
    table = Comparison("a peer")
    table.line("network", "3", np.array(ours, np.float32), np.array([1.0, 2.0], np.float32))
    assert table.failures == failures
    assert ("TOO LARGE" in capsys.readouterr().out) == bool(failures)


def test_other_names_and_other_shapes_of_tensors_are_told():
    def layer(**shapes):
        state = {name: np.zeros(shape) for name, shape in shapes.items()}
        return SimpleNamespace(state_dict=lambda: state)

    table = Comparison("a peer")
    ours = layer(kernel=(2, 3), bias=(3,))
    assert table.states(ours, layer(kernel=(2, 3), bias=(3,), fc=(1,)), ignored=("fc",)) == "2"
    assert table.failures == 0
    assert "DIFFER" in table.states(ours, layer(kernel=(2, 3), shift=(3,)))
    assert "DIFFER" in table.states(ours, layer(kernel=(3, 2), bias=(3,)))
    assert table.failures == 2


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("SmallResNet", 0, "1 comparisons, 0 outside 1e-05 or with other tensors; 1 of 1"),
        ("another", 1, "registered, but without a line: SmallResNet"),
    ],
)
def test_a_run_fails_when_a_registered_network_has_no_line(
    line, code, words, tmp_path, monkeypatch, capsys
):
    package = tmp_path / f"families_with_{line}"
    package.mkdir()
    (package / "__init__.py").touch()
    source = f"GOLDEN = ()\n\ndef compare(table, one):\n    table.line({line!r}, '1', one, one)\n"
    (package / "small_resnet.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "argv", ["compare", "--inside"])
    side = Side("a peer", (np.ones(1, np.float32),), lambda *_: "")
    modules = importlib.import_module(package.name)
    assert run(Peer("compare", modules, Path, lambda: side), "Compares.") == code
    assert words in capsys.readouterr().out
