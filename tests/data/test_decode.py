import contextlib
import io
import pickle
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from toolkit.data.decode import (
    DecodeError,
    decode,
    read_rgb,
    rgb_from_pil,
)
from toolkit.data.header import read_header
from toolkit.errors import ImageError

Image.init()
FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"]
FORMATS += [name for name in ("AVIF", "JPEG2000") if name in Image.SAVE]


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encode(image: Image.Image | np.ndarray, name: str, **options) -> bytes:
    stream = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(stream, name, **options)
    return stream.getvalue()


def png(width: int, height: int, depth: int, colour: int, rows: bytes, extra: bytes = b"") -> bytes:
    """Writes a PNG by the letter of its specification; `extra` chunks go before the pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(rows)) + END


def chunk(kind: bytes, body: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


END = chunk(b"IEND", b"")


def fault(data: bytes, **options) -> str:
    with pytest.raises(DecodeError) as caught:
        decode(data, **options)
    assert str(caught.value)
    return caught.value.kind


# --- what cannot be decoded ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"hello, I am text", "begins with b'hello"),
        (b"\xef\xbb\xbf\n <!DOCTYPE html><p>404", "an HTML page"),
        (b"<svg xmlns=''></svg>", "an SVG drawing"),
        (b"%PDF-1.7", "a PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "a PostScript"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "heic"),
        (b"\xff", "begins with"),
    ],
)
def test_what_is_no_picture_is_named(data, words):
    with pytest.raises(DecodeError, match=words) as caught:
        decode(data)
    assert caught.value.kind == "not_an_image"
    assert "JPEG" in str(caught.value)


def test_an_empty_file_is_its_own_fault():
    assert fault(b"") == "zero_bytes"


@pytest.mark.parametrize("name", FORMATS)
def test_every_cut_is_found(name):
    data = encode(noise(40, 52, 3), name)
    decode(data)
    last = len(data) - (3 if name == "GIF" else 1)  # a GIF ends with two bytes without pixels
    cuts = {*range(16, 80, 7), *range(80, last, max(1, last // 23)), last}
    assert {cut: fault(data[:cut]) for cut in cuts} == dict.fromkeys(cuts, "truncated")


def test_a_photograph_cut_anywhere_is_found(grocery):
    data = next(iter(sorted((grocery / "images").glob("*.jpg")))).read_bytes()
    for part in (0.01, 0.5, 0.99):
        assert fault(data[: int(part * len(data))]) == "truncated"
    # A download that reserved its space and stopped: the rest is zeros.
    half = len(data) // 2
    assert fault(data[:half] + bytes(len(data) - half)) == "truncated"
    # Bytes behind the end harm nobody.
    np.testing.assert_array_equal(decode(data + b"behind").pixels, decode(data).pixels)


@pytest.mark.parametrize("side", [8, 64, 224])
def test_a_jpeg_without_its_end_is_cut_even_with_a_whole_preview(side):
    preview = encode(noise(8, 8, 3), "JPEG")
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x927C] = preview  # a maker note, where cameras put one
    for seed in range(12):
        data = encode(noise(side, side, 3, seed=seed), "JPEG", exif=exif, optimize=True)
        assert data.count(b"\xff\xd9") == 2
        decode(data)
        assert fault(data[:-1]) == fault(data[:-2]) == "truncated"


def test_every_flipped_byte_of_png_pixels_is_found():
    picture = np.kron(np.arange(64, dtype=np.uint8).reshape(8, 8), np.ones((9, 9), np.uint8))
    data = bytearray(encode(picture, "PNG"))
    start = data.index(b"IDAT") + 4
    for position in range(start, len(data) - len(END)):
        damaged = bytearray(data)
        damaged[position] ^= 0x55
        assert fault(bytes(damaged)) in {"unreadable", "truncated"}, position


def test_a_wrong_checksum_of_a_chunk_without_pixels_is_forgiven():
    text = bytearray(chunk(b"tEXt", b"Comment\x00hello"))
    text[-1] ^= 1
    data = png(2, 1, 8, 0, b"\x00\x01\x02").removesuffix(END) + text + END
    assert decode(data).pixels[0, :, 0].tolist() == [1, 2]


@pytest.mark.parametrize("name", FORMATS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_damage_never_raises_anything_else(name, seed):
    rng = np.random.default_rng(seed)
    data = bytearray(encode(noise(9, 12, 3), name))
    for position in rng.integers(0, len(data), 6):
        data[position] = rng.integers(256)
    with contextlib.suppress(DecodeError):
        assert decode(bytes(data), max_pixels=100_000).pixels.shape[2] == 3


def test_floating_point_pictures_are_refused_with_advice():
    data = encode(Image.fromarray(np.zeros((3, 3), np.float32)), "TIFF")
    with pytest.raises(DecodeError, match="save it with 8 bits"):
        decode(data)


def test_the_error_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(DecodeError("why", "bomb")))  # noqa: S301 - our own bytes
    assert (type(error), str(error), error.kind) == (DecodeError, "why", "bomb")


# --- decompression bombs ------------------------------------------------------------------------


@pytest.fixture
def no_pixels(monkeypatch):
    """Fails the test when any pixel is decoded."""

    def load(_image):
        pytest.fail("pixels were decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)


@pytest.mark.usefixtures("no_pixels")
def test_a_bomb_is_found_in_the_header():
    bomb = png(30_000, 30_000, 8, 2, bytes(100))
    with pytest.raises(DecodeError, match="900,000,000 pixels; at most 100,000,000") as caught:
        decode(bomb)
    assert caught.value.kind == "bomb"
    header = read_header(bomb)
    assert (header.width, header.height, header.orientation) == (30_000, 30_000, 1)


@pytest.mark.parametrize("name", FORMATS)
def test_the_limit_is_the_callers(name):
    data = encode(noise(10, 20, 3), name)
    assert decode(data, max_pixels=200).pixels.shape == (10, 20, 3)
    assert fault(data, max_pixels=199) == "bomb"


def test_pillows_own_limit_neither_warns_nor_changes(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 150)
    filters = list(warnings.filters)
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in FORMATS:  # a turned TIFF asks Pillow's limit while it loads
        options = {"exif": exif} if name == "TIFF" else {}
        assert decode(encode(noise(10, 20, 3), name, **options)).pixels.size == 600
    assert Image.MAX_IMAGE_PIXELS == 150
    assert warnings.filters == filters


# --- what is decoded right ----------------------------------------------------------------------


def test_photographs_are_those_of_opencv(grocery):
    for path in sorted((grocery / "images").glob("*.jpg"))[::400]:
        bgr = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_array_equal(read_rgb(path), bgr[..., ::-1])


@pytest.mark.parametrize("name", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_give_back_what_was_written(name):
    picture = noise(7, 5, 3)
    decoded = decode(encode(picture, name))
    np.testing.assert_array_equal(decoded.pixels, picture)
    assert decoded.pixels.dtype == np.uint8
    assert decoded.pixels.flags.c_contiguous
    assert (decoded.format, decoded.mode, decoded.frames) == (name, "RGB", 1)
    assert (decoded.orientation, decoded.has_alpha, decoded.bits) == (1, False, 8)


def upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """EXIF's definition, pixel by pixel: which sides of the scene are stored row 0 and column 0."""
    rows, columns = stored.shape[:2]
    row_side, column_side = {
        1: ("top", "left"),
        2: ("top", "right"),
        3: ("bottom", "right"),
        4: ("bottom", "left"),
        5: ("left", "top"),
        6: ("right", "top"),
        7: ("right", "bottom"),
        8: ("left", "bottom"),
    }[orientation]
    swapped = row_side in {"left", "right"}
    scene = np.zeros((columns, rows, 3) if swapped else (rows, columns, 3), np.uint8)
    height, width = scene.shape[:2]
    for r in range(rows):
        for c in range(columns):
            place = {row_side: r, column_side: c}
            y = place["top"] if "top" in place else height - 1 - place["bottom"]
            x = place["left"] if "left" in place else width - 1 - place["right"]
            scene[y, x] = stored[r, c]
    return scene


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["PNG", "TIFF", "WEBP"])
def test_every_orientation_is_turned_upright(name, orientation):
    stored = noise(4, 7, 3, seed=orientation)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if name == "WEBP" else {}
    data = encode(stored, name, exif=exif, **options)
    decoded = decode(data)
    np.testing.assert_array_equal(decoded.pixels, upright(stored, orientation))
    assert decoded.orientation == orientation == read_header(data).orientation
    assert (read_header(data).width, read_header(data).height) == (7, 4)
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(rgb_from_pil(image), decoded.pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_photographs_are_those_of_opencv(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(noise(16, 24, 3), "JPEG", exif=exif)
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decode(data).pixels, bgr[..., ::-1])


def test_an_orientation_behind_the_pixels_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 3
    data = png(2, 1, 8, 0, b"\x00\x01\x02")
    data = data.removesuffix(END) + chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")) + END
    decoded = decode(data)
    assert decoded.pixels[0, :, 0].tolist() == [2, 1]
    assert decoded.orientation == 3


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_makes_no_sense_is_upright(value):
    exif = Image.Exif()
    exif[0x0112] = value
    assert decode(encode(noise(2, 3, 3), "PNG", exif=exif)).orientation == 1


def test_a_broken_exif_block_does_not_spoil_the_picture():
    data = encode(noise(2, 3, 3), "PNG", exif=b"Exif\0\0MM\x00*\x00\x00\xff\xff")
    assert decode(data).pixels.shape == (2, 3, 3)


def test_cmyk_of_a_photograph_is_inverted_as_adobe_does():
    inks = np.zeros((16, 32, 4), np.uint8)
    inks[:, :16] = [0, 255, 255, 0]  # magenta and yellow: red
    inks[:, 16:] = [255, 0, 0, 128]  # cyan and half black
    data = encode(Image.fromarray(inks, "CMYK"), "JPEG", quality=100)
    decoded = decode(data)
    assert decoded.mode == "CMYK"
    assert np.abs(decoded.pixels[8, 4].astype(int) - [255, 0, 0]).max() <= 3
    assert np.abs(decoded.pixels[8, 28].astype(int) - [0, 127, 127]).max() <= 3
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(decoded.pixels, np.asarray(image.convert("RGB")))
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(decoded.pixels.astype(int) - bgr[..., ::-1]).max() <= 2


@pytest.mark.parametrize("name", ["PNG", "TIFF", "PPM"])
def test_sixteen_bit_grey_keeps_the_high_byte(name):
    values = np.array([[0, 255, 256, 257], [32767, 32768, 65279, 65535]], np.uint16)
    decoded = decode(encode(Image.fromarray(values), name))
    assert decoded.pixels[..., 0].tolist() == [[0, 0, 1, 1], [127, 128, 254, 255]]
    assert (decoded.pixels == decoded.pixels[..., :1]).all()
    assert (decoded.mode, decoded.bits) == ("I;16", 16)


@pytest.mark.parametrize(
    ("suffix", "channels"), [(".png", 3), (".png", 4), (".tiff", 3), (".tiff", 4), (".ppm", 3)]
)
def test_sixteen_bit_colour_is_scaled(suffix, channels):
    values = np.random.default_rng(3).integers(0, 65536, (5, 6, channels), dtype=np.uint16)
    values[..., 3:] = 65535
    done, data = cv2.imencode(suffix, values)
    assert done
    decoded = decode(data.tobytes())
    # Pillow keeps the high byte for PNG and TIFF and rounds for PPM.
    expected = values[..., 2::-1].astype(float) / 257
    assert np.abs(decoded.pixels - expected).max() <= 1
    assert (decoded.bits, decoded.has_alpha) == (16, channels == 4)


def test_sixteen_bit_grey_with_a_transparent_level_is_white_there():
    rows = b"\x00" + struct.pack(">HH", 1000, 2000)
    data = png(2, 1, 16, 0, rows, chunk(b"tRNS", struct.pack(">H", 1000)))
    decoded = decode(data)
    assert decoded.pixels[0, :, 0].tolist() == [255, 2000 >> 8]
    assert decoded.has_alpha


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_is_put_over_white(mode):
    channels = len(mode)
    stored = noise(8, 8, channels)
    stored[0, :2, -1] = [0, 255]
    decoded = decode(encode(Image.fromarray(stored, mode), "PNG"))
    colour = np.broadcast_to(stored[..., :-1], (8, 8, 3)).astype(float)
    alpha = stored[..., -1:].astype(float)
    expected = (colour * alpha + 255 * (255 - alpha)) / 255
    # Pillow's integer arithmetic rounds to the nearest level.
    assert np.abs(decoded.pixels - expected).max() <= 0.5 + 1e-9
    assert (decoded.mode, decoded.has_alpha) == (mode, True)


def test_palettes_with_and_without_transparency():
    indexed = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    indexed.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    plain = decode(encode(indexed, "PNG"))
    assert plain.pixels.tolist() == [[[10, 20, 30], [40, 50, 60], [70, 80, 90]]]
    assert (plain.mode, plain.has_alpha) == ("P", False)
    holed = decode(encode(indexed, "PNG", transparency=1))
    assert holed.pixels.tolist() == [[[10, 20, 30], [255, 255, 255], [70, 80, 90]]]
    assert holed.has_alpha


@pytest.mark.parametrize(("mode", "name"), [("L", "JPEG"), ("L", "PNG"), ("1", "PNG")])
def test_grey_gets_three_equal_channels(mode, name):
    decoded = decode(encode(Image.fromarray(noise(8, 8)).convert(mode), name))
    assert decoded.mode == mode
    assert (decoded.pixels == decoded.pixels[..., :1]).all()
    assert decoded.pixels.std() > 10


@pytest.mark.parametrize("name", ["GIF", "PNG", "WEBP"])
def test_the_first_frame_of_an_animation(name):
    frames = [Image.new("RGB", (9, 6), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if name == "WEBP" else {}
    data = encode(frames[0], name, save_all=True, append_images=frames[1:], **options)
    decoded = decode(data)
    assert decoded.frames == 3 == read_header(data).frames
    assert (decoded.pixels == [255, 0, 0]).all()


def test_the_first_page_of_a_tiff():
    pages = [Image.fromarray(noise(4, 4, 3, seed=page)) for page in range(2)]
    decoded = decode(encode(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    assert decoded.frames == 2
    np.testing.assert_array_equal(decoded.pixels, np.asarray(pages[0]))


def test_a_jpeg_with_a_preview_behind_it_is_one_picture():
    pictures = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    data = encode(pictures[0], "MPO", save_all=True, append_images=pictures[1:])
    decoded = decode(data)
    assert (decoded.format, decoded.frames) == ("JPEG", 1)
    assert decoded.pixels[8, 8, 0] > 240


@pytest.mark.usefixtures("no_pixels")
@pytest.mark.parametrize("name", FORMATS)
def test_a_header_costs_no_decoding(name):
    header = read_header(encode_before_patch(name))
    assert (header.format, header.width, header.height) == (name, 20, 10)
    assert (header.frames, header.orientation, header.has_alpha, header.bits) == (1, 1, False, 8)


ENCODED = {name: encode(noise(10, 20, 3), name) for name in FORMATS}


def encode_before_patch(name: str) -> bytes:
    return ENCODED[name]  # saving a GIF would call the patched load


def test_a_format_is_known_without_the_others(tmp_path):
    """In a process of its own: here, all parts of Pillow have been imported already."""
    for name, data in ENCODED.items():
        (tmp_path / name).write_bytes(data)
    program = """
import sys
from pathlib import Path
from toolkit.data.decode import decode
for name in sys.argv[2:]:
    print(name, decode((Path(sys.argv[1]) / name).read_bytes()).format)
    if name == "JPEG":
        print("GIF is known:", "PIL.GifImagePlugin" in sys.modules)
"""
    names = ["JPEG", *sorted(set(FORMATS) - {"JPEG"}, reverse=True)]
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), *names],
        capture_output=True,
        text=True,
        check=True,
    )
    expected = [f"{name} {name}" for name in names]
    assert done.stdout.splitlines() == [expected[0], "GIF is known: False", *expected[1:]]


# --- files --------------------------------------------------------------------------------------


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ImageError, match=r"gone\.jpg: there is no such file"):
        read_rgb(tmp_path / "gone.jpg")


def test_a_folder_in_place_of_a_file(tmp_path):
    with pytest.raises(ImageError, match="cannot be read"):
        read_rgb(tmp_path)


def test_a_path_that_no_system_can_open():
    with pytest.raises(ImageError, match="cannot be read"):
        read_rgb(Path("a\0b.jpg"))


def test_the_name_stands_before_the_reason(tmp_path):
    path = tmp_path / "bad.png"
    path.write_bytes(b"")
    with pytest.raises(DecodeError, match=r"bad\.png: the file is empty") as caught:
        read_rgb(path)
    assert caught.value.kind == "zero_bytes"


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "I;16", "1"])
def test_pil_images_of_any_mode(mode):
    shape = {"RGBA": (6, 8, 4), "CMYK": (6, 8, 4), "RGB": (6, 8, 3)}.get(mode, (6, 8))
    if mode == "I;16":
        image = Image.fromarray(np.arange(48, dtype=np.uint16).reshape(6, 8) * 1000)
    elif mode == "1":
        image = Image.fromarray(noise(6, 8)).convert("1")
    else:
        image = Image.fromarray(noise(*shape), mode)
    pixels = rgb_from_pil(image)
    assert (pixels.shape, pixels.dtype) == ((6, 8, 3), np.uint8)
    name = "TIFF" if mode == "CMYK" else "PNG"
    np.testing.assert_array_equal(pixels, decode(encode(image, name)).pixels)
    with pytest.raises(DecodeError) as caught:
        rgb_from_pil(image, max_pixels=47)
    assert caught.value.kind == "bomb"
