"""No part of a PyTorch archive is unpacked: a few bytes could become any number."""

import zipfile

import pytest

from toolkit.cards.torch_files import read_torch
from toolkit.errors import WeightsError


def test_a_compressed_part_is_refused_unread(tmp_path):
    file = tmp_path / "bomb.pt"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", b".")
        archive.writestr("a/byteorder", bytes(1_000_000))
    with pytest.raises(WeightsError, match="byteorder' is missing or compressed"):
        read_torch(file)
