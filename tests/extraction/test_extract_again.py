"""An earlier output is gone on from: its failed rows, or the contents that it does not know."""

import numpy as np
import pytest
from input_tables import TABLES

from tests.extraction.conftest import SPOILT
from toolkit.errors import ExtractionError

ALL = {"reserved_columns": ["ALL_COLUMNS"]}


def check(found: list[np.ndarray | None], expected: list[np.ndarray | None]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("name", ["features.txt", "f.npy", "f.parquet", "f.jsonl"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_only_failed_rows_are_computed_again(run_extract, listed, pictures, tmp_path, name, dtype):
    run_extract(listed, name, dtype=dtype)
    with pytest.raises(ExtractionError, match=r"model.decode: now 'exact', there 'fast'"):
        run_extract(listed, name, dtype=dtype, only_failed=True, decode="exact")
    for number in SPOILT[:2]:
        pictures[number].write_bytes(pictures[number + 5].read_bytes())
    report = run_extract(listed, name, dtype=dtype, only_failed=True)
    assert (report.computed, report.reused, report.failed) == (3, 18, 1)
    again = (tmp_path / name).read_bytes()
    run_extract(listed, name, dtype=dtype)
    assert again == (tmp_path / name).read_bytes(), "to the bit what a whole run writes"


@pytest.mark.parametrize("kind", [".csv", ".sqlite", ".parquet", ".jsonl"])
def test_only_failed_rows_of_a_table(run_extract, pictures, tmp_path, kind):
    rows = [{"id": str(number), "url": str(file)} for number, file in enumerate(pictures)]
    source = TABLES[kind](tmp_path / f"shop{kind}", rows)
    keys = {"name": f"out{kind}", "output_format": "table", **ALL}
    run_extract(source, **keys)
    pictures[SPOILT[0]].write_bytes(pictures[0].read_bytes())
    report = run_extract(source, only_failed=True, **keys)
    assert (report.computed, report.reused, report.failed) == (3, 17, 2)
    again = (tmp_path / f"out{kind}").read_bytes()
    run_extract(source, **keys)
    assert again == (tmp_path / f"out{kind}").read_bytes()


def test_only_failed_needs_an_output_of_the_same_list(run_extract, listed):
    with pytest.raises(ExtractionError, match=r"run the extraction first"):
        run_extract(listed, only_failed=True)
    run_extract(listed)
    listed.write_text("other.png\n")
    with pytest.raises(ExtractionError, match=r"input: now '.*rows: now 1, there 21"):
        run_extract(listed, only_failed=True)


def test_incremental_computes_new_and_changed_pictures_only(
    run_extract, pictures, vectors, tmp_path
):
    source = tmp_path / "list.txt"
    source.write_text("".join(f"{file}\n" for file in pictures[:10]), encoding="utf-8")
    assert run_extract(source, "x.npy", incremental=True).computed == 10
    assert run_extract(source, "x.npy", incremental=True).reused == 8
    moved = pictures[5].with_name("moved.png")
    moved.write_bytes(pictures[5].read_bytes())
    pictures[6].write_bytes(pictures[15].read_bytes())
    wanted = [moved, *pictures[6:13]]
    source.write_text("".join(f"{file}\n" for file in wanted), encoding="utf-8")
    report = run_extract(source, "x.npy", incremental=True)
    # Kept: the moved one, 7, 8, 9. Computed: 6, which has changed, and the new 10, 11 and 12.
    assert (report.reused, report.computed) == (4, 4)
    rows = np.load(tmp_path / "x.npy")
    check([None if np.isnan(row).all() else row for row in rows], vectors(wanted))
    with pytest.raises(ExtractionError, match=r"model.dtype: now 'float16', there 'float32'"):
        run_extract(source, "x.npy", incremental=True, dtype="float16")
