import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from native_miniatures import MINIATURES, veri_wild_second_release, write
from PIL import Image

from dataset_tools.convert_dataset import main
from dataset_tools.native.table import DATASETS
from toolkit.data.decode import read_rgb
from toolkit.data.manifest import CAMERA_COLUMNS, DEFAULT_COLUMNS, read_manifest

SCRIPT = Path(__file__).resolve().parents[2] / "dataset_tools" / "convert_dataset.py"
CARTOON = "source/personai_icartoonface_rec"
CARTOON_TRAIN = f"{CARTOON}train/icartoonface_rectrain/personai_icartoonface_rectrain_"
CARTOON_TEST = f"{CARTOON}test/icartoonface_rectest/personai_icartoonface_rectest_000000"
BLOUSES = "source/Img/img/WOMEN/Blouses_Shirts"

# Written by hand from the miniatures: label names, then the rows of each list.
EXPECTED = {
    "SOP": (
        ["2", "10", "11319"],
        {
            "train": [
                "source/bicycle_final/111085122871_0.JPG 1",
                "source/bicycle_final/111085122871_1.JPG 1",
                "source/chair_final/222_0.JPG 0",
            ],
            "gallery": ["source/chair_final/333_0.JPG 2", "source/chair_final/333_1.JPG 2"],
            "query": ["source/chair_final/333_0.JPG 2", "source/chair_final/333_1.JPG 2"],
        },
    ),
    "Inshop": (
        ["id_00000002", "id_00000001"],
        {
            "train": [
                f"{BLOUSES}/id_00000002/02_1_front.jpg 0",
                f"{BLOUSES}/id_00000002/02_2_front.jpg 0",
            ],
            "gallery": [f"{BLOUSES}/id_00000001/02_2_front.jpg 1"],
            "query": [f"{BLOUSES}/id_00000001/02_1_front.jpg 1"],
        },
    ),
    "VeRI-Wild": (
        ["00002", "00010", "40001"],
        {
            "train": [
                "source/images/00010/000001.jpg 1",
                "source/images/00010/000002.jpg 1",
                "source/images/00002/000003.jpg 0",
            ],
            "gallery": ["source/images/40001/000004.jpg 2"],
            "query": ["source/images/40001/000005.jpg 2"],
        },
    ),
    "GLDv2": (
        ["17", "index/17", "index/3"],
        {
            "train": [
                "source/train/0/1/2/0123456789abcdef.jpg 0",
                "source/train/f/f/f/ffff000011112222.jpg 0",
            ],
            "gallery": [
                "source/index/1/1/1/1111111111111111.jpg 1",
                "source/index/2/2/2/2222222222222222.jpg 1",
                "source/index/3/3/3/3333333333333333.jpg 2",
            ],
            "query": ["source/test/a/a/a/aaaaaaaaaaaaaaaa.jpg 1"],
        },
    ),
    "Aliproduct": (
        ["00000", "00001"],
        {
            "train": [
                "source/train/00000/11.jpg 0",
                "source/train/00001/13.jpg 1",
                "source/train/00000/12.png 0",
            ],
            "gallery": ["source/val/00001/21.jpg 1", "source/val/00001/22.jpg 1"],
            "query": ["source/val/00001/21.jpg 1", "source/val/00001/22.jpg 1"],
        },
    ),
    "LogoDet-3K": (
        ["Clothes/2xist", "Food/76", "Others/76"],
        {
            "train": [
                "crops/Clothes/2xist/1_2_3_12_13.jpg 0",
                "crops/Clothes/2xist/1_5_6_30_36.jpg 0",
                "crops/Clothes/2xist/2_0_0_40_40.jpg 0",
                "crops/Food/76/1_10_10_20_30.jpg 1",
                "crops/Others/76/1_1_1_9_9.jpg 2",
            ]
        },
    ),
    "iCartoonFace": (
        [
            "personai_icartoonface_rectrain_00001",
            "personai_icartoonface_rectrain_00003",
            "test/-1",
            "test/12",
        ],
        {
            "train": [
                f"{CARTOON_TRAIN}00003/personai_icartoonface_rectrain_00003_0000000.jpg 1",
                f"{CARTOON_TRAIN}00003/personai_icartoonface_rectrain_00003_0000001.jpg 1",
                f"{CARTOON_TRAIN}00001/personai_icartoonface_rectrain_00001_0000000.jpg 0",
            ],
            "gallery": [
                f"{CARTOON_TEST}0.jpg 3",
                f"{CARTOON_TEST}1.jpg 2",
                f"{CARTOON_TEST}3.jpg 2",
            ],
            "query": [f"{CARTOON_TEST}2.jpg 3"],
        },
    ),
    "DeepFashion2": (
        ["train/77/1", "train/77/2", "validation/77/1", "validation/77/4"],
        {
            "train": [
                "crops/train/image/000001_1_2_21_30.jpg 0",
                "crops/train/image/000002_1_2_21_30.jpg 0",
                "crops/train/image/000002_2_2_22_30.jpg 1",
            ],
            "gallery": ["crops/validation/image/000002_1_2_21_30.jpg 2"],
            "query": ["crops/validation/image/000001_1_2_21_30.jpg 2"],
        },
    ),
    "ImageFolder": (
        ["apple pie", "beignets"],
        {
            "train": [
                "source/apple pie/1.jpg\t0",
                "source/apple pie/2.jpg\t0",
                "source/beignets/7.png 1",
            ]
        },
    ),
}  # fmt: skip

LEFT_OUT = {
    "GLDv2": [
        "1 x query: the solution ignores it",
        "1 x query: its relevant pictures show several",
    ],
    "LogoDet-3K": ["1 x annotation without a box", "1 x picture without an annotation"],
    "iCartoonFace": ["1 x pair of the official score"],
    "DeepFashion2": ["1 x clothing of style 0", "1 x query of a class that the gallery does not"],
    "ImageFolder": ["1 x picture in no class folder"],
}


def convert(name, tmp_path, *options, draw=None, output="lists"):
    root = tmp_path / "native"
    if not root.exists():
        (draw or MINIATURES[name])(root)
    arguments = ["--from", name, "--root", str(root), "--output", str(tmp_path / output)]
    return main([*arguments, *options]), tmp_path / output


def lists_of(folder):
    return {
        name: (folder / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        for name in ("train", "gallery", "query")
        if (folder / f"{name}.txt").exists()
    }


def pictures_of(folder, columns=DEFAULT_COLUMNS):
    for name in lists_of(folder):
        manifest = read_manifest(folder / f"{name}.txt", root=folder, split=name, columns=columns)
        assert manifest.problems == []
        for sample in manifest.samples:
            yield manifest.resolve(sample)


def names_of(folder):
    names = json.loads((folder / "label_names.json").read_text(encoding="utf-8"))
    assert list(names) == [str(number) for number in range(len(names))]
    return list(names.values())


def test_every_dataset_has_a_miniature():
    assert set(DATASETS) == set(MINIATURES) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_lists_of_the_miniature(name, tmp_path, capsys):
    code, folder = convert(name, tmp_path)
    out = capsys.readouterr().out
    assert code == 0
    names, lists = EXPECTED[name]
    assert lists_of(folder) == lists
    assert names_of(folder) == names
    assert all(picture.is_file() for picture in pictures_of(folder))
    for reason in LEFT_OUT.get(name, []):
        assert reason in out
    assert out.count("left out") == len(LEFT_OUT.get(name, []))
    assert str(folder / "train.txt") in out


@pytest.mark.parametrize("name", EXPECTED)
def test_a_second_run_writes_the_same_and_makes_no_picture_anew(name, tmp_path):
    _, folder = convert(name, tmp_path)
    before = {path: path.stat() for path in folder.rglob("*") if path.is_file()}
    first = lists_of(folder)
    code, _ = convert(name, tmp_path)
    assert code == 0
    assert lists_of(folder) == first
    for path, was in before.items():
        if path.suffix == ".jpg":
            assert path.stat().st_ino == was.st_ino


def test_lists_can_stand_in_the_dataset_itself(tmp_path):
    MINIATURES["SOP"](tmp_path / "native")
    assert main(["--from", "sop", "--root", str(tmp_path / "native")]) == 0
    expected = [row.removeprefix("source/") for row in EXPECTED["SOP"][1]["train"]]
    assert lists_of(tmp_path / "native")["train"] == expected
    assert not (tmp_path / "native" / "source").exists()


def test_pictures_can_be_copied(tmp_path):
    _, folder = convert("SOP", tmp_path, "--pictures", "copy")
    assert not (folder / "source").is_symlink()
    for picture in pictures_of(folder):
        original = tmp_path / "native" / picture.relative_to(folder / "source")
        assert picture.read_bytes() == original.read_bytes()
    copy = folder / "source" / "bicycle_final" / "111085122871_0.JPG"
    copy.write_bytes(copy.read_bytes()[:20])
    assert convert("SOP", tmp_path, "--pictures", "copy")[0] == 0
    assert copy.stat().st_size > 20


class TestCrops:
    def test_pixels_are_those_of_the_box(self, tmp_path):
        root = tmp_path / "native"
        MINIATURES["LogoDet-3K"](root)
        pixels = np.zeros((40, 40, 3), np.uint8)
        pixels[6:36, 5:30] = (200, 40, 90)
        Image.fromarray(pixels).save(root / "Clothes/2xist/1.jpg", quality=100, subsampling=0)
        _, folder = convert("LogoDet-3K", tmp_path)
        crop = read_rgb(folder / "crops/Clothes/2xist/1_5_6_30_36.jpg")
        assert crop.shape == (30, 25, 3)
        inner = crop[2:-2, 2:-2].reshape(-1, 3).astype(int)
        assert np.abs(inner - (200, 40, 90)).max() <= 6

    def test_a_margin_widens_to_the_edge_and_has_a_folder_of_its_own(self, tmp_path):
        convert("LogoDet-3K", tmp_path)
        code, folder = convert("LogoDet-3K", tmp_path, "--margin", "0.25")
        assert code == 0
        # Box (10, 10, 20, 30) grows by 2.5 and 5; box (2, 3, 12, 13) by 2.5, to -0.5 and 14.5.
        assert read_rgb(folder / "crops_m25/Food/76/1_10_10_20_30.jpg").shape == (30, 16, 3)
        assert read_rgb(folder / "crops_m25/Clothes/2xist/1_2_3_12_13.jpg").shape == (16, 15, 3)
        assert read_rgb(folder / "crops/Food/76/1_10_10_20_30.jpg").shape == (20, 10, 3)

    def test_quality_is_95(self, tmp_path):
        _, folder = convert("LogoDet-3K", tmp_path)
        reference = tmp_path / "reference.jpg"
        Image.new("RGB", (8, 8)).save(reference, quality=95)
        with (
            Image.open(folder / "crops/Clothes/2xist/2_0_0_40_40.jpg") as crop,
            Image.open(reference) as expected,
        ):
            assert crop.quantization == expected.quantization

    def test_the_largest_box_only(self, tmp_path):
        _, folder = convert("LogoDet-3K", tmp_path, "--variant", "largest")
        expected = [row for row in EXPECTED["LogoDet-3K"][1]["train"] if "1_2_3_12_13" not in row]
        assert lists_of(folder)["train"] == expected

    def test_whole_pictures_give_a_row_each(self, tmp_path, capsys):
        _, folder = convert("LogoDet-3K", tmp_path, "--crop", "no")
        assert lists_of(folder)["train"] == [
            "source/Clothes/2xist/1.jpg 0",
            "source/Clothes/2xist/2.jpg 0",
            "source/Food/76/1.jpg 1",
            "source/Others/76/1.jpg 2",
        ]
        assert "1 x further box of a whole picture" in capsys.readouterr().out

    def test_a_whole_picture_of_two_classes_is_left_out(self, tmp_path, capsys):
        _, folder = convert("DeepFashion2", tmp_path, "--crop", "no")
        assert lists_of(folder)["train"] == ["source/train/image/000001.jpg 0"]
        assert "2 x row of a picture that shows several classes" in capsys.readouterr().out

    def test_boxes_of_inshop_belong_to_their_pictures(self, tmp_path):
        _, folder = convert("Inshop", tmp_path, "--crop", "yes")
        base = "crops/Img/img/WOMEN/Blouses_Shirts"
        assert lists_of(folder)["train"] == [
            f"{base}/id_00000002/02_1_front_3_2_23_32.jpg 0",
            f"{base}/id_00000002/02_2_front_4_2_24_32.jpg 0",
        ]

    def test_a_box_outside_of_its_picture(self, tmp_path, capsys):
        root = tmp_path / "native"
        MINIATURES["DeepFashion2"](root)
        file = root / "train/annos/000001.json"
        file.write_text(file.read_text().replace("[1, 2, 21, 30]", "[50, 2, 70, 30]"))
        assert convert("DeepFashion2", tmp_path)[0] == 2
        err = capsys.readouterr().err
        assert "000001.json: the box (50.0, 2.0, 70.0, 30.0) is outside of" in err
        assert "40 x 40 pixels" in err


class TestVariants:
    def test_gldv2_full(self, tmp_path):
        _, folder = convert("GLDv2", tmp_path, "--variant", "full")
        assert lists_of(folder)["train"] == [
            "source/train/0/1/2/0123456789abcdef.jpg 1",
            "source/train/a/1/b/a1b2c3d4e5f60718.jpg 0",
            "source/train/f/f/f/ffff000011112222.jpg 1",
        ]
        assert names_of(folder)[:2] == ["5", "17"]

    def test_gldv2_without_the_retrieval_task_is_train_alone(self, tmp_path, capsys):
        root = tmp_path / "native"
        MINIATURES["GLDv2"](root)
        (root / "metadata" / "retrieval_solution_v2.1.csv").unlink()
        _, folder = convert("GLDv2", tmp_path)
        assert set(lists_of(folder)) == {"train"}
        assert "gallery and query: no index_image_to_landmark.csv" in capsys.readouterr().out

    def test_veri_wild_second_release_ignores_its_renumbered_labels(self, tmp_path):
        _, folder = convert("VeRI-Wild", tmp_path, draw=veri_wild_second_release)
        assert (names_of(folder), lists_of(folder)) == EXPECTED["VeRI-Wild"]

    @pytest.mark.parametrize(
        ("draw", "cameras"),
        [(MINIATURES["VeRI-Wild"], ["31", "32", "33"]), (veri_wild_second_release, ["7"] * 3)],
    )
    def test_cameras(self, tmp_path, draw, cameras):
        code, folder = convert("VeRI-Wild", tmp_path, "--cameras", draw=draw)
        assert code == 0
        rows = [row.split() for row in lists_of(folder)["train"]]
        assert [row[2] for row in rows] == cameras
        assert all(picture.is_file() for picture in pictures_of(folder, CAMERA_COLUMNS))

    def test_a_dataset_without_cameras(self, tmp_path, capsys):
        assert convert("SOP", tmp_path, "--cameras")[0] == 2
        assert "has no camera; leave --cameras out" in capsys.readouterr().err

    def test_aliproduct_without_its_val(self, tmp_path, capsys):
        root = tmp_path / "native"
        MINIATURES["Aliproduct"](root)
        (root / "val.json").unlink()
        code, folder = convert("Aliproduct", tmp_path)
        assert (code, set(lists_of(folder))) == (0, {"train"})
        assert "gallery and query: no val.json" in capsys.readouterr().out

    def test_icartoonface_without_its_test(self, tmp_path, capsys):
        root = tmp_path / "native"
        MINIATURES["iCartoonFace"](root)
        (root / "icartoonface_rectest_info.txt").unlink()
        _, folder = convert("iCartoonFace", tmp_path)
        assert set(lists_of(folder)) == {"train"}
        assert "no icartoonface_rectest_info.txt" in capsys.readouterr().out


# Dataset, the file to spoil, what to replace in it, and the place and reason that must be named.
SPOILED = [
    ("SOP", "Ebay_train.txt", "2 10 1 ", "2 10 ", "Ebay_train.txt:3: 3 fields, expected 4"),
    ("Inshop", "Eval/list_eval_partition.txt", "query", "test", ":3: the status is 'test'"),
    ("Inshop", "Eval/list_eval_partition.txt", "4\n", "9\n", ":1: 9 rows are promised and 4 are"),
    ("Inshop", "Anno/list_bbox_inshop.txt", "001 002", "099 002", ":3: the box"),
    (
        "VeRI-Wild",
        "train_test_split/train_list.txt",
        "00002/",
        "00002",
        "train_list.txt:3: expected",
    ),
    (
        "VeRI-Wild",
        "train_test_split/vehicle_info.txt",
        ";32;2018-03-13 14:05:23;Audi;SUV;black",
        "",
        "vehicle_info.txt:3: expected id/image;camera",
    ),
    ("GLDv2", "train_clean.csv", "17,", "x,", "train_clean.csv:2: "),
    ("GLDv2", "train_clean.csv", "ffff000011112222", "ff/f", ":2: 'ff/f' is no picture id"),
    ("GLDv2", "metadata/retrieval_solution_v2.1.csv", ",Ignored", "", ":4: 2 fields, expected 3"),
    ("GLDv2", "metadata/retrieval_solution_v2.1.csv", " 2222", " 9222", ":2: a relevant picture"),
    ("Aliproduct", "train.json", '"image_id": "13.jpg"', '"id": 7', "train.json: images[1] is"),
    ("LogoDet-3K", "Food/76/1.xml", "<xmin>10<", "<xmin>ten<", "1.xml: the box is ['ten', '10'"),
    ("LogoDet-3K", "Food/76/1.xml", "<size>", "", "1.xml: not XML: "),
    ("LogoDet-3K", "Food/76/1.xml", "<annotation>", "<!DOCTYPE a><annotation>", "document type"),
    (
        "iCartoonFace",
        "personai_icartoonface_rectrain/icartoonface_rectrain_det.txt",
        "\t1\t2\t21\t32",
        "\t1\t2\t21",
        "rectrain_det.txt:2: 4 fields, expected 5",
    ),
    ("iCartoonFace", "icartoonface_rectest_info.txt", "30 30 -1", "30 -1", "info.txt:2: 5 fields"),
    ("DeepFashion2", "train/annos/000001.json", '"user"', '"web"', "source is 'web'"),
    (
        "DeepFashion2",
        "train/annos/000001.json",
        '"style": 1',
        '"style": "1"',
        "item1 has style '1'",
    ),
    (
        "DeepFashion2",
        "train/annos/000001.json",
        "[1, 2, 21, 30]",
        "[1, 2, 21]",
        "item1: the box is",
    ),
    ("DeepFashion2", "train/annos/000001.json", "{", "", "000001.json:1: not JSON"),
    ("DeepFashion2", "train/annos/000001.json", "21, 30]", "Infinity, 30]", "is not finite"),
    # A path that leaves the dataset would be read, and cut or copied to a place outside of output.
    (
        "SOP",
        "Ebay_train.txt",
        "chair_final/",
        "../chair_final/",
        "Ebay_train.txt:4: ../chair_final",
    ),
    (
        "Aliproduct",
        "train.json",
        "13.jpg",
        "../../../13.jpg",
        "train.json: train/00001/../../../13",
    ),
]


@pytest.mark.parametrize(("name", "file", "old", "new", "message"), SPOILED)
def test_a_bad_row_is_named_and_nothing_is_written(name, file, old, new, message, tmp_path, capsys):
    root = tmp_path / "native"
    MINIATURES[name](root)
    text = (root / file).read_text(encoding="utf-8")
    assert old in text
    (root / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    code, folder = convert(name, tmp_path)
    err = capsys.readouterr().err
    assert code == 2
    assert message in err
    assert "Bad rows: 1" in err
    assert lists_of(folder) == {}
    code, folder = convert(name, tmp_path, "--keep-going")
    assert code == 0
    assert message in capsys.readouterr().out
    record = json.loads((folder / "conversion.json").read_text(encoding="utf-8"))
    assert record["problems"]["count"] == 1
    assert message in record["problems"]["first"][0]


def test_missing_pictures_are_counted_and_named(tmp_path, capsys):
    root = tmp_path / "native"
    MINIATURES["SOP"](root)
    (root / "bicycle_final/111085122871_1.JPG").unlink()
    code, folder = convert("SOP", tmp_path)
    err = capsys.readouterr().err
    assert code == 2
    assert "Missing pictures: 1" in err
    assert "Ebay_train.txt:3: bicycle_final/111085122871_1.JPG does not exist" in err
    assert lists_of(folder) == {}
    assert convert("SOP", tmp_path, "--keep-going")[0] == 0
    assert "Missing pictures, not in the lists: 1" in capsys.readouterr().out
    assert lists_of(folder)["train"] == [
        row for row in EXPECTED["SOP"][1]["train"] if "_1.JPG" not in row
    ]


def test_missing_and_damaged_pictures_to_cut_from(tmp_path, capsys):
    root = tmp_path / "native"
    MINIATURES["LogoDet-3K"](root)
    (root / "Food/76/1.jpg").unlink()
    (root / "Others/76/1.jpg").write_bytes(b"not a picture")
    assert convert("LogoDet-3K", tmp_path)[0] == 2
    err = capsys.readouterr().err
    assert "Food/76/1.jpg does not exist" in err
    assert "Others/76/1.xml: " in err


def test_many_faults_are_counted_and_the_first_named(tmp_path, capsys):
    root = tmp_path / "native"
    MINIATURES["SOP"](root)
    rows = [f"{n} {n} 1 bicycle_final/gone_{n}.JPG" for n in range(30)]
    write(root / "Ebay_train.txt", "image_id class_id super_class_id path", *rows)
    assert convert("SOP", tmp_path)[0] == 2
    err = capsys.readouterr().err
    assert "Missing pictures: 30" in err
    assert "gone_19.JPG" in err
    assert "gone_20.JPG" not in err
    assert "and 10 more" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "SOPP"], "Unknown dataset 'SOPP'. Did you mean 'SOP'?"),
        (["--from", "SOP", "--crop", "yes"], "SOP has no boxes"),
        (["--from", "SOP", "--margin", "0.1"], "add --crop yes"),
        (["--from", "LogoDet-3K", "--margin", "-1"], "--margin must be 0 or more, got -1"),
        (["--from", "LogoDet-3K", "--margin", "nan"], "--margin must be 0 or more, got nan"),
        (["--from", "GLDv2", "--variant", "dirty"], "known: clean, full"),
        (["--from", "SOP", "--variant", "x"], "SOP has no variant 'x'; known: none"),
        *(([f"--from={name}"], "") for name in EXPECTED),
    ],
)
def test_mistakes_end_with_a_plain_message(arguments, message, tmp_path, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert main([*arguments, "--root", str(empty), "--output", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert message in err
    assert (
        main([*arguments, "--root", str(tmp_path / "gone"), "--output", str(tmp_path / "out")]) == 2
    )
    assert lists_of(tmp_path / "out") == {}


def test_another_header_is_another_format(tmp_path, capsys):
    root = tmp_path / "native"
    MINIATURES["SOP"](root)
    write(root / "Ebay_train.txt", "id label", "1 2")
    assert convert("SOP", tmp_path)[0] == 2
    assert "Ebay_train.txt:1: the header is 'id label'; expected" in capsys.readouterr().err


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path):
    root = tmp_path / "native"
    MINIATURES["SOP"](root)
    text = (root / "Ebay_train.txt").read_text(encoding="utf-8").replace("\n", "\r\n")
    (root / "Ebay_train.txt").write_bytes(text.encode("utf-8-sig"))
    _, folder = convert("SOP", tmp_path)
    assert lists_of(folder) == EXPECTED["SOP"][1]


def test_a_table_in_another_encoding(tmp_path, capsys):
    root = tmp_path / "native"
    MINIATURES["SOP"](root)
    with (root / "Ebay_train.txt").open("ab") as file:
        file.write("4 4 4 Stühle/1.JPG\n".encode("latin-1"))
    assert convert("SOP", tmp_path)[0] == 2
    assert "Ebay_train.txt:5: not UTF-8" in capsys.readouterr().err


def test_a_name_that_a_list_cannot_carry(tmp_path, capsys):
    root = tmp_path / "native"
    MINIATURES["ImageFolder"](root)
    (root / "beignets" / "7.png").rename(root / "beignets" / "7\t.png")
    assert convert("ImageFolder", tmp_path)[0] == 2
    err = capsys.readouterr().err
    assert "Bad rows: 1" in err
    assert "the path holds a tab, which a list cannot carry" in err
    assert convert("ImageFolder", tmp_path, "--keep-going")[0] == 0


def test_a_list_that_has_no_row_any_more_goes(tmp_path):
    _, folder = convert("GLDv2", tmp_path)
    assert set(lists_of(folder)) == {"train", "gallery", "query"}
    (tmp_path / "native" / "metadata" / "retrieval_solution_v2.1.csv").unlink()
    assert convert("GLDv2", tmp_path)[0] == 0
    assert set(lists_of(folder)) == {"train"}


def test_a_run_that_fails_half_way_leaves_no_record_of_a_whole_one(tmp_path):
    _, folder = convert("SOP", tmp_path)
    assert "dataset" in json.loads((folder / "conversion.json").read_text(encoding="utf-8"))
    assert convert("SOP", tmp_path, "--cameras")[0] == 2
    assert "dataset" not in json.loads((folder / "conversion.json").read_text(encoding="utf-8"))
    assert convert("SOP", tmp_path)[0] == 0


def test_lists_of_somebody_else_are_kept(tmp_path, capsys):
    folder = tmp_path / "lists"
    write(folder / "train.txt", "a.jpg 1")
    assert convert("SOP", tmp_path)[0] == 2
    assert "has train.txt already; --force replaces them" in capsys.readouterr().err
    assert lists_of(folder) == {"train": ["a.jpg 1"]}
    assert convert("SOP", tmp_path, "--force")[0] == 0
    assert lists_of(folder) == EXPECTED["SOP"][1]


def test_a_link_to_another_place_is_not_replaced(tmp_path, capsys):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "source").symlink_to(tmp_path)
    assert convert("SOP", tmp_path)[0] == 2
    assert "exists already and is not a link to" in capsys.readouterr().err


def test_an_output_that_is_a_file(tmp_path, capsys):
    write(tmp_path / "lists", "a file")
    assert convert("SOP", tmp_path)[0] == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_as_a_script_from_anywhere(tmp_path):
    MINIATURES["SOP"](tmp_path / "native")
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "--from", "SOP", "--root", "native", "--output", "lists"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "3 rows          2 classes" in run.stdout
    shown = subprocess.run(
        [sys.executable, str(SCRIPT), "--help"], capture_output=True, text=True, check=True
    )
    assert all(name in shown.stdout for name in DATASETS)
