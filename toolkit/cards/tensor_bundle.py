"""TensorFlow's second checkpoint format: a table of where each variable stands in which shard.

Source: ``tensor_bundle.proto`` and ``util/tensor_bundle/tensor_bundle.cc`` of TensorFlow.
"""

import struct
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.cards.protobuf import as_message, as_number, read_fields
from toolkit.cards.sorted_table import read_table
from toolkit.cards.tensor_values import Variable, array_of, shape_of
from toolkit.crc32c import masked_crc32c
from toolkit.errors import WeightsError

_HEADER = b""
_BIG_ENDIAN = 1


@dataclass(frozen=True)
class Entry:
    """A variable and where it stands.

    Attributes:
        variable: its type and shape.
        shard: number of its file.
        offset: of its first byte there.
        size: in bytes.
        checksum: of these bytes, masked.
    """

    variable: Variable
    shard: int
    offset: int
    size: int
    checksum: int


@dataclass(frozen=True)
class Bundle:
    """What the index says.

    Attributes:
        num_shards: files that hold the values.
        entries: name -> where it stands.
    """

    num_shards: int
    entries: dict[str, Entry]


def read_bundle(index: memoryview) -> Bundle:
    """Reads the index.

    Raises:
        WeightsError: it is damaged, or says that the values have the other order of bytes.
    """
    entries, header = {}, None
    for key, value in read_table(index):
        fields = list(read_fields(value))
        if key == _HEADER:
            header = dict(fields)
        elif not _is_piece(key):
            entries[key.decode("utf-8", errors="replace")] = _entry(fields)
    if header is None:
        raise WeightsError("it is a table, but no index of a TensorFlow checkpoint")
    if as_number(header.get(2, 0)) == _BIG_ENDIAN:
        raise WeightsError("its values are big-endian; save it on another machine")
    return Bundle(as_number(header.get(1, 0)), entries)


def bundle_arrays(
    entries: Mapping[str, Entry], names: Collection[str], shard: Callable[[int], memoryview]
) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Yields names and arrays, file by file in the order in which they stand.

    Args:
        entries: where each variable stands.
        names: which to read.
        shard: returns a file mapped into memory, by its number.

    Raises:
        WeightsError: a shard is missing or cut off, or a checksum is another.
    """
    for name in sorted(names, key=lambda name: (entries[name].shard, entries[name].offset)):
        entry = entries[name]
        entry.variable.dtype(name)
        data = shard(entry.shard)
        raw = data[entry.offset : entry.offset + entry.size]
        place = f"variable {name!r} (shard {entry.shard}, byte {entry.offset})"
        if len(raw) != entry.size:
            raise WeightsError(
                f"{place} has {entry.size} bytes, and the shard ends at byte {len(data)}"
            )
        if masked_crc32c(raw) != entry.checksum:
            raise WeightsError(f"{place} has another checksum than the index says")
        yield name, array_of(name, entry.variable, raw)


def _is_piece(key: bytes) -> bool:
    # The pieces of a partitioned variable stand under keys that begin with an encoded 0.
    return key.startswith(b"\0")


def _entry(fields: list[tuple[int, int | memoryview]]) -> Entry:
    """Reads a BundleEntryProto."""
    last = dict(fields)
    slices = sum(number == 7 for number, _ in fields)
    variable = Variable(
        as_number(last.get(1, 0)), shape_of(as_message(last.get(2, memoryview(b"")))), slices or 1
    )
    shard, offset, size = (as_number(last.get(number, 0)) for number in (3, 4, 5))
    stored = bytes(as_message(last.get(6, memoryview(bytes(4)))))
    if len(stored) != 4:
        raise WeightsError("a checksum in the index is not of four bytes")
    return Entry(variable, shard, offset, size, struct.unpack("<I", stored)[0])
