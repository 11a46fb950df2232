"""Tables, their checksums and their compression, against slow writers and golden bytes."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cards import written_tables
from toolkit.cards.snappy import decompress
from toolkit.cards.sorted_table import read_table
from toolkit.errors import WeightsError

GOLDEN = Path(__file__).parent / "golden"


def read(data: bytes) -> list[tuple[bytes, bytes]]:
    return [(key, bytes(value)) for key, value in read_table(memoryview(data))]


copies = st.tuples(st.integers(1, 64), st.integers(1, 70_000))
elements = st.lists(st.one_of(st.binary(min_size=1, max_size=300), copies), max_size=20)


class TestSnappy:
    @pytest.mark.parametrize("number", range(5))
    def test_golden(self, number: int) -> None:
        pairs = json.loads((GOLDEN / "snappy.json").read_text(encoding="utf-8"))
        text, compressed = list(pairs.items())[number]
        assert decompress(base64.b64decode(compressed)) == text.encode()

    @given(elements)
    def test_against_byte_by_byte(self, chosen: list[bytes | tuple[int, int]]) -> None:
        output, body = bytearray(), bytearray()
        for element in chosen:
            if isinstance(element, bytes):
                size = len(element) - 1
                body += (
                    bytes([size << 2])
                    if size < 60
                    else bytes([61 << 2, *size.to_bytes(2, "little")])
                )
                body += element
                output += element
            elif output:
                count, distance = element[0], element[1] % len(output) + 1
                if 4 <= count <= 11 and distance < 2048:
                    body += bytes([distance >> 8 << 5 | count - 4 << 2 | 1, distance & 255])
                elif distance < 65536:
                    body += bytes([count - 1 << 2 | 2, *distance.to_bytes(2, "little")])
                else:
                    body += bytes([count - 1 << 2 | 3, *distance.to_bytes(4, "little")])
                for _ in range(count):
                    output.append(output[-distance])
        assert decompress(written_tables.varint(len(output)) + bytes(body)) == bytes(output)

    @given(st.binary(max_size=200))
    def test_any_bytes_are_read_or_refused(self, data: bytes) -> None:
        try:
            decompress(data)
        except WeightsError:
            return

    def test_no_room_for_a_bomb(self) -> None:
        with pytest.raises(WeightsError, match="cannot stand for"):
            decompress(written_tables.varint(1 << 40) + bytes(50))


entries = st.dictionaries(st.binary(max_size=12), st.binary(max_size=40), max_size=30)


class TestTable:
    @given(entries, st.integers(1, 9), st.integers(1, 5), st.booleans())
    def test_what_is_written_is_read(
        self, values: dict[bytes, bytes], a_block: int, restart: int, snappy: bool
    ) -> None:
        wanted = sorted(values.items())
        data = written_tables.table(
            wanted, entries_a_block=a_block, restart_every=restart, snappy=snappy
        )
        assert read(data) == wanted

    @pytest.mark.parametrize("name", ["tensorflow_v1.ckpt", "tensorflow_v2.ckpt.index"])
    def test_tables_of_tensorflow(self, name: str) -> None:
        keys = [key for key, _ in read((GOLDEN / name).read_bytes())]
        assert keys[0] == b""
        assert keys == sorted(keys)
        assert len(keys) == 8

    def test_the_place_of_a_wrong_checksum(self) -> None:
        data = bytearray(written_tables.table([(b"a", b"1"), (b"b", b"2")], entries_a_block=1))
        second = data.index(b"b2")
        data[second] ^= 1
        with pytest.raises(WeightsError, match=r"the block at byte 18 \(13 bytes\).*checksum"):
            read(bytes(data))

    def test_cut_off(self) -> None:
        with pytest.raises(WeightsError, match="cut off"):
            read(written_tables.table([(b"a", b"1")])[:-1])
