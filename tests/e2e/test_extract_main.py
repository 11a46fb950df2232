"""main.py in mode extract, with the configuration that ships: files, exit codes, what is said."""

import json
from pathlib import Path

import numpy as np
import pytest

from toolkit.interfaces.cli import main

pytestmark = pytest.mark.e2e
CONFIG = "configs/general_recognition/extract.yaml"


def run_main(repository: Path, output: Path, *overrides: str) -> int:
    options = [f"Global.output={output}", "Global.device=cpu", "Extract.num_worker=1", *overrides]
    return main(["-c", str(repository / CONFIG), *(x for o in options for x in ("-o", o))])


def test_a_folder_to_parquet(repository, drawn_dataset, tmp_path, capsys) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "features.parquet"
    images = drawn_dataset / "images"
    overrides = [f"Extract.input={images}", f"Extract.output={file}"]
    assert run_main(repository, tmp_path / "output", *overrides) == 0
    table = parquet.read_table(file)
    assert table["image"].to_pylist() == sorted(map(str, images.iterdir()))
    lengths = np.linalg.norm(np.array(table["feature"].to_pylist()), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-5)
    said = capsys.readouterr().out
    assert "Features of 56 of 56 pictures, 256 numbers each, by SmallResNet_general." in said
    assert "images/s" in said
    assert str(file) in said
    result = json.loads((tmp_path / "output/extract_result.json").read_text())
    assert (result["done_flag"], result["features"], result["length"]) == (True, 56, 256)
    assert set(result["stage_seconds"]) == {"read", "decode", "network", "write"}


def test_exit_codes(repository, drawn_dataset, tmp_path, capsys) -> None:
    source = tmp_path / "list.txt"
    source.write_text(f"{drawn_dataset}/images/0_0.png\ngone.png\n", encoding="utf-8")
    given = [f"Extract.input={source}", "Extract.output=null", "Extract.output_format=text"]
    assert run_main(repository, tmp_path / "output", *given) == 1, "half of them failed"
    assert (tmp_path / "output/features.txt").read_text().count("\n") == 2
    assert "missing              1 failed" in capsys.readouterr().out
    assert run_main(repository, tmp_path / "output", *given, "Extract.max_error_rate=0.5") == 0
    assert run_main(repository, tmp_path / "output") == 2
    assert "Extract.input is null" in capsys.readouterr().err
    assert run_main(repository, tmp_path / "output", "Extract.predictor=no_colon") == 2
    assert "expected module:Class" in capsys.readouterr().err
    wrong = ["Extract.only_failed=true", "Extract.incremental=true"]
    assert run_main(repository, tmp_path / "output", *wrong) == 2
    assert "set one of them" in capsys.readouterr().err
