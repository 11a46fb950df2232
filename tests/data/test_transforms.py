import colorsys
import math

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from toolkit.data.transforms import colour, geometry, rand_augment
from toolkit.data.transforms.geometry import (
    CropImage,
    PadRandomCrop,
    RandCropImage,
    RandFlipImage,
    RandomRotation,
    ResizeImage,
)
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.data.transforms.rand_augment import OPERATIONS, RandAugment, Warping
from toolkit.data.transforms.tensor import NormalizeImage, RandomErasing, ToCHWImage
from toolkit.errors import ConfigError, ImageError
from toolkit.registry import TRANSFORMS

# Options with which each step really does something on the 37 x 29 picture below.
OPTIONS = {
    "ResizeImage": {"size": [24, 16]},
    "CropImage": {"size": [24, 16]},
    "RandCropImage": {"size": [24, 16]},
    "RandFlipImage": {"prob": 1.0},
    "PadRandomCrop": {"size": [24, 16]},
    "RandomRotation": {"prob": 1.0},
    "ColorJitter": {"brightness": 0.5, "contrast": 0.5, "saturation": 0.5, "hue": 0.2},
    "RandomGaussianBlur": {"prob": 0.5},
    "RandomGrayscale": {"prob": 0.5},
    "RandomSolarize": {"prob": 0.5, "threshold": 100},
    "RandAugment": {"num_layers": 4},
    "NormalizeImage": {},
    "RandomErasing": {"prob": 1.0},
    "ToCHWImage": {},
}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def picture() -> np.ndarray:
    """37 wide, 29 high: smooth enough to be interpolated, different at every pixel."""
    rows, columns = np.mgrid[0:29, 0:37]
    red, green = 3 * columns + 2 * rows, 255 - 5 * columns
    blue = 128 + 100 * np.sin(rows / 4 + columns / 7)
    return np.stack([red, np.clip(green, 0, 255), blue], axis=2).astype(np.uint8)


def given_to(name: str, picture: np.ndarray) -> np.ndarray:
    """The picture in the form that a step takes."""
    takes = TRANSFORMS.get(name).takes
    return picture if "pixels" in takes else NormalizeImage()(picture, rng())


# --- what holds for every step ------------------------------------------------------------------


@pytest.mark.parametrize("name", TRANSFORMS.names())
def test_every_step_keeps_its_contract(name, picture):
    step = TRANSFORMS.build(name, **OPTIONS[name])
    image = given_to(name, picture)
    image.flags.writeable = False  # as the decoder gives it
    before = image.copy()
    results = [step(image, rng(seed)) for seed in range(8)]
    again = [step(image, rng(seed)) for seed in range(8)]
    np.testing.assert_array_equal(image, before)
    for result, repeated in zip(results, again, strict=True):
        np.testing.assert_array_equal(result, repeated)
        assert result.flags.c_contiguous
        if step.gives == "tensor":
            assert (result.dtype, result.shape) == (np.float32, (3, 29, 37))
        elif "size" in OPTIONS[name]:
            assert (result.dtype, result.shape) == (np.uint8, (16, 24, 3))
        else:
            expected = np.float32 if step.gives == "values" else np.uint8
            assert (result.dtype, result.shape) == (expected, picture.shape)
    fixed = name in {"ResizeImage", "CropImage", "NormalizeImage", "ToCHWImage", "RandFlipImage"}
    assert all(np.array_equal(results[0], other) for other in results) == fixed
    assert any(not np.array_equal(result, image) for result in results)


@pytest.mark.parametrize("name", TRANSFORMS.names())
def test_every_step_can_be_written_down_and_built_again(name):
    step = TRANSFORMS.build(name, **OPTIONS[name])
    options = step.options()
    assert options.items() >= OPTIONS[name].items()
    said = {option.name for option in TRANSFORMS.options(name) if option.default != "None"}
    assert said <= set(options)
    assert TRANSFORMS.build(name, **options).options() == options
    assert repr(step).startswith(name + "(")


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in TRANSFORMS.names()
        if any(option.name == "prob" for option in TRANSFORMS.options(name))
    ],
)
def test_with_probability_zero_nothing_happens(name, picture):
    step = TRANSFORMS.build(name, **{**OPTIONS[name], "prob": 0.0})
    for seed in range(20):
        np.testing.assert_array_equal(step(picture, rng(seed)), picture)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("ResizeImage", {"size": 0}),
        ("ResizeImage", {"size": 8, "resize_short": 8}),
        ("ResizeImage", {"size": [1, 2, 3]}),
        ("ResizeImage", {"size": 8, "interpolation": "cubic"}),
        ("CropImage", {"size": [5, -1]}),
        ("RandCropImage", {"size": 8, "scale": [0.5, 0.1]}),
        ("RandCropImage", {"size": 8, "scale": [0.5, 1.5]}),
        ("RandCropImage", {"size": 8, "ratio": [0.0, 1.0]}),
        ("RandCropImage", {"size": 8, "ratio": [1.0]}),
        ("RandFlipImage", {"flip_code": 2}),
        ("RandFlipImage", {"prob": 1.5}),
        ("PadRandomCrop", {"size": 8, "pad": -1}),
        ("PadRandomCrop", {"size": 8, "fill": 256}),
        ("RandomRotation", {"degrees": 181}),
        ("ColorJitter", {"brightness": -0.1}),
        ("ColorJitter", {"hue": 0.6}),
        ("RandAugment", {"num_layers": 0}),
        ("RandAugment", {"magnitude": 10.5}),
        ("NormalizeImage", {"std": [1.0, 0.0, 1.0]}),
        ("NormalizeImage", {"mean": [0.5]}),
        ("NormalizeImage", {"scale": 0.0}),
        ("RandomErasing", {"area": [0.0, 0.5]}),
        ("RandomErasing", {"area": [0.5, 1.5]}),
        ("RandomErasing", {"aspect": 0.0}),
        ("RandomErasing", {"attempts": 0}),
    ],
)
def test_options_out_of_range_are_refused(name, wrong):
    with pytest.raises(ValueError, match=list(wrong)[-1]):
        TRANSFORMS.get(name)(**wrong)
    with pytest.raises(ConfigError, match=f"transform {name}: "):
        TRANSFORMS.build(name, **wrong)


# --- geometry -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("bilinear", cv2.INTER_LINEAR),
        ("bicubic", cv2.INTER_CUBIC),
        ("area", cv2.INTER_AREA),
        ("nearest", cv2.INTER_NEAREST),
    ],
)
def test_resize_is_that_of_opencv(name, flag, picture):
    expected = cv2.resize(picture, (24, 16), interpolation=flag)
    resized = ResizeImage([24, 16], interpolation=name)(picture, rng())
    np.testing.assert_array_equal(resized, expected)


@pytest.mark.parametrize(
    ("shape", "short", "expected"),
    [
        ((40, 80), 20, (20, 40)),
        ((81, 40), 20, (40, 20)),
        ((30, 30), 7, (7, 7)),
        ((3, 900), 1, (1, 300)),
    ],
)
def test_resize_short_keeps_the_aspect(shape, short, expected):
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    resized = ResizeImage(resize_short=short)(picture, rng())
    assert resized.shape == (*expected, 3)
    np.testing.assert_array_equal(resized, cv2.resize(picture, expected[::-1]))
    with pytest.raises(ValueError, match="give either size or resize_short"):
        ResizeImage()


def test_resize_by_default_interpolates_between_two_pixels_each_way(picture):
    """Slow bilinear: centres of pixels are at + 0.5, edges are repeated."""
    resized = ResizeImage([50, 20])(picture, rng()).astype(float)
    height, width = picture.shape[:2]
    for y in range(20):
        for x in range(50):
            v = min(max((y + 0.5) * height / 20 - 0.5, 0), height - 1)
            u = min(max((x + 0.5) * width / 50 - 0.5, 0), width - 1)
            top, left = min(int(v), height - 2), min(int(u), width - 2)
            corners = picture[top : top + 2, left : left + 2].astype(float)
            rows = corners[0] * (top + 1 - v) + corners[1] * (v - top)
            expected = rows[0] * (left + 1 - u) + rows[1] * (u - left)
            # OpenCV computes in fixed point and cuts fractions off on the way.
            assert np.abs(resized[y, x] - expected).max() < 1.05


def test_centre_crop_is_a_slice(picture):
    cropped = CropImage([20, 10])(picture, rng())
    np.testing.assert_array_equal(cropped, picture[9:19, 8:28])  # (29 - 10) // 2, (37 - 20) // 2
    np.testing.assert_array_equal(CropImage([37, 29])(picture, rng()), picture)


@pytest.mark.parametrize("step", [CropImage(30), PadRandomCrop(32, pad=1)])
def test_a_picture_smaller_than_the_crop_is_named(step, picture):
    with pytest.raises(ImageError, match=r"ResizeImage before it"):
        step(picture, rng())


@pytest.mark.parametrize(
    ("code", "expected"),
    [(1, np.s_[:, ::-1]), (0, np.s_[::-1]), (-1, np.s_[::-1, ::-1])],
)
def test_flip_is_reversal(code, expected, picture):
    flipped = RandFlipImage(flip_code=code, prob=1.0)(picture, rng())
    np.testing.assert_array_equal(flipped, picture[expected])


def test_flip_happens_as_often_as_asked(picture):
    step, draws = RandFlipImage(prob=0.3), rng(1)
    count = sum(not np.array_equal(step(picture, draws), picture) for _ in range(2000))
    assert abs(count / 2000 - 0.3) < 5 * math.sqrt(0.3 * 0.7 / 2000)


def test_pad_and_crop_reaches_every_place_and_is_a_slice(picture):
    step, draws = PadRandomCrop([37, 29], pad=2, fill=7), rng(2)
    padded = np.full((33, 41, 3), 7, np.uint8)
    padded[2:31, 2:39] = picture
    windows = {
        padded[top : top + 29, left : left + 37].tobytes() for top in range(5) for left in range(5)
    }
    assert {step(picture, draws).tobytes() for _ in range(400)} == windows


def test_random_crop_draws_parts_of_the_asked_size_and_shape(monkeypatch):
    """The part that is cut out is read off a picture that says where each pixel is."""
    rows, columns = np.mgrid[0:200, 0:240].astype(np.uint8)
    places = np.stack([rows, columns, rows], axis=2)
    parts = []
    monkeypatch.setattr(geometry.cv2, "resize", lambda part, *_, **__: parts.append(part))
    step, draws = RandCropImage(8, scale=[0.2, 0.5], ratio=[0.5, 2.0]), rng(3)
    for _ in range(500):
        step(places, draws)
    areas = np.array([part.shape[0] * part.shape[1] for part in parts]) / (200 * 240)
    ratios = np.array([part.shape[1] / part.shape[0] for part in parts])
    assert 0.195 < areas.min() < 0.21
    assert 0.48 < areas.max() < 0.505
    assert 0.49 < ratios.min() < 0.52
    assert 1.9 < ratios.max() < 2.04
    assert abs(np.median(np.log(ratios))) < 0.12  # as many tall as wide ones
    for part in parts:
        top, left = part[0, 0, :2]
        height, width = part.shape[:2]
        np.testing.assert_array_equal(part, places[top : top + height, left : left + width])
    assert min(part[0, 0, 0] for part in parts) == 0
    assert max(part[-1, -1, 1] for part in parts) == 239


def test_random_crop_that_never_fits_takes_the_centre():
    wide = np.zeros((10, 100, 3), np.uint8)
    wide[:, 43:57] = 255  # 10 rows x 4/3 is 13 columns, from (100 - 13) // 2 on
    cropped = RandCropImage(8, scale=[1.0, 1.0])(wide, rng())
    assert (cropped == 255).all()
    tall = wide.transpose(1, 0, 2).copy()
    assert (RandCropImage(8, scale=[1.0, 1.0])(tall, rng()) == 255).all()


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (-90, 3)])
def test_quarter_turns_move_pixels_exactly(degrees, turns, picture):
    square = picture[:, :29]
    turned = geometry.rotate(square, degrees, 0)
    expected = np.rot90(square, turns)
    # The outermost pixels may mix with what is outside, by rounding of the matrix.
    inside = np.s_[1:-1, 1:-1]
    assert np.abs(turned[inside].astype(int) - expected[inside]).max() <= 1


@pytest.mark.parametrize(
    ("interpolation", "flag"),
    [("nearest", cv2.INTER_NEAREST), ("bilinear", cv2.INTER_LINEAR), ("bicubic", cv2.INTER_CUBIC)],
)
def test_rotation_interpolates_as_it_is_told(interpolation, flag):
    picture = rng(3).integers(0, 256, (21, 33, 3), dtype=np.uint8)
    turned = RandomRotation(60.0, prob=1.0, interpolation=interpolation)(picture, rng(5))
    draws = rng(5)
    draws.random()  # whether to turn at all
    matrix = cv2.getRotationMatrix2D((16.0, 10.0), draws.uniform(-60.0, 60.0), 1.0)
    expected = cv2.warpAffine(picture, matrix, (33, 21), flags=flag)
    np.testing.assert_array_equal(turned, expected)


def test_rotation_fills_the_corners_and_stays_in_range(picture):
    grey = np.full((41, 41, 3), 200, np.uint8)
    turned = RandomRotation(degrees=45.0, prob=1.0, fill=9)(grey, rng(1))
    assert (turned[20, 20] == 200).all()
    assert (turned[0, 0] == 9).all()
    np.testing.assert_array_equal(RandomRotation(0.0, prob=1.0)(picture, rng()), picture)
    # A line to the right points by the drawn angle counter-clockwise.
    line = np.zeros((101, 101, 3), np.uint8)
    line[49:52, 51:] = 255
    angles = []
    for seed in range(60):
        turned = RandomRotation(degrees=60.0, prob=1.0)(line, rng(seed))[..., 0]
        y, x = np.argwhere(turned > 128).mean(axis=0) - 50
        angles.append(math.degrees(math.atan2(-y, x)))
    assert -61 < min(angles) < -45
    assert 45 < max(angles) < 61


# --- colours ------------------------------------------------------------------------------------


def test_jitter_changes_one_thing_as_drawn():
    grey = np.full((4, 4, 3), 100, np.uint8)
    levels = [
        int(TRANSFORMS.build("ColorJitter", brightness=0.5)(grey, rng(seed))[0, 0, 0])
        for seed in range(300)
    ]
    assert 50 <= min(levels) < 53
    assert 147 < max(levels) <= 150


def test_jitter_draws_the_order():
    picture = rng(5).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    step = TRANSFORMS.build("ColorJitter", brightness=0.9, contrast=0.9)
    orders = set()
    for seed in range(20):
        draws = rng(seed)
        draws.random()
        first = next(n for n in draws.permutation(4) if n < 2)
        factors = [draws.uniform(0.1, 1.9) for _ in range(2)]
        steps = [colour.adjust_brightness, colour.adjust_contrast]
        once = steps[first](picture, factors[0])
        np.testing.assert_array_equal(step(picture, rng(seed)), steps[1 - first](once, factors[1]))
        orders.add(int(first))
    assert orders == {0, 1}


@pytest.mark.parametrize("factor", [0.0, 0.3, 1.0, 1.8])
@pytest.mark.parametrize(
    ("adjust", "enhance"),
    [
        (colour.adjust_brightness, ImageEnhance.Brightness),
        (colour.adjust_contrast, ImageEnhance.Contrast),
        (colour.adjust_saturation, ImageEnhance.Color),
        (rand_augment.adjust_sharpness, ImageEnhance.Sharpness),
    ],
)
def test_adjustments_are_those_of_pillow(adjust, enhance, factor, picture):
    expected = np.asarray(enhance(Image.fromarray(picture)).enhance(factor)).astype(int)
    # Pillow cuts fractions off where these round, of the result and of the grey in it.
    assert np.abs(adjust(picture, factor).astype(int) - expected).max() <= 2
    if factor == 1.0:
        np.testing.assert_array_equal(adjust(picture, factor), picture)


@pytest.mark.parametrize("turns", [-0.3, 1 / 3, 0.5])
def test_hue_is_turned_as_colorsys_does(turns):
    colours = rng(7).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    shifted = colour.shift_hue(colours, turns)
    for pixel, result in zip(colours.reshape(-1, 3), shifted.reshape(-1, 3), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*(pixel / 255))
        expected = np.array(colorsys.hsv_to_rgb((hue + turns) % 1, saturation, value)) * 255
        assert np.abs(result - expected).max() <= 8  # hue and saturation have 8 bits
    red = np.full((1, 1, 3), (255, 0, 0), np.uint8)
    assert colour.shift_hue(red, 1 / 3)[0, 0].argmax() == 1
    np.testing.assert_allclose(colour.shift_hue(red, 0.0), red, atol=1)


@pytest.mark.parametrize(
    ("ours", "pillow"),
    [
        (rand_augment.autocontrast, ImageOps.autocontrast),
        (rand_augment.equalize, ImageOps.equalize),
        (
            lambda image: rand_augment.posterize(image, 3),
            lambda image: ImageOps.posterize(image, 3),
        ),
        (
            lambda image: rand_augment.solarize(image, 77),
            lambda image: ImageOps.solarize(image, 77),
        ),
    ],
)
def test_level_operations_are_those_of_pillow(ours, pillow, picture):
    flat = np.full((5, 6, 3), 90, np.uint8)
    squeezed = (picture // 3 + 40).astype(np.uint8)
    for image in (picture, squeezed, flat):
        expected = np.asarray(pillow(Image.fromarray(image))).astype(int)
        np.testing.assert_array_equal(ours(image), expected)


# --- RandAugment --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_operation_keeps_size_and_grows_with_its_strength(name, picture):
    before = picture.copy()
    changes = []
    for strength in (0.0, 0.3, 0.9, -0.3, -0.9):
        result = OPERATIONS[name](picture, strength, Warping(128, cv2.INTER_LINEAR))
        assert (result.shape, result.dtype) == (picture.shape, np.uint8)
        changes.append(np.abs(result.astype(int) - before).mean())
    np.testing.assert_array_equal(picture, before)
    if name == "identity":
        assert max(changes) == 0
    elif name in {"autocontrast", "equalize"}:
        assert len(set(changes)) == 1
    else:
        assert changes[0] == 0
        assert 0 < changes[1] < changes[2]
        assert 0 < changes[3] < changes[4]


def test_translation_and_shear_move_by_the_documented_amount():
    dot = np.zeros((100, 200, 3), np.uint8)
    dot[40, 60] = 255

    def place(name: str, strength: float) -> list[int]:
        result = OPERATIONS[name](dot, strength, Warping(0, cv2.INTER_LINEAR))[..., 0]
        return [int(v) for v in np.unravel_index(result.argmax(), result.shape)]

    assert place("translate_x", 1.0) == [40, 150]  # 0.45 x 200
    assert place("translate_y", -0.4) == [22, 60]  # 40 - 0.18 x 100
    assert place("shear_x", 1.0) == [40, 72]  # 60 + 0.3 x 40
    assert place("shear_y", 0.5) == [49, 60]  # 40 + 0.15 x 60


def test_rand_augment_draws_every_operation_alike(monkeypatch):
    seen: list[str] = []
    for name in OPERATIONS:

        def record(image, _strength, _warping, name=name):
            seen.append(name)
            return image

        monkeypatch.setitem(OPERATIONS, name, record)
    step, draws, image = RandAugment(num_layers=3), rng(4), np.zeros((2, 2, 3), np.uint8)
    for _ in range(1400):
        step(image, draws)
    counts = np.array([seen.count(name) for name in OPERATIONS])
    assert counts.sum() == 4200
    assert np.abs(counts - 300).max() < 5 * math.sqrt(300)


def test_rand_augment_interpolates_as_told(monkeypatch, picture):
    turn = OPERATIONS["rotate"]
    for name in OPERATIONS:
        monkeypatch.setitem(OPERATIONS, name, turn)
    flags = {"bicubic": cv2.INTER_CUBIC, "nearest": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR}
    for interpolation, flag in flags.items():
        step = RandAugment(num_layers=1, magnitude=5, fill=3, interpolation=interpolation)
        result = step(picture, rng(0))
        turned = [geometry.rotate(picture, degrees, 3, flag) for degrees in (15, -15)]
        assert sum(np.array_equal(result, one) for one in turned) == 1


def test_rand_augment_of_magnitude_zero_changes_no_place(picture):
    step = RandAugment(num_layers=1, magnitude=0)
    for seed in range(40):
        result = step(picture, rng(seed))
        names = list(OPERATIONS)
        drawn = names[rng(seed).integers(len(names))]
        if drawn not in {"autocontrast", "equalize"}:
            np.testing.assert_array_equal(result, picture)


# --- to numbers ---------------------------------------------------------------------------------


def test_normalise_is_the_formula(picture):
    values = NormalizeImage()(picture, rng())
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    expected = (picture / 255 - mean) / std
    np.testing.assert_allclose(values, expected, atol=2e-6)
    own = NormalizeImage(scale=1.0, mean=[1.0, 2.0, 3.0], std=[2.0, 4.0, 8.0])(picture, rng())
    np.testing.assert_allclose(own, (picture - [1.0, 2.0, 3.0]) / [2.0, 4.0, 8.0], rtol=1e-6)


def test_channels_first(picture):
    tensor = ToCHWImage()(picture.astype(np.float32), rng())
    for channel in range(3):
        np.testing.assert_array_equal(tensor[channel], picture[..., channel])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_erasing_paints_one_rectangle_of_the_asked_size(dtype):
    image = np.full((60, 80, 3), 200, dtype)
    areas, ratios = [], []
    for seed in range(300):
        erased = RandomErasing(prob=1.0, area=[0.1, 0.3], aspect=0.5, fill=3.0)(image, rng(seed))
        rows, columns = np.nonzero((erased == 3).all(axis=2))
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert len(rows) == height * width
        assert (erased == 200).sum() == 3 * (4800 - height * width)
        areas.append(height * width / 4800)
        ratios.append(height / width)
    assert 0.095 < min(areas) < 0.115
    assert 0.28 < max(areas) < 0.31
    assert 0.45 < min(ratios) < 0.6
    assert 1.7 < max(ratios) < 2.1


def test_erasing_that_never_fits_leaves_the_picture():
    line = np.zeros((2, 500, 3), np.float32)
    step = RandomErasing(prob=1.0, area=[1.0, 1.0], aspect=1.0, fill=1.0)
    assert step(line, rng()).sum() == 0


# --- pipelines ----------------------------------------------------------------------------------


def test_a_pipeline_is_its_steps_in_order(picture):
    steps = [ResizeImage(16), RandFlipImage(), NormalizeImage(), RandomErasing(), ToCHWImage()]
    pipeline = Pipeline(steps)
    draws, expected = rng(6), picture
    for step in steps:
        expected = step(expected, draws)
    np.testing.assert_array_equal(pipeline(picture, rng(6)), expected)
    assert pipeline.gives == "tensor"
    assert (expected.shape, expected.dtype) == ((3, 16, 16), np.float32)


def test_a_pipeline_describes_itself_with_every_default():
    pipeline = Pipeline([ResizeImage(224), NormalizeImage(), ToCHWImage()])
    assert pipeline.describe() == [
        {"ResizeImage": {"size": 224, "interpolation": "bilinear"}},
        {
            "NormalizeImage": {
                "scale": 1 / 255,
                "mean": [0.485, 0.456, 0.406],
                "std": [0.229, 0.224, 0.225],
            }
        },
        {"ToCHWImage": {}},
    ]
    assert "ResizeImage(size=224" in repr(pipeline)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([NormalizeImage(), ResizeImage(8)], "ResizeImage takes pixels .* behind NormalizeImage"),
        ([ToCHWImage()], "ToCHWImage takes values .* behind the decoder"),
        ([NormalizeImage(), ToCHWImage(), RandomErasing()], "RandomErasing .* gives tensor"),
    ],
)
def test_steps_in_an_impossible_order_are_refused(steps, words):
    with pytest.raises(ValueError, match=words):
        Pipeline(steps)


def test_an_empty_pipeline_changes_nothing(picture):
    pipeline = Pipeline([])
    assert pipeline.gives == "pixels"
    assert pipeline(picture, rng()) is picture


def test_geometry_is_what_stands_before_normalising(picture):
    steps = [ResizeImage(40), CropImage(32), NormalizeImage(), ToCHWImage()]
    geometry = Pipeline(steps).geometry()
    assert geometry.transforms == tuple(steps[:2])
    assert geometry.gives == "pixels"
    moved = geometry(picture, rng())
    assert (moved.shape, moved.dtype) == ((32, 32, 3), np.uint8)
    rest = Pipeline(steps[2:3])(moved, rng()).transpose(2, 0, 1)
    np.testing.assert_array_equal(Pipeline(steps)(picture, rng()), rest)
    assert Pipeline(steps[2:]).geometry().transforms == ()


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([ResizeImage(224), NormalizeImage()], (224, 224)),
        ([ResizeImage([64, 32])], (64, 32)),
        ([ResizeImage(resize_short=50), CropImage(32)], (67, 50)),
        ([CropImage(32), ResizeImage(224)], None),  # what is cut out depends on every pixel
        ([NormalizeImage()], None),
        ([], None),
    ],
)
def test_the_target_is_the_size_of_a_resize_that_comes_first(steps, expected):
    target = Pipeline(steps).target()
    assert (None if target is None else target(400, 300)) == expected
    if target is not None:
        resized = steps[0](np.zeros((300, 400, 3), np.uint8), rng())
        assert resized.shape[1::-1] == expected
