"""What is stored of a picture: its own bytes where they will do, else a smaller picture."""

import io

import numpy as np
import pytest
from PIL import Image

from toolkit.data.decode import DecodeError, decode
from toolkit.data.packing.stored import StoreOptions, fit_for_storing

JPG = StoreOptions("jpg", None, 95)


def smooth(width: int, height: int) -> Image.Image:
    rows, columns = np.mgrid[0:height, 0:width]
    channels = [columns * 255 // width, rows * 255 // height, 128 + 0 * rows]
    return Image.fromarray(np.stack(channels, axis=2).astype(np.uint8))


def encoded(image: Image.Image, form: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


@pytest.mark.parametrize("max_side", [None, 60, 1000])
def test_a_jpeg_that_is_small_enough_stays_byte_for_byte(max_side: int | None) -> None:
    data = encoded(smooth(60, 40), "JPEG", quality=30, comment=b"kept")
    stored = fit_for_storing(data, StoreOptions("jpg", max_side, 95))
    assert stored.encoded == data
    assert (stored.width, stored.height) == (60, 40)


def test_a_png_stays_where_png_is_wanted() -> None:
    data = encoded(smooth(60, 40), "PNG")
    assert fit_for_storing(data, StoreOptions("png", 60, 95)).encoded == data


@pytest.mark.parametrize(
    ("sides", "max_side", "expected"),
    [
        ((60, 40), 59, (59, 39)),
        ((60, 40), 30, (30, 20)),
        ((40, 60), 30, (20, 30)),
        ((400, 3), 20, (20, 1)),
        ((1600, 1200), 100, (100, 75)),
    ],
)
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_the_longest_side_is_shrunk(sides, max_side, expected, form) -> None:
    stored = fit_for_storing(encoded(smooth(*sides), form), StoreOptions("jpg", max_side, 95))
    again = Image.open(io.BytesIO(stored.encoded))
    assert again.format == "JPEG"
    assert again.size == expected == (stored.width, stored.height)


def test_a_shrunk_picture_looks_as_pillow_shrinks_it() -> None:
    picture = smooth(640, 480)
    stored = fit_for_storing(encoded(picture, "PNG"), StoreOptions("png", 80, 95))
    expected = np.asarray(picture.resize((80, 60), Image.Resampling.BOX)).astype(int)
    assert np.abs(decode(stored.encoded).pixels - expected).max() <= 2


def test_another_encoding_keeps_the_picture() -> None:
    picture = smooth(60, 40)
    stored = fit_for_storing(encoded(picture, "PNG"), JPG)
    difference = np.asarray(Image.open(io.BytesIO(stored.encoded))).astype(int) - np.asarray(
        picture
    )
    assert np.abs(difference).max() <= 6
    lossless = fit_for_storing(encoded(picture, "BMP"), StoreOptions("png", None, 95))
    assert np.array_equal(decode(lossless.encoded).pixels, np.asarray(picture))


def test_the_quality_is_that_of_the_options() -> None:
    data = encoded(smooth(200, 200), "PNG")
    sizes = [len(fit_for_storing(data, StoreOptions("jpg", None, q)).encoded) for q in (30, 95)]
    assert sizes[0] < sizes[1]


def test_a_turned_photograph_is_kept_turned_or_stored_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(smooth(60, 40), "JPEG", exif=exif)
    kept = fit_for_storing(data, JPG)
    assert kept.encoded == data
    assert (kept.width, kept.height) == (40, 60)
    shrunk = fit_for_storing(data, StoreOptions("jpg", 30, 95))
    assert Image.open(io.BytesIO(shrunk.encoded)).size == (20, 30)
    assert decode(shrunk.encoded).orientation == 1
    difference = decode(shrunk.encoded).pixels[5, 5].astype(int) - decode(data).pixels[10, 10]
    assert np.abs(difference).max() <= 12


def test_a_transparent_picture_is_over_white() -> None:
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    pixels = decode(fit_for_storing(encoded(clear, "PNG"), JPG).encoded).pixels
    assert pixels.min() >= 250


@pytest.mark.parametrize("max_side", [None, 10])
def test_a_cut_picture_is_refused_though_its_bytes_would_do(max_side: int | None) -> None:
    data = encoded(smooth(60, 40), "JPEG")
    with pytest.raises(DecodeError) as caught:
        fit_for_storing(data[: len(data) // 2], StoreOptions("jpg", max_side, 95))
    assert caught.value.kind == "truncated"


def test_a_side_that_no_jpeg_can_have() -> None:
    data = encoded(Image.new("RGB", (65_501, 1)), "PNG")
    with pytest.raises(ValueError, match="65501 x 1 pixels are too many for a JPEG"):
        fit_for_storing(data, JPG)
    assert fit_for_storing(data, StoreOptions("jpg", 655, 95)).width == 655
