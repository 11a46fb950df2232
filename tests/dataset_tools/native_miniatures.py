"""Draws each public dataset in its native layout, with a handful of pictures.

Layouts: see the docstrings of dataset_tools/native/, which name their sources.
"""

import json
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 40


def draw(file: Path, *, width: int = SIDE, height: int = SIDE) -> None:
    """Noise that depends on the file's name, so that no two pictures are alike."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(zlib.crc32(file.as_posix().encode()))
    Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(file)


def draw_all(root: Path, *names: str) -> None:
    for name in names:
        draw(root / name)


def write(file: Path, *lines: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def sop(root: Path) -> None:
    names = ["bicycle_final/111085122871_0.JPG", "bicycle_final/111085122871_1.JPG"]
    names += ["chair_final/222_0.JPG", "chair_final/333_0.JPG", "chair_final/333_1.JPG"]
    draw_all(root, *names)
    header = "image_id class_id super_class_id path"
    rows = [f"{n + 1} {c} {s} {name}" for n, (c, s, name) in enumerate(
        zip((10, 10, 2, 11319, 11319), (1, 1, 2, 2, 2), names, strict=True)
    )]  # fmt: skip
    write(root / "Ebay_train.txt", header, *rows[:3])
    write(root / "Ebay_test.txt", header, *rows[3:])


def inshop(root: Path) -> None:
    base = "img/WOMEN/Blouses_Shirts"
    names = [f"{base}/id_0000000{n}/02_{k}_front.jpg" for n in (1, 2) for k in (1, 2)]
    draw_all(root / "Img", *names)
    write(
        root / "Eval" / "list_eval_partition.txt",
        "4",
        "image_name item_id evaluation_status",
        # The official file pads its columns with blanks.
        f"{names[0]}          id_00000001 query",
        f"{names[1]}          id_00000001 gallery",
        f"{names[2]}          id_00000002 train",
        f"{names[3]}          id_00000002 train",
    )
    write(
        root / "Anno" / "list_bbox_inshop.txt",
        "4",
        "image_name clothes_type pose_type x_1 y_1 x_2 y_2",
        *(f"{name} 1 1 {n + 1:03d} 002 {n + 21:03d} 032" for n, name in enumerate(names)),
    )


def veri_wild(root: Path) -> None:
    names = ["00010/000001", "00010/000002", "00002/000003", "40001/000004", "40001/000005"]
    draw_all(root / "images", *(f"{name}.jpg" for name in names))
    split = root / "train_test_split"
    write(split / "train_list.txt", *names[:3])
    write(split / "test_3000.txt", f"{names[3]}.jpg")
    write(split / "test_3000_query.txt", f"{names[4]}.jpg")
    write(
        split / "vehicle_info.txt",
        "id/image;Camera ID;Time;Model;Type;Color",
        *(f"{name};{n + 31};2018-03-13 14:05:23;Audi;SUV;black" for n, name in enumerate(names)),
    )


def veri_wild_second_release(root: Path) -> None:
    veri_wild(root)
    split = root / "train_test_split"
    for old, new, labels in (
        ("train_list.txt", "train_list_start0.txt", (0, 0, 1)),
        ("test_3000.txt", "test_3000_id.txt", (40001,)),
        ("test_3000_query.txt", "test_3000_id_query.txt", (40001,)),
    ):
        rows = [row.removesuffix(".jpg") for row in (split / old).read_text().split()]
        pairs = zip(rows, labels, strict=True)
        write(split / new, *(f"{row}.jpg {label} 7" for row, label in pairs))
        (split / old).unlink()


def gldv2(root: Path) -> None:
    train = ["0123456789abcdef", "a1b2c3d4e5f60718", "ffff000011112222"]
    index = ["1111111111111111", "2222222222222222", "3333333333333333"]
    test = ["aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "cccccccccccccccc"]
    for folder, ids in (("train", train), ("index", index), ("test", test)):
        draw_all(root / folder, *(f"{i[0]}/{i[1]}/{i[2]}/{i}.jpg" for i in ids))
    write(
        root / "train.csv",
        "id,url,landmark_id",
        f"{train[0]},https://upload.wikimedia.org/a.jpg,17",
        f'{train[1]},"https://upload.wikimedia.org/b,_c.jpg",5',
        f"{train[2]},http://static.panoramio.com/c.jpg,17",
    )
    write(root / "train_clean.csv", "landmark_id,images", f"17,{train[0]} {train[2]}")
    write(
        root / "metadata" / "index_image_to_landmark.csv",
        "id,landmark_id", f"{index[0]},17", f"{index[1]},17", f"{index[2]},3",
    )  # fmt: skip
    write(
        root / "metadata" / "retrieval_solution_v2.1.csv",
        "id,images,Usage",
        f"{test[0]},{index[0]} {index[1]},Public",
        f"{test[1]},{index[0]} {index[2]},Private",
        f"{test[2]},None,Ignored",
    )


def aliproduct(root: Path) -> None:
    draw_all(root, "train/00000/11.jpg", "train/00001/13.jpg", "train/00000/12.png")
    draw_all(root, "val/00001/21.jpg", "val/00001/22.jpg")
    for part, pairs in (
        ("train", [("11.jpg", "00000"), ("13.jpg", "00001"), ("12.png", "00000")]),
        ("val", [("21.jpg", 1), ("22.jpg", 1)]),
    ):
        images = [{"image_id": image, "class_id": label} for image, label in pairs]
        text = json.dumps({"images": images, "info": {"year": 2020}})
        (root / f"{part}.json").write_text(text, encoding="utf-8")


def voc(name: str, *boxes: tuple[int, int, int, int]) -> str:
    things = "".join(
        f"<object><name>{name}</name><pose>Unspecified</pose><difficult>0</difficult><bndbox>"
        f"<xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for a, b, c, d in boxes
    )
    size = f"<size><width>{SIDE}</width><height>{SIDE}</height><depth>3</depth></size>"
    return f"<annotation><folder>{name}</folder>{size}{things}</annotation>\n"


def logodet3k(root: Path) -> None:
    draw_all(root, "Clothes/2xist/1.jpg", "Clothes/2xist/2.jpg", "Clothes/2xist/3.jpg")
    draw_all(root, "Food/76/1.jpg", "Food/76/2.jpg", "Others/76/1.jpg")
    for name, boxes in (
        ("Clothes/2xist/1", [(2, 3, 12, 13), (5, 6, 30, 36)]),
        ("Clothes/2xist/2", [(0, 0, 40, 40)]),
        ("Clothes/2xist/3", []),
        ("Food/76/1", [(10, 10, 20, 30)]),
        ("Others/76/1", [(1, 1, 9, 9)]),
    ):
        brand = name.split("/")[1]
        (root / f"{name}.xml").write_text(voc(brand, *boxes), encoding="utf-8")


def icartoonface(root: Path) -> None:
    train = root / "personai_icartoonface_rectrain"
    prefix = "personai_icartoonface_rectrain_"
    names = [f"{prefix}0000{c}/{prefix}0000{c}_000000{n}.jpg" for c, n in ((3, 0), (3, 1), (1, 0))]
    draw_all(train / "icartoonface_rectrain", *names)
    rows = [f"{name}\t{n}\t2\t{n + 20}\t32" for n, name in enumerate(names)]
    write(train / "icartoonface_rectrain_det.txt", *rows)
    test = root / "personai_icartoonface_rectest" / "icartoonface_rectest"
    tests = [f"personai_icartoonface_rectest_000000{n}.jpg" for n in range(4)]
    draw_all(test, *tests)
    write(
        root / "icartoonface_rectest_info.txt",
        f"{tests[0]} 1 1 30 30 12",
        f"{tests[1]} 1 1 30 30 -1",
        f"{tests[2]} 1 1 30 30 12",
        f"{tests[3]} 1 1 30 30 -1",
        f"{tests[0]} {tests[2]}",
    )


def deepfashion2(root: Path) -> None:
    for part, number, source, styles in (
        ("train", 1, "user", (1, 0)),
        ("train", 2, "shop", (1, 2)),
        ("validation", 1, "user", (1,)),
        ("validation", 2, "shop", (1,)),
        ("validation", 3, "user", (4,)),
    ):
        draw(root / part / "image" / f"{number:06d}.jpg")
        items = {
            f"item{n}": {
                "category_name": "skirt", "category_id": 9, "style": style, "scale": 2,
                "bounding_box": [n, 2, n + 20, 30], "landmarks": [1, 2, 2],
            }
            for n, style in enumerate(styles, start=1)
        }  # fmt: skip
        text = json.dumps({"source": source, "pair_id": 77, **items})
        file = root / part / "annos" / f"{number:06d}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def image_folder(root: Path) -> None:
    draw_all(root, "apple pie/1.jpg", "apple pie/2.jpg", "beignets/7.png", "cover.jpg")


MINIATURES = {
    "SOP": sop,
    "Inshop": inshop,
    "VeRI-Wild": veri_wild,
    "GLDv2": gldv2,
    "Aliproduct": aliproduct,
    "LogoDet-3K": logodet3k,
    "iCartoonFace": icartoonface,
    "DeepFashion2": deepfashion2,
    "ImageFolder": image_folder,
}
