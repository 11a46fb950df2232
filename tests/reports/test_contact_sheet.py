"""The sheet of queries and hits: every picture whole, hits coloured by whether they are right."""

from pathlib import Path

import numpy as np
from PIL import Image

from toolkit.reports.contact_sheet import Cell, write_contact_sheet


def test_no_row_covers_another_and_bands_tell_right_from_wrong(tmp_path):
    colours = {
        name: tuple(np.random.default_rng(n).integers(60, 190, 3))
        for n, name in enumerate("abcdef")
    }

    def read(path):
        if path.name == "f":
            return None
        return np.full((80, 80, 3), colours[path.name], np.uint8)

    rows = [
        [
            Cell(Path("a"), "query 1"),
            Cell(Path("b"), "0.9 1", True),
            Cell(Path("c"), "0.8 2", False),
        ],
        [
            Cell(Path("d"), "query 2"),
            Cell(Path("e"), "0.7 2", True),
            Cell(Path("f"), "0.6 3", False),
        ],
    ]
    with Image.open(write_contact_sheet(tmp_path / "sheet.png", rows, read)) as image:
        sheet = np.asarray(image.convert("RGB"))
    for name in "abcde":
        assert (sheet == colours[name]).all(axis=2).sum() == 80 * 80
    bands = [np.unique(sheet[8:12, left].reshape(-1, 3), axis=0) for left in (10, 195, 360)]
    assert len({tuple(map(int, band[0])) for band in bands}) == 3
    assert write_contact_sheet(tmp_path / "empty.png", [], read).is_file()
