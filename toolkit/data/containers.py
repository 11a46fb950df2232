"""What the outside of an image file tells: that it was cut off, damaged, or is no picture at all.

Decoders forgive more than a training set should: Pillow does not look at the end of a PNG or at its
checksums, and a WebP or AVIF that was cut off is reported only as broken.
"""

import zlib

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# How files begin that are often found under the name of a picture.
_STRANGERS = {
    b"<!doctype html": "an HTML page",
    b"<html": "an HTML page",
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML document",
    b"%pdf": "a PDF document",
    b"%!ps": "a PostScript document",
    b"8bps": "a Photoshop document",
    b"pk\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"version https://git-lfs": "a Git LFS pointer; run: git lfs pull",
}


def is_cut_off(data: bytes, name: str) -> bool:
    """Says whether the container claims to be longer than the data.

    Args:
        data: the file, beginning as its format does.
        name: Pillow's name of the format; for GIF, BMP, TIFF and PPM the answer is always False, as
            their decoders find it out themselves.
    """
    if name == "JPEG":
        return _lacks_end_of_image(data)
    if name == "WEBP":
        return len(data) < 12 or int.from_bytes(data[4:8], "little") + 8 > len(data)
    if name == "PNG":
        chunks = _png_chunks(data)
        return not chunks or chunks[-1][0] != b"IEND" or chunks[-1][2] > len(data)
    if name == "AVIF" or (name == "JPEG2000" and data.startswith(b"\x00\x00\x00\x0cjP")):
        return _last_box_end(data) > len(data)
    return False


def damaged_png_chunk(data: bytes) -> str:
    """Returns the type of the first chunk with pixels or colours whose CRC does not fit, or ""."""
    view = memoryview(data)
    for kind, start, end in _png_chunks(data):
        # Upper case means critical (PNG specification, 5.4); the others may be ignored.
        stored = int.from_bytes(data[end - 4 : end], "big")
        if kind[:1].isupper() and zlib.crc32(view[start : end - 4]) != stored:
            return kind.decode("ascii", "replace")
    return ""


def describe_stranger(data: bytes) -> str:
    """Returns one sentence about bytes that no decoder knows, for whoever has to find out why."""
    start = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for beginning, name in _STRANGERS.items():
        if start.startswith(beginning):
            return f"this is not a picture but {name}."
    if data[4:8] == b"ftyp":
        brand = data[8:12].decode("ascii", "replace")
        return (
            f"this is a file of kind {brand!r} (HEIC or video), which cannot be read; save as JPEG."
        )
    return f"this is not a picture of a known format; it begins with {data[:12]!r}."


def _lacks_end_of_image(data: bytes) -> bool:
    """Looks for the EOI marker behind the first scan of a JPEG (ITU-T T.81, B.1.1).

    Pillow misses a cut there when the pixels happen to be complete. The segments before the scan
    are stepped over, because a preview in them has an end of its own.
    """
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xDA:  # SOS; inside a scan the bytes FF D9 can only be the marker
            # From the end, where it stands in a whole file: 12 megapixels would take 3 ms.
            return data.rfind(b"\xff\xd9", position) < 0
        is_fill = marker == 0xFF
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        position += 1 if is_fill else 2 + length
    return False


def _png_chunks(data: bytes) -> list[tuple[bytes, int, int]]:
    """Returns (type, start of the type field, end after the checksum) of each chunk to IEND."""
    chunks: list[tuple[bytes, int, int]] = []
    position = len(_PNG_SIGNATURE)
    while position + 8 <= len(data) and (not chunks or chunks[-1][0] != b"IEND"):
        length = int.from_bytes(data[position : position + 4], "big")
        end = position + 12 + length
        chunks.append((data[position + 4 : position + 8], position + 4, end))
        position = end
    return chunks


def _last_box_end(data: bytes) -> int:
    """Walks the top boxes of an ISO media file (ISO/IEC 14496-12, 4.2) to the end of the last."""
    position = 0
    while position < len(data):
        if position + 8 > len(data):
            return position + 8  # the head of a box is cut off
        length = int.from_bytes(data[position : position + 4], "big")
        if length == 1:
            length = int.from_bytes(data[position + 8 : position + 16], "big")
        if length < 8:  # 0: to the end of the file; anything else is damage, which decoding finds
            return len(data)
        position += length
    return position
