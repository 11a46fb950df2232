"""The checksum of TFRecords: the known answers of RFC 3720, and a division bit by bit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.crc32c import crc32c, masked_crc32c

# A SCSI Read (10) command PDU, the last example of the RFC.
READ_PDU = bytes.fromhex(
    "01c00000 00000000 00000000 00000000 14000000 00000400"
    "00000014 00000018 28000000 00000000 02000000 00000000"
)


# RFC 3720, B.4; it prints the bytes in the order of the wire, so least significant first.
@pytest.mark.parametrize(
    ("data", "on_the_wire"),
    [
        (bytes(32), "aa36918a"),
        (b"\xff" * 32, "43aba862"),
        (bytes(range(32)), "4e79dd46"),
        (bytes(range(31, -1, -1)), "5cdb3f11"),
        (READ_PDU, "563a96d9"),
    ],
    ids=["zeros", "ones", "incrementing", "decrementing", "read PDU"],
)
def test_the_known_answers_of_rfc_3720(data: bytes, on_the_wire: str) -> None:
    assert crc32c(data).to_bytes(4, "little").hex() == on_the_wire


def divided_bit_by_bit(data: bytes) -> int:
    """The remainder by the reflected polynomial 0x1EDC6F41."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_it_is_the_remainder_of_a_division(data: bytes) -> None:
    assert crc32c(data) == divided_bit_by_bit(data)


@settings(deadline=None)
@given(st.binary(max_size=20))
def test_the_mask_is_a_rotation_and_a_constant(data: bytes) -> None:
    bits = f"{divided_bit_by_bit(data):032b}"
    rotated = int(bits[-15:] + bits[:-15], 2)
    assert masked_crc32c(data) == (rotated + 0xA282EAD8) % 2**32


def test_a_view_in_blocks_has_the_checksum_of_its_bytes():
    data = bytes(range(256)) * 9000
    assert crc32c(memoryview(bytearray(data))[3:]) == crc32c(data[3:])
