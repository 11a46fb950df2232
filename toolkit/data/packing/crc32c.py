"""The checksum of a TFRecord: CRC-32C (RFC 3720, appendix B.4), masked.

A CRC computed over bytes that hold that same CRC is a constant; the mask keeps a TFRecord inside
a TFRecord from being such a case.
"""

import google_crc32c

_MASK_DELTA = 0xA282EAD8
_32_BITS = 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """Returns the CRC-32C (Castagnoli) of some bytes."""
    return int(google_crc32c.value(data))


def masked_crc32c(data: bytes) -> int:
    """Returns the CRC-32C as TFRecords store it: turned right by 15 bits, plus a constant.

    Source: tensorflow/tsl, `lib/hash/crc32c.h`.
    """
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & _32_BITS
