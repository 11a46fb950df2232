"""JPEGs by libjpeg-turbo: the pixels of Pillow and OpenCV, and the faults that Pillow finds."""

import io
from itertools import product

import cv2
import numpy as np
import pytest
import simplejpeg
from PIL import Image

from toolkit.data import jpeg
from toolkit.data.decode import DecodeError, decode
from toolkit.data.jpeg import decode_jpeg, divisor_for


def photograph(width: int, height: int, seed: int = 0) -> np.ndarray:
    """Smooth colours with some noise: a picture whose averages mean something."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.add(smooth, rng.integers(0, 12, smooth.shape, dtype=np.uint8))


def encode(image: Image.Image | np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(stream, "JPEG", **{"quality": 90, **options})
    return stream.getvalue()


def of_pillow(data: bytes, divisor: int = 1) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        image.draft(None, (image.width // divisor, image.height // divisor))
        return np.asarray(image.convert("RGB"))


def of_opencv(data: bytes) -> np.ndarray:
    """The pixels as they are stored."""
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    return cv2.imdecode(np.frombuffer(data, np.uint8), flags)[..., ::-1]


def no_pillow(_image):
    pytest.fail("Pillow decoded this one")


@pytest.fixture
def only_turbo(monkeypatch):
    """Fails the test when pixels come another way than by libjpeg-turbo itself."""
    monkeypatch.setattr("toolkit.data.decode.to_rgb", no_pillow)


@pytest.fixture
def no_turbo(monkeypatch):
    monkeypatch.setattr("toolkit.data.decode.decode_jpeg", lambda *_, **__: None)


# --- every pixel --------------------------------------------------------------------------------


@pytest.mark.usefixtures("only_turbo")
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (33, 47), (160, 121)])
def test_pixels_are_those_of_pillow_and_opencv(size):
    kinds = product((60, 90, 100), (0, 1, 2), (False, True), (0, 3))
    for quality, subsampling, progressive, restart in kinds:
        data = encode(
            photograph(*size),
            quality=quality,
            subsampling=subsampling,
            progressive=progressive,
            restart_marker_blocks=restart,
        )
        pixels = decode(data).pixels
        np.testing.assert_array_equal(pixels, of_pillow(data))
        np.testing.assert_array_equal(pixels, of_opencv(data))


@pytest.mark.usefixtures("only_turbo")
@pytest.mark.parametrize("sampling", ["411", "420", "422", "440", "444"])
def test_every_subsampling_that_opencv_writes(sampling):
    factor = getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{sampling}")
    picture = photograph(67, 45)
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor])[1].tobytes()
    np.testing.assert_array_equal(decode(data).pixels, of_opencv(data))


@pytest.mark.usefixtures("only_turbo")
@pytest.mark.parametrize("options", [{"keep_rgb": True}, {"qtables": "web_high"}, {"dpi": (9, 9)}])
def test_other_headers(options):
    data = encode(photograph(50, 40), **options)
    np.testing.assert_array_equal(decode(data).pixels, of_pillow(data))


@pytest.mark.usefixtures("only_turbo")
def test_grey_gets_three_equal_channels():
    data = encode(Image.fromarray(photograph(40, 30)).convert("L"))
    decoded = decode(data)
    np.testing.assert_array_equal(decoded.pixels, of_pillow(data))
    assert decoded.mode == "L"


def test_inks_are_left_to_pillow():
    inks = Image.fromarray(photograph(320, 240)).convert("CMYK")
    data = encode(inks)
    np.testing.assert_array_equal(decode(data).pixels, of_pillow(data))
    shrunk = decode(data, target=lambda *_: (80, 60)).pixels
    np.testing.assert_array_equal(shrunk, of_pillow(data, 2))
    assert shrunk.shape == (120, 160, 3)


def test_a_real_photograph(grocery, only_turbo):
    for path in sorted((grocery / "images").glob("*.jpg"))[::500]:
        data = path.read_bytes()
        np.testing.assert_array_equal(decode(data).pixels, of_opencv(data))


# --- shrunk -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "height", "target", "divisor"),
    [
        (4000, 3000, (224, 224), 4),  # 3000 / 4 = 750 is at least 448, 375 is not
        (1791, 1800, (224, 224), 2),
        (1792, 1792, (224, 224), 4),
        (896, 896, (224, 224), 2),
        (896, 895, (224, 224), 1),
        (348, 348, (224, 224), 1),
        (20_000, 20_000, (224, 224), 8),  # no further than an eighth
        (2000, 500, (500, 125), 2),  # each side counts
        (2000, 499, (500, 125), 1),
    ],
)
def test_half_the_sides_stay_to_spare(width, height, target, divisor):
    assert divisor_for(width, height, lambda *_: target) == divisor


def test_without_a_target_nothing_is_shrunk():
    assert divisor_for(40_000, 30_000, None) == 1


@pytest.mark.usefixtures("only_turbo")
@pytest.mark.parametrize("size", [(800, 600), (803, 601), (609, 1001)])
@pytest.mark.parametrize("divisor", [2, 4, 8])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_a_shrunk_picture_is_pillows_and_nearly_the_average(size, divisor, options):
    width, height = size
    picture = photograph(width, height)
    data = encode(picture, **options)
    side = min(size) // (2 * divisor)
    pixels = decode(data, target=lambda *_: (side, side)).pixels
    assert pixels.shape == (-(-height // divisor), -(-width // divisor), 3)
    np.testing.assert_array_equal(pixels, of_pillow(data, divisor))
    rows, columns = height // divisor, width // divisor
    blocks = picture[: rows * divisor, : columns * divisor].astype(float)
    averages = blocks.reshape(rows, divisor, columns, divisor, 3).mean((1, 3))
    assert np.abs(pixels[:rows, :columns] - averages).mean() < 3


@pytest.mark.usefixtures("only_turbo")
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_target_is_one_of_the_upright_picture(orientation):
    """A portrait is stored lying on its side; the wider side of the target is that of the scene."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(photograph(800, 400), exif=exif)
    asked = []

    def target(width: int, height: int) -> tuple[int, int]:
        asked.append((width, height))
        return width // 4, height // 4

    shrunk, whole = decode(data, target=target).pixels, decode(data).pixels
    assert asked == [whole.shape[1::-1]]
    assert shrunk.shape[:2] == (whole.shape[0] // 2, whole.shape[1] // 2)
    small = cv2.resize(whole, shrunk.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk.astype(int) - small).mean() < 3


def test_pictures_that_are_not_much_larger_are_the_same_bytes():
    data = encode(photograph(447, 447))
    np.testing.assert_array_equal(
        decode(data, target=lambda *_: (112, 112)).pixels, decode(data).pixels
    )


def test_other_formats_are_never_shrunk():
    stream = io.BytesIO()
    Image.fromarray(photograph(400, 400)).save(stream, "PNG")
    assert decode(stream.getvalue(), target=lambda *_: (8, 8)).pixels.shape == (400, 400, 3)


# --- faults -------------------------------------------------------------------------------------


def outcome(data: bytes, **options) -> tuple:
    """What decoding gives: the pixels, or what is said against them."""
    try:
        return ("pixels", decode(data, **options).pixels.tobytes())
    except DecodeError as error:
        return (error.kind, str(error))


def damaged() -> dict[str, bytes]:
    data = encode(photograph(96, 80))
    progressive = encode(photograph(96, 80), progressive=True)
    middle = len(data) // 2
    kinds = {
        "cut": data[:middle],
        "cut at the last byte": data[:-1],
        "zeros from the middle": data[:middle] + bytes(len(data) - middle),
        "no end, then a preview": data[:-2] + encode(photograph(8, 8))[:-2],
        "header only": data[: data.index(b"\xff\xda") + 14],
        "no tables": data.replace(b"\xff\xdb", b"\xff\xfe"),
        "bytes behind the end": data + b"behind",
        "progressive, cut": progressive[: len(progressive) // 2],
        "progressive, closed too early": progressive[: len(progressive) // 2] + b"\xff\xd9",
        "closed too early": data[:middle] + b"\xff\xd9",
    }
    rng = np.random.default_rng(1)
    for number in range(60):
        broken = bytearray(data)
        for position in rng.integers(2, len(data), 3):
            broken[position] = rng.integers(256)
        kinds[f"noise {number}"] = bytes(broken)
    return kinds


DAMAGED = damaged()


def test_a_fault_is_told_as_pillow_alone_tells_it(monkeypatch):
    found = {name: outcome(data) for name, data in DAMAGED.items()}
    kinds = {kind for kind, _ in found.values()}
    assert {"pixels", "truncated", "unreadable"} <= kinds, "the files must have different faults"
    monkeypatch.setattr("toolkit.data.decode.decode_jpeg", lambda *_, **__: None)
    assert found == {name: outcome(data) for name, data in DAMAGED.items()}


def test_a_fault_is_told_the_same_when_the_picture_is_to_be_shrunk():
    for name, data in DAMAGED.items():
        whole, shrunk = outcome(data), outcome(data, target=lambda *_: (10, 10))
        if whole[0] != "pixels":
            assert shrunk == whole, name
        else:
            assert shrunk[0] == "pixels", name


def test_a_bomb_is_not_even_shrunk():
    data = encode(photograph(200, 100))
    assert outcome(data, max_pixels=19_999, target=lambda *_: (5, 5))[0] == "bomb"


def test_what_the_library_only_warns_of_is_not_taken_from_it(monkeypatch):
    """Its strict mode: with warnings let through, a cut file would be grey from the cut on."""
    data = DAMAGED["closed too early"]
    assert decode_jpeg(data, 96, 80) is None
    lenient = simplejpeg.decode_jpeg
    monkeypatch.setattr(
        jpeg.simplejpeg, "decode_jpeg", lambda *args, **kw: lenient(*args, **kw, strict=False)
    )
    assert decode_jpeg(data, 96, 80) is not None


def test_a_size_that_the_header_does_not_say_is_not_taken():
    assert decode_jpeg(encode(photograph(40, 30)), 41, 30) is None


@pytest.mark.usefixtures("no_turbo")
def test_without_the_library_pillow_shrinks():
    data = encode(photograph(800, 600))
    shrunk = decode(data, target=lambda *_: (70, 70)).pixels
    np.testing.assert_array_equal(shrunk, of_pillow(data, 4))
    assert shrunk.shape == (150, 200, 3)
