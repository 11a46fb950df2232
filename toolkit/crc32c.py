"""The checksum CRC-32C (RFC 3720, appendix B.4), plain and as TensorFlow and leveldb store it.

They mask it: a CRC computed over bytes that hold that same CRC is a constant, and the mask keeps a
file inside a file from being such a case.
"""

import google_crc32c

_MASK_DELTA = 0xA282EAD8
_32_BITS = 0xFFFFFFFF
# The library takes bytes alone; of a view it gets copies, a block at a time.
_BLOCK = 1 << 20


def crc32c(data: bytes | memoryview) -> int:
    """Returns the CRC-32C (Castagnoli) of some bytes."""
    if isinstance(data, bytes):
        return int(google_crc32c.value(data))
    checksum = 0
    for start in range(0, len(data), _BLOCK):
        checksum = google_crc32c.extend(checksum, bytes(data[start : start + _BLOCK]))
    return int(checksum)


def masked_crc32c(data: bytes | memoryview) -> int:
    """Returns the CRC-32C turned right by 15 bits, plus a constant.

    Source: tensorflow/tsl, `lib/hash/crc32c.h`; leveldb's `table_format.md`.
    """
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & _32_BITS
