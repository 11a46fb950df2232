"""Kinds of findings about one picture."""

from toolkit.audit.code import Code

IMAGE_CODES = (
    Code(
        "image.missing",
        "error",
        "The file of a row does not exist.",
        "Restore the file, correct the path (relative to the dataset's folder), or delete the row.",
        drop="rows",
    ),
    Code(
        "image.outside_root",
        "error",
        "The path of a row leads out of the dataset's folder; the file is not opened.",
        "Move the picture into the dataset's folder and write a relative path.",
        drop="rows",
    ),
    Code(
        "image.unreadable",
        "error",
        "The file cannot be opened, or its contents are damaged.",
        "Check its permissions, fetch it again, or delete the row.",
        drop="rows",
    ),
    Code(
        "image.truncated",
        "error",
        "The file ends before the picture does.",
        "Fetch the file again, or delete the row.",
        drop="rows",
    ),
    Code(
        "image.zero_bytes",
        "error",
        "The file is empty.",
        "Fetch the file again, or delete the row.",
        drop="rows",
    ),
    Code(
        "image.not_an_image",
        "error",
        "The contents are no picture format, whatever the suffix says.",
        "Replace the file by the picture, or delete the row.",
        drop="rows",
    ),
    Code(
        "image.bomb",
        "error",
        "The header promises more pixels than a picture should have; it is not decoded.",
        "Shrink the picture, or raise CheckDataset.thresholds.max_pixels if it is wanted.",
        option="max_pixels",
        drop="rows",
    ),
    Code(
        "image.too_small",
        "warning",
        "The shorter side has very few pixels. No other remark on looks is made on it.",
        "Replace it by a larger picture, or delete the row.",
        option="min_side",
    ),
    Code(
        "image.extreme_aspect",
        "warning",
        "The picture is a thin strip; resizing it to a square destroys it.",
        "Crop or pad it, or delete the row.",
        option="max_aspect",
    ),
    Code(
        "image.dark",
        "warning",
        "Nearly all pixels are black: the 99th percentile of brightness is below the threshold.",
        "Replace it by a picture with more light, or delete the row.",
        option="dark",
    ),
    Code(
        "image.light",
        "warning",
        "Nearly all pixels are white: the 1st percentile of brightness is above the threshold. "
        "A drawing with thin dark strokes is not meant.",
        "Replace it by a picture with less light, or delete the row.",
        option="light",
    ),
    Code(
        "image.low_information",
        "warning",
        "The picture is next to one flat colour: its thumbnail hardly varies.",
        "Look whether it shows anything; delete the row if not.",
        option="low_information",
    ),
    Code(
        "image.blurred",
        "warning",
        "No sharp edge anywhere: the variance of the Laplacian is below the threshold.",
        "Replace it by a sharp picture, or delete the row.",
        option="blur",
    ),
    Code(
        "image.odd_size",
        "warning",
        "The picture is much larger or smaller than the usual one of its dataset, beyond the "
        "spread that the sizes have.",
        "Look where it comes from; thumbnails among photographs are a frequent cause.",
        option="odd_size",
    ),
    Code(
        "image.cmyk",
        "info",
        "The picture is CMYK (made for print). It is converted to RGB.",
        "Nothing.",
    ),
    Code(
        "image.sixteen_bit",
        "info",
        "The picture has 16 bits a channel. It is scaled to 8.",
        "Nothing.",
    ),
    Code(
        "image.alpha",
        "info",
        "The picture has an alpha channel. It is laid on white.",
        "Nothing, unless its background matters.",
    ),
    Code(
        "image.grey",
        "info",
        "The picture has no colour. Its three channels are equal.",
        "Nothing.",
    ),
    Code(
        "image.animated",
        "info",
        "The file has several frames or pages. The first is used.",
        "Nothing, unless another frame is wanted.",
    ),
    Code(
        "image.rotated",
        "info",
        "EXIF says that the picture is to be turned. It is turned everywhere.",
        "Nothing; note that tools which ignore EXIF show it lying.",
    ),
    Code(
        "image.dim",
        "info",
        "Pictures of a list have no bright spot, and are not so dark that it is a warning. One "
        "finding names all of them.",
        "Look at some of them.",
        option="dim",
    ),
    Code(
        "image.pale",
        "info",
        "Pictures of a list are nearly white, as drawings are. One finding names all of them.",
        "Nothing for drawings; otherwise look at some of them.",
        option="pale",
    ),
    Code(
        "image.plain",
        "info",
        "Pictures of a list have few different grey values (low entropy), as drawings and logos "
        "have. One finding names all of them.",
        "Nothing for drawings; otherwise look at some of them.",
        option="plain",
    ),
    Code(
        "image.soft",
        "info",
        "Pictures of a list have few edges even when they are shrunk to 64 pixels. One finding "
        "names all of them.",
        "Look at some of them: they may be blurred.",
        option="soft",
    ),
    Code(
        "image.elongated",
        "info",
        "Pictures of a list are much longer than wide, or wider than long. One finding names all "
        "of them.",
        "Nothing; resizing to a square squeezes them.",
        option="elongated",
    ),
    Code(
        "image.uncommon_size",
        "info",
        "Pictures of a list have a size outside of the spread that most of the dataset have. When "
        "most have the same size, every other size is uncommon. One finding names all of them.",
        "Nothing, unless the sizes should be equal.",
        option="size_fence",
    ),
)
