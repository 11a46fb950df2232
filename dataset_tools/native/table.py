"""The datasets whose native annotations can be converted. A new one is a reader and a line here."""

from collections.abc import Mapping

from dataset_tools.native import gldv2, logodet3k, veri_wild
from dataset_tools.native.aliproduct import read_aliproduct
from dataset_tools.native.deepfashion2 import read_deepfashion2
from dataset_tools.native.icartoonface import read_icartoonface
from dataset_tools.native.image_folder import read_image_folder
from dataset_tools.native.inshop import read_inshop
from dataset_tools.native.records import NativeDataset
from dataset_tools.native.sop import read_sop
from toolkit.errors import DatasetError, nearest

DATASETS: Mapping[str, NativeDataset] = {
    dataset.name: dataset
    for dataset in (
        NativeDataset("Aliproduct", read_aliproduct),
        NativeDataset("GLDv2", gldv2.read_gldv2, gldv2.VARIANTS),
        NativeDataset("VeRI-Wild", veri_wild.read_veri_wild, veri_wild.VARIANTS),
        NativeDataset(
            "LogoDet-3K", logodet3k.read_logodet3k, logodet3k.VARIANTS, has_boxes=True, crops=True
        ),
        NativeDataset("iCartoonFace", read_icartoonface, has_boxes=True),
        NativeDataset("SOP", read_sop),
        NativeDataset("Inshop", read_inshop, has_boxes=True),
        NativeDataset("DeepFashion2", read_deepfashion2, has_boxes=True, crops=True),
        NativeDataset("ImageFolder", read_image_folder),
    )
}


def find_dataset(name: str) -> NativeDataset:
    """Returns a dataset by its name, whatever its case.

    Raises:
        DatasetError: there is no such dataset.
    """
    by_lower = {known.lower(): dataset for known, dataset in DATASETS.items()}
    if name.lower() not in by_lower:
        raise DatasetError(
            f"Unknown dataset {name!r}.{nearest(name, DATASETS)} Known: {', '.join(DATASETS)}."
        )
    return by_lower[name.lower()]
