"""A slow, obvious writer of leveldb tables, for tests of the reader."""

import struct
from collections.abc import Sequence

MAGIC = 0xDB4775248B80FB57


def crc32c(data: bytes) -> int:
    """Bit by bit, as RFC 3720 has it."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = (state >> 1) ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


def varint(number: int) -> bytes:
    output = bytearray()
    while number > 127:
        output.append(number & 127 | 128)
        number >>= 7
    return bytes([*output, number])


def snappy_literal(data: bytes) -> bytes:
    """Snappy's raw format without any copy."""
    pieces = [data[at : at + 60] for at in range(0, len(data), 60)]
    return varint(len(data)) + b"".join(bytes([len(piece) - 1 << 2]) + piece for piece in pieces)


def block(entries: Sequence[tuple[bytes, bytes]], restart_every: int) -> bytes:
    output, restarts, before = bytearray(), [], b""
    for number, (key, value) in enumerate(entries):
        shared = 0
        if number % restart_every == 0:
            restarts.append(len(output))
        else:
            while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                shared += 1
        output += varint(shared) + varint(len(key) - shared) + varint(len(value))
        output += key[shared:] + value
        before = key
    restarts = restarts or [0]
    return bytes(output) + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts))


def table(
    entries: Sequence[tuple[bytes, bytes]],
    *,
    entries_a_block: int = 4,
    restart_every: int = 3,
    snappy: bool = False,
) -> bytes:
    file = bytearray()

    def append(content: bytes, *, compress: bool = False) -> bytes:
        stored = (snappy_literal(content) + b"\1") if compress else content + b"\0"
        handle = varint(len(file)) + varint(len(stored) - 1)
        checksum = crc32c(stored)
        masked = ((checksum >> 15 | checksum << 17) + 0xA282EAD8) % (1 << 32)
        file.extend(stored + struct.pack("<I", masked))
        return handle

    handles = []
    for at in range(0, len(entries), entries_a_block):
        some = entries[at : at + entries_a_block]
        handles.append((some[-1][0], append(block(some, restart_every), compress=snappy)))
    meta, index = append(block([], 1)), append(block(handles, 1))
    return bytes(file) + (meta + index).ljust(40, b"\0") + struct.pack("<Q", MAGIC)
