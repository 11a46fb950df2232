"""VERI-Wild: 416,314 pictures of 40,671 vehicles from 174 cameras.

Layout: ``images/<vehicle>/<image>.jpg`` and ``train_test_split/`` with ``train_list.txt``,
``test_3000.txt`` and ``test_3000_query.txt`` (also 5000 and 10000). A row is ``<vehicle>/<image>``;
the lists of the second release (``train_list_start0.txt``, ``test_3000_id.txt``,
``test_3000_id_query.txt``) add a number that is counted anew in each list, and the camera.
``vehicle_info.txt`` has the camera too: ``id/image;Camera ID;Time;Model;Type;Color``. The class is
the vehicle, which is the folder. Test vehicles are in no train list.

Source: Lou et al., "VERI-Wild", CVPR 2019; https://github.com/PKU-IMRE/VERI-Wild, its issue 2 on
the format; the list that PaddleClas's Vehicle configurations name.
"""

from collections.abc import Iterator
from pathlib import Path

from dataset_tools.native.reading import GALLERY, QUERY, TRAIN, find, inside, locate, text_lines
from dataset_tools.native.records import Item, NativeRow
from toolkit.data.convert import SourceProblem

VARIANTS = ("test_3000", "test_5000", "test_10000")


def read_veri_wild(root: Path, variant: str) -> Iterator[Item]:
    """Yields the rows of the train list, of one of three test sets, and of its queries."""
    folder = "train_test_split"
    images = inside(root, locate(root, "images/images", "images"))
    cameras: dict[str, str] = {}
    yield from _read_cameras(root, cameras)
    for lists, names in (
        (TRAIN, ("train_list_start0.txt", "train_list.txt")),
        (GALLERY, (f"{variant}_id.txt", f"{variant}.txt")),
        (QUERY, (f"{variant}_id_query.txt", f"{variant}_query.txt")),
    ):
        file = locate(root, *(f"{folder}/{name}" for name in names), *names)
        for line, text in text_lines(file):
            yield _row(text, line, file, lists=lists, images=images, cameras=cameras)


def _row(
    text: str,
    line: int,
    file: Path,
    *,
    lists: tuple[str, ...],
    images: str,
    cameras: dict[str, str],
) -> Item:
    name, *others = text.split()
    vehicle, slash, image = name.partition("/")
    if not (slash and vehicle and image) or "/" in image or len(others) not in (0, 2):
        expected = "<vehicle>/<image>, or the same with a number and a camera"
        return SourceProblem(file, line, f"expected {expected}: {text!r}")
    image = image.removesuffix(".jpg")
    camera = others[1] if others else cameras.get(f"{vehicle}/{image}")
    return NativeRow(f"{images}/{vehicle}/{image}.jpg", vehicle, lists, file, line, camera=camera)


def _read_cameras(root: Path, cameras: dict[str, str]) -> Iterator[SourceProblem]:
    file = find(root, "train_test_split/vehicle_info.txt", "vehicle_info.txt")
    if file is None:
        return
    for line, text in text_lines(file):
        name, *others = text.split(";")
        if not others:
            yield SourceProblem(file, line, f"expected id/image;camera;...: {text!r}")
        elif line > 1:
            cameras[name.removesuffix(".jpg")] = others[0]
