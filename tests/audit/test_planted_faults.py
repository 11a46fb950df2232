"""One fault planted in a clean dataset gives its code, about its rows, and nothing else."""

import io
import re
import zlib

import numpy as np
import pytest
from PIL import Image
from planted_dataset import draw

from toolkit.audit.codes import CODES
from toolkit.audit.dataset import load_dataset
from toolkit.audit.doctor import examine
from toolkit.audit.examination import TrainingNeeds
from toolkit.audit.options import AuditOptions

LINE = 13  # the clean train list has 12 rows


def encode(pixels, kind="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def one(code, path, line=LINE, split="train"):
    return [(code, (path,), ((f"{split}.txt", line),))]


def test_clean_dataset_has_no_finding_but_the_remark_on_its_classes(planted):
    diagnosis = planted.examine()
    assert [f.code for f in diagnosis.findings] == ["split.open_set"]
    assert diagnosis.passed("warning")


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("image.zero_bytes", b""),
        ("image.not_an_image", b"<html>404 not found</html>"),
        ("image.truncated", encode(draw(99), "JPEG")[:-900]),
        ("image.truncated", encode(draw(99))[:-2000]),
        ("image.unreadable", encode(draw(99))[:2000] + b"!" + encode(draw(99))[2001:]),
    ],
)
def test_files_that_give_no_picture(planted, code, data):
    planted.add_file("train", "images/bad.png", "a", data)
    assert planted.found() == one(code, "images/bad.png")


def test_bomb_is_not_decoded(planted):
    planted.add("train", "images/large.png", "a", draw(5, 100, 101))
    options = AuditOptions(max_pixels=10_000)
    assert planted.found(options) == one("image.bomb", "images/large.png")
    (finding,) = [f for f in planted.examine(options).findings if f.code == "image.bomb"]
    assert finding.threshold == 10_000


def test_a_real_bomb_of_few_bytes(planted):
    png = encode(np.zeros((1, 1), np.uint8))
    # Width and height of 60,000 in the header chunk, whose type and data are bytes 12 to 29.
    chunk = png[12:16] + 2 * (60_000).to_bytes(4, "big") + png[24:29]
    bomb = png[:12] + chunk + zlib.crc32(chunk).to_bytes(4, "big") + png[33:]
    planted.add_file("train", "images/bomb.png", "a", bomb)
    assert planted.found() == one("image.bomb", "images/bomb.png")


def test_missing(planted):
    planted.add_row("train", "images/nowhere.png a")
    assert planted.found() == one("image.missing", "images/nowhere.png")


def test_a_folder_is_unreadable(planted):
    (planted.root / "images/folder.png").mkdir(parents=True)
    planted.add_row("train", "images/folder.png a")
    assert planted.found() == one("image.unreadable", "images/folder.png")


@pytest.mark.parametrize("path", ["../outside.png", "{absolute}", "images/../../outside.png", "."])
def test_outside_the_root(planted, path):
    outside = planted.root.parent / "outside.png"
    Image.fromarray(draw(77)).save(outside)
    path = path.format(absolute=outside)
    planted.add_row("train", f"{path} a")
    assert planted.found() == one("image.outside_root", path)


def test_an_absolute_path_and_a_linked_folder_inside_are_fine(planted):
    planted.add_row("train", f"{planted.add('gallery', 'images/g9.png', 'x')} a")
    planted.rows["gallery"].pop()
    elsewhere = planted.root.parent / "elsewhere"
    elsewhere.mkdir()
    Image.fromarray(draw(78)).save(elsewhere / "p.png")
    (planted.root / "linked").symlink_to(elsewhere)
    planted.add_row("train", "linked/p.png a")
    assert planted.found() == []


def test_malformed_lines_are_all_reported(planted):
    first = planted.add_row("train", "onlyonecolumn")
    planted.add_row("train", "")
    third = planted.add_row("train", "a\tb\tc\td")
    assert planted.found() == [
        ("list.malformed_line", (), (("train.txt", first),)),
        ("list.malformed_line", (), (("train.txt", third),)),
    ]


def test_duplicate_lines(planted):
    planted.add_row("train", "images/train_a0.png a")
    planted.add_row("train", "./images/train_a0.png a")
    lines = (("train.txt", 1), ("train.txt", 13), ("train.txt", 14))
    assert planted.found() == [("list.duplicate_line", ("images/train_a0.png",), lines)]


def test_same_path_under_two_labels(planted):
    planted.add_row("train", "images/train_a0.png b")
    lines = (("train.txt", 1), ("train.txt", 13))
    assert planted.found() == [("label.conflict", ("images/train_a0.png",), lines)]


def test_same_pixels_under_two_labels(planted):
    planted.add("train", "images/again.bmp", "b", planted.read("images/train_a0.png"))
    lines = (("train.txt", 1), ("train.txt", 13))
    files = ("images/train_a0.png", "images/again.bmp")
    assert planted.found() == [("label.conflict", files, lines)]


def test_duplicates_within_a_list_count_saved_again_pixels(planted):
    planted.add("train", "images/again.bmp", "a", planted.read("images/train_a0.png"))
    lines = (("train.txt", 1), ("train.txt", 13))
    files = ("images/train_a0.png", "images/again.bmp")
    assert planted.found() == [("duplicate.within_split", files, lines)]


@pytest.mark.parametrize(
    ("copied", "split", "code", "lines"),
    [
        ("train_a0", "gallery", "train_gallery", (("train.txt", 1), ("gallery.txt", 7))),
        ("train_a0", "query", "train_query", (("train.txt", 1), ("query.txt", 5))),
        ("gallery_x0", "query", "query_gallery", (("gallery.txt", 1), ("query.txt", 5))),
    ],
)
@pytest.mark.parametrize("kind", ["same path", "same bytes", "same pixels"])
def test_duplicates_across_lists(planted, copied, split, code, lines, kind):
    # The label is that of the copied picture, and of a class that the gallery has.
    label = "x" if copied.startswith("gallery") else "a"
    path = f"images/{copied}.png"
    planted.add("gallery", "images/g_more.png", label)
    if split == "gallery":
        lines = (lines[0], ("gallery.txt", 8))
    files = (path,)
    if kind == "same path":
        planted.add_row(split, f"{path} {label}")
        if code == "query_gallery":  # evaluation leaves it out, so it is a warning of its own
            expected = ("split.query_in_gallery", files, lines[::-1])
            assert planted.found() == [expected]
            return
    elif kind == "same bytes":
        planted.add_file(split, "images/copy.png", label, (planted.root / path).read_bytes())
        files = (path, "images/copy.png")
    else:
        planted.add(split, "images/copy.tiff", label, planted.read(path))
        files = (path, "images/copy.tiff")
    assert planted.found() == [(f"duplicate.{code}", files, lines)]


def test_near_duplicates_across_lists(planted):
    pixels = planted.read("images/train_a0.png")
    planted.add("query", "images/q.jpg", "x", pixels, quality=60)
    darker = np.asarray(Image.fromarray((pixels * 0.8).astype(np.uint8)).reduce(2))
    planted.add("gallery", "images/g.png", "x", darker)
    found = [row for row in planted.found() if row[0].startswith("near")]
    assert [(code, set(files)) for code, files, _ in found] == [
        ("near_duplicate.train_gallery", {"images/g.png", "images/train_a0.png"}),
        ("near_duplicate.train_query", {"images/q.jpg", "images/train_a0.png"}),
        ("near_duplicate.query_gallery", {"images/q.jpg", "images/g.png"}),
    ]
    assert found[1][1][0] == "images/q.jpg"
    assert found[1][2] == (("query.txt", 5), ("train.txt", 1))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda pixels: pixels[:, ::-1], "(mirrored)"),
        (lambda pixels: pixels[::-1], "(upside down)"),
        (lambda pixels: pixels[8:72, 8:88], r"\(this shows 8\d% x [78]\d% of it\)"),
        (
            lambda pixels: pixels[:, ::-1][8:72, 8:88],
            r"\(mirrored, this shows 8\d% x [78]\d% of it\)",
        ),
    ],
)
def test_near_duplicates_say_how_they_differ(planted, change, said):
    planted.add("query", "images/q.png", "x", change(planted.read("images/train_a0.png")))
    diagnosis = planted.examine()
    (finding,) = [f for f in diagnosis.findings if f.severity == "warning"]
    assert finding.code == "near_duplicate.train_query"
    assert re.search(said if "\\" in said else re.escape(said), finding.message)
    assert finding.value > finding.threshold == 0.92


def test_the_larger_picture_is_told_of_its_part(planted):
    part = planted.read("images/train_a0.png")[8:72, 8:88]
    planted.add("train", "images/part.png", "a", part)
    planted.add("query", "images/q.png", "x", planted.read("images/train_b0.png"))
    planted.rows["train"].pop(4)
    Image.fromarray(planted.read("images/train_b0.png")[8:72, 8:88]).save(
        planted.root / "images/train_b1.png"
    )
    messages = [f.message for f in planted.examine().findings if f.code.startswith("near")]
    assert re.search(
        r"q\.png .* looks the same as .*b1\.png .*\(it shows 8\d% x [78]\d% of this\)", messages[0]
    )
    assert re.search(
        r"2 pictures of train look the same: .*a0\.png .*part\.png .*\(it shows", messages[1]
    )


def test_near_duplicates_within_a_list_are_one_remark_a_group(planted):
    planted.add("train", "images/q.jpg", "a", planted.read("images/train_a0.png"), quality=60)
    planted.add("train", "images/m.png", "a", planted.read("images/train_a0.png")[:, ::-1])
    planted.add("train", "images/other.jpg", "b", planted.read("images/train_b2.png"), quality=60)
    assert planted.found() == [
        (
            "near_duplicate.within_split",
            ("images/train_a0.png", "images/q.jpg", "images/m.png"),
            (("train.txt", 1), ("train.txt", 13), ("train.txt", 14)),
        ),
        (
            "near_duplicate.within_split",
            ("images/train_b2.png", "images/other.jpg"),
            (("train.txt", 7), ("train.txt", 15)),
        ),
    ]
    assert planted.examine().passed("warning")


def test_many_near_duplicates_are_named_in_part_and_counted(planted):
    pixels = planted.read("images/train_a0.png")
    for number in range(30):
        planted.add(
            "train",
            f"images/near{number}.png",
            "a",
            pixels // 2 + number,
        )
    planted.add("query", "images/q.png", "x", pixels // 3)
    found = {f.code: f for f in planted.examine().findings if f.code.startswith("near")}
    across, within = found["near_duplicate.train_query"], found["near_duplicate.within_split"]
    assert within.value == 31
    assert len(within.files) == 10
    assert "and 21 more." in within.message
    assert len(across.files) == 11
    assert re.search(r"and \d+ more\.$", across.message)


def test_near_duplicates_need_both_radius_and_correlation(planted):
    planted.add("query", "images/q.jpg", "x", planted.read("images/train_a0.png"), quality=60)
    assert planted.found(AuditOptions(near_duplicate_correlation=1.0)) == []
    assert planted.found(AuditOptions(near_duplicate_radius=0)) in (
        [],
        planted.found(),  # when not a single bit differs
    )


def test_query_label_absent_from_the_gallery(planted):
    planted.add("query", "images/q_new.png", "z")
    assert planted.found() == one("label.query_absent", "images/q_new.png", 5, "query")


@pytest.mark.parametrize("split", ["train", "gallery", "query"])
def test_empty_list(planted, split):
    planted.rows[split] = [""]
    assert planted.found() == [("split.empty", (), ((f"{split}.txt", 1),))]


def test_gallery_that_is_the_query_list_is_one_warning(planted):
    planted.rows["query"] = list(planted.rows["gallery"])
    assert planted.found() == [
        ("split.gallery_is_query", (), (("query.txt", 1), ("gallery.txt", 1)))
    ]


class TestSetsSearchedInThemselves:
    """Each set is gallery and query at once, and others beside it keep the two apart."""

    @pytest.fixture
    def merged(self, planted):
        for index in range(3):
            planted.add("gallery", f"own/{index}.png", "s")
        planted.rows["query"] += planted.rows["gallery"][-3:]
        return planted

    def test_they_are_one_warning_with_a_count(self, merged):
        lines = (("query.txt", 5), ("gallery.txt", 7))
        assert merged.found() == [("split.query_in_gallery", ("own/0.png",), lines)]
        (finding,) = [f for f in merged.examine().findings if f.severity == "warning"]
        assert finding.value == 3
        assert "3 of the 7 pictures of query" in finding.message
        assert merged.examine().passed("error")

    @pytest.mark.parametrize(("whole", "other"), [("gallery", "query"), ("query", "gallery")])
    def test_one_list_within_the_other_is_not_the_same_list(self, planted, whole, other):
        planted.rows[other] += planted.rows[whole]
        codes = [code for code, *_ in planted.found()]
        assert codes == ["split.query_in_gallery"]

    def test_a_copy_by_another_path_is_a_leak_all_the_same(self, merged):
        merged.add("query", "own/again.bmp", "s", merged.read("own/1.png"))
        codes = [code for code, *_ in merged.found()]
        assert codes[:2] == ["duplicate.query_gallery", "duplicate.within_split"]
        assert not merged.examine().passed("error")

    def test_a_copy_in_both_lists_is_a_duplicate_within_each(self, merged):
        """As in a gallery that is the whole query list."""
        merged.add("gallery", "own/again.bmp", "s", merged.read("own/1.png"))
        merged.rows["query"].append(merged.rows["gallery"][-1])
        codes = [code for code, *_ in merged.found()]
        assert codes == ["duplicate.within_split"] * 2 + ["split.query_in_gallery"]

    def test_near_duplicates_only_with_pictures_of_others(self, merged):
        again = np.asarray(Image.fromarray((merged.read("own/1.png") * 0.8).astype(np.uint8)))
        merged.add("gallery", "own/near.png", "s", again)
        merged.rows["query"].append(merged.rows["gallery"][-1])
        within = "near_duplicate.within_split"
        assert [code for code, *_ in merged.found()] == ["split.query_in_gallery", within, within]
        merged.rows["query"].pop()
        near = [(code, files) for code, files, _ in merged.found() if code.startswith("near")]
        assert near == [
            ("near_duplicate.query_gallery", ("own/1.png", "own/near.png")),
            ("near_duplicate.within_split", ("own/1.png", "own/near.png")),
        ]

    def test_a_class_whose_one_picture_is_its_only_match(self, merged):
        merged.add("gallery", "own/alone.png", "lonely")
        merged.rows["query"].append(merged.rows["gallery"][-1])
        assert merged.found()[1:] == one("label.singleton", "own/alone.png", 8, "query")
        merged.add("gallery", "own/friend.png", "lonely")
        assert len(merged.found()) == 1


def shade(level, seed=6):
    """Fine grain around a level of grey."""
    grain = np.random.default_rng(seed).integers(-20, 21, (80, 96, 3))
    return np.clip(level + grain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("code", "pixels"),
    [
        ("too_small", draw(50, 15, 60)),
        ("too_small", draw(50, 1, 1)),
        ("extreme_aspect", draw(50, 20, 420)),
        ("dark", (draw(50) * 0.12).astype(np.uint8)),
        ("dark", np.zeros((80, 96, 3), np.uint8)),
        ("light", (255 - draw(50) * 0.08).astype(np.uint8)),
        ("low_information", shade(128)),
        ("low_information", np.full((80, 96, 3), (10, 200, 90), np.uint8)),
        ("blurred", np.asarray(Image.fromarray(draw(50, 5, 6)).resize((250, 200), 3))),
        ("odd_size", draw(50, 800, 900)),
    ],
)
def test_looks(planted, code, pixels):
    planted.add("train", "images/odd.png", "a", pixels)
    expected = one(f"image.{code}", "images/odd.png")
    found = planted.found()
    grey = one("image.grey", "images/odd.png") if (pixels[..., :1] == pixels).all() else []
    assert found == expected + grey


def test_drawings_with_thin_strokes_are_neither_light_nor_flat(planted):
    page = np.full((105, 105), 255, np.uint8)
    page[50:53, 20:80] = 0
    planted.add("train", "images/stroke.png", "a", page)
    kinds = ("grey", "pale", "plain", "uncommon_size")  # remarks, none of them a warning
    assert planted.found() == [one(f"image.{kind}", "images/stroke.png")[0] for kind in kinds]


MILD = [
    ("dim", (draw(50) * 0.28).astype(np.uint8)),
    (
        "pale",
        np.where(np.arange(96)[None, :, None] < 3, 0, 250).astype(np.uint8)
        * np.ones((80, 1, 3), np.uint8),
    ),
    ("plain", np.repeat(draw(50)[..., :1] // 64 * 64, 3, axis=2)),
    ("soft", np.asarray(Image.fromarray(draw(50, 9, 11)).resize((96, 80), 3)) // 2 + 60),
    ("elongated", draw(50, 40, 160)),
    ("uncommon_size", draw(50, 120, 90)),
]


@pytest.mark.parametrize(("code", "pixels"), MILD)
def test_looks_that_are_a_matter_of_degree_are_remarks(planted, code, pixels):
    planted.add("train", "images/mild.png", "a", pixels)
    options = AuditOptions(blur=0, min_side=1)
    found = {code: files for code, files, _ in planted.found(options)}
    assert found[f"image.{code}"] == ("images/mild.png",)
    assert planted.examine(options).passed("warning")


def test_one_remark_names_all_pictures_of_a_list_that_are_so(planted):
    for number in range(8):
        planted.add(
            "train", f"images/dim{number}.png", "a", (draw(90 + number) * 0.28).astype(np.uint8)
        )
    planted.add("query", "images/dim.png", "x", (draw(99) * 0.28).astype(np.uint8))
    rows = [f for f in planted.examine().findings if f.code == "image.dim"]
    assert [(f.split, f.value, len(f.files), len(f.lines)) for f in rows] == [
        ("query", 1, 1, 1),
        ("train", 8, 8, 8),
    ]
    assert rows[1].message.startswith("8 of 20 pictures of train: images/dim0.png, ")
    assert rows[1].message.endswith("images/dim4.png and 3 more.")


def test_a_picture_with_a_warning_has_no_mild_remark(planted):
    planted.add("train", "images/dark.png", "a", np.zeros((80, 96, 3), np.uint8))
    assert [code for code, *_ in planted.found()] == ["image.dark", "image.grey"]


def test_labels_against_training(planted):
    needs = TrainingNeeds(num_classes=159, batch_size=32, sample_per_id=5)
    diagnosis = planted.examine(needs=needs)
    rows = {f.code: (f.label, f.value, f.threshold) for f in diagnosis.findings}
    assert rows["label.num_classes"] == (None, 3, 159)
    assert rows["label.pk_classes"] == (None, 3, 6)
    assert [f.label for f in diagnosis.findings if f.code == "label.pk_images"] == list("abc")
    fitting = TrainingNeeds(num_classes=3, batch_size=12, sample_per_id=4)
    assert planted.found(needs=fitting) == []
    assert planted.found(needs=TrainingNeeds(num_classes=12, classes_per_label=4)) == []


def test_singleton(planted):
    planted.add("train", "images/alone.png", "lonely")
    needs = TrainingNeeds(sample_per_id=4)
    assert planted.found(needs=needs) == one("label.singleton", "images/alone.png")


def test_imbalance(planted):
    for index in range(40):
        planted.add("train", f"images/many{index}.png", "a")
    diagnosis = planted.examine()
    (finding,) = [f for f in diagnosis.findings if f.severity == "warning"]
    assert (finding.code, finding.label, finding.value) == ("label.imbalance", "a", 11.0)


def test_one_class(planted):
    planted.rows["train"] = [row[:-1] + "a" for row in planted.rows["train"]]
    assert planted.found() == [("label.one_class", (), (("train.txt", 1),))]


def test_closed_and_open_set(planted):
    assert [f.code for f in planted.examine().findings] == ["split.open_set"]
    planted.add("train", "images/known.png", "x")
    planted.add("train", "images/known2.png", "x")
    (finding,) = planted.examine().findings
    assert (finding.code, finding.value) == ("split.closed_set", 1)


def cmyk():
    return Image.fromarray(draw(60)).convert("CMYK"), {}


def sixteen_bit():
    return Image.fromarray(draw(65)[..., 0].astype(np.uint16) * 257), {}


def alpha():
    return Image.fromarray(np.dstack([draw(61), np.full((80, 96), 200, np.uint8)])), {}


def rotated():
    exif = Image.Exif()
    exif[0x0112] = 6
    return Image.fromarray(draw(62)), {"exif": exif}


def animated():
    frames = [Image.fromarray(draw(63 + k)) for k in range(3)]
    return frames[0], {"save_all": True, "append_images": frames[1:]}


def grey():
    return Image.fromarray(draw(64)).convert("L"), {}


@pytest.mark.parametrize(
    ("make", "name", "codes"),
    [
        (cmyk, "p.jpg", ["cmyk"]),
        (sixteen_bit, "p.png", ["sixteen_bit", "grey"]),
        (alpha, "p.png", ["alpha"]),
        (rotated, "p.jpg", ["rotated"]),
        (animated, "p.webp", ["animated"]),
        (grey, "p.png", ["grey"]),
    ],
)
def test_kinds_of_files_are_remarks(planted, make, name, codes):
    image, options = make()
    image.save(planted.root / "images" / name, **options)
    planted.add_row("train", f"images/{name} a")
    assert [code for code, *_ in planted.found()] == [f"image.{code}" for code in codes]
    assert planted.examine().passed("warning")


def test_a_train_list_alone_can_be_examined(planted):
    planted.write_lists()
    diagnosis = examine(load_dataset(planted.root, splits=["train"]), workers=0)
    assert diagnosis.findings == []


def test_every_code_is_planted_somewhere():
    """The codes that this file's tests look for, found by their names in its text."""
    from pathlib import Path

    text = Path(__file__).read_text(encoding="utf-8")
    names = {part for code in CODES for part in [code.split(".")[1]]}
    assert sorted(name for name in names if name not in text) == []
