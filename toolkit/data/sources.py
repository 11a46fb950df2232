"""Whatever a person hands to predict, as one stream of named pictures.

Types are checked before anything is read, so a mistake in a program is an exception where it was
made. Pictures are read one by one when they are asked for, so a bad one is found there and the
stream goes on behind it.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from io import IOBase
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from toolkit.data.decode import DecodeError, decode, read_rgb, rgb_from_pil
from toolkit.data.jpeg import Target
from toolkit.data.manifest import find_images
from toolkit.errors import DatasetError, FetchError, ImageError

Fetch = Callable[[str], bytes]
"""Address -> bytes; raises FetchError."""

Picture = str | os.PathLike[str] | NDArray[np.uint8] | Image.Image | bytes | bytearray | memoryview
"""What one item may be."""

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_ACCEPTED = (
    "a path, a folder, an http(s) address, a uint8 array (BGR), a PIL image, the bytes of an image "
    "file, or a list or iterator of these"
)


@dataclass(frozen=True, slots=True)
class Source:
    """One picture that has not been read yet.

    Attributes:
        name: its path or address, or None for a picture that came from memory.
        load: reads it: uint8 RGB [h, w, 3]; raises ImageError when it cannot be had.
    """

    name: str | None
    load: Callable[[], NDArray[np.uint8]]


def open_sources(items: object, *, fetch: Fetch, target: Target | None = None) -> Iterator[Source]:
    """Turns any kind of input into a stream of pictures.

    Args:
        items: a path (text or `Path`; any suffix), a folder (searched with all folders below it,
            sorted, hidden files left out), an http(s) address, an array as OpenCV has them (uint8:
            [h, w] grey, [h, w, 3] BGR, [h, w, 4] BGRA), a PIL image, the bytes of an image file, or
            a list, tuple or iterator of these. An iterator is asked for one item at a time.
        fetch: loads an address.
        target: what the pictures will be resized to; see `toolkit.data.decode.decode`.

    Returns:
        The stream. What is wrong with one picture, or one item of several, is raised by its `load`.

    Raises:
        TypeError: an item of another type; at once, or for an iterator when it comes to the item.
        DatasetError: the only item is a folder that does not exist or holds no picture.
    """
    if isinstance(items, Sequence) and not isinstance(items, (str, bytes, bytearray, memoryview)):
        for number, item in enumerate(items):
            _checked(item, f"item {number}")
        return _stream(items, fetch, target)
    if isinstance(items, Iterator) and not isinstance(items, IOBase):
        return _stream(items, fetch, target)
    return iter(_open_item(_checked(items, "the input"), fetch, target))


def _stream(items: Iterable[object], fetch: Fetch, target: Target | None) -> Iterator[Source]:
    for number, item in enumerate(items):
        picture = _checked(item, f"item {number}")
        try:
            sources = _open_item(picture, fetch, target)
        except DatasetError as error:
            sources = [Source(str(item), partial(_fail, str(error)))]
        yield from sources


def _checked(item: object, which: str) -> Picture:
    """Returns the item when its type is one that can be read; `which` names it in the error."""
    if isinstance(item, np.ndarray):
        if item.dtype == np.uint8 and _has_image_shape(item.shape):
            return item
        hint = " Pass list(array) for a batch." if item.ndim == 4 else ""
        raise TypeError(
            f"{which} is an array of {item.dtype} {list(item.shape)}; an image is an array of "
            f"uint8 (0 to 255): [h, w], [h, w, 3] BGR or [h, w, 4] BGRA.{hint}"
        )
    if isinstance(item, (str, os.PathLike, Image.Image, bytes, bytearray, memoryview)):
        return item
    raise TypeError(f"{which} is of type {type(item).__name__}; expected {_ACCEPTED}.{_hint(item)}")


def _hint(item: object) -> str:
    if item is None:
        return " cv2.imread returns None for a file that it cannot read; pass the path instead."
    if isinstance(item, IOBase):
        return " Pass file.read()."
    if isinstance(item, (list, tuple)):
        return " Lists cannot be nested."
    return " Pass list(...) of it." if isinstance(item, Iterable) else ""


def _has_image_shape(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))


def _open_item(item: Picture, fetch: Fetch, target: Target | None) -> list[Source]:
    """Returns the sources of an item whose type has been checked: one, or those of a folder."""
    if isinstance(item, np.ndarray):
        return [Source(None, partial(_from_array, item))]
    if isinstance(item, Image.Image):
        return [Source(getattr(item, "filename", "") or None, partial(_from_pil, item))]
    if isinstance(item, (bytes, bytearray, memoryview)):
        return [Source(None, partial(_from_bytes, item, target))]
    if isinstance(item, str) and (address := _ADDRESS.match(item)):
        if address[1].lower() in ("http", "https"):
            return [Source(item, partial(_from_address, item, fetch, target))]
        raise DatasetError(f"{item}: only http:// and https:// addresses can be read.")
    return _open_path(os.fspath(item), target)


def _open_path(text: str, target: Target | None) -> list[Source]:
    path = Path(text)
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except (OSError, ValueError):  # too long, or with a zero byte: reading it will say so
        is_folder, exists = False, True
    if is_folder and text:
        found = find_images(path)
        if not found:
            raise DatasetError(f"{text}: there is no picture in this folder or below it.")
        return [Source(str(file), partial(read_rgb, file, target=target)) for file in found]
    if not text or not (exists or path.suffix):
        raise DatasetError(f"{text!r}: there is no such file or folder.")
    return [Source(text, partial(read_rgb, path, target=target))]


def _from_address(address: str, fetch: Fetch, target: Target | None) -> NDArray[np.uint8]:
    try:
        return decode(fetch(address), target=target).pixels
    except FetchError as error:
        raise ImageError(str(error)) from error
    except DecodeError as error:
        raise DecodeError(f"{address}: {error}", error.kind) from error


def _from_bytes(data: bytes | bytearray | memoryview, target: Target | None) -> NDArray[np.uint8]:
    return decode(bytes(data), target=target).pixels


def _from_pil(image: Image.Image) -> NDArray[np.uint8]:
    return rgb_from_pil(image)


def _from_array(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turns an array as OpenCV has them into RGB; transparent pixels are put over white."""
    if array.size == 0:
        raise ImageError(f"the array {list(array.shape)} has no pixels.")
    if array.ndim == 2 or array.shape[2] == 1:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    if array.shape[2] == 3:
        return np.ascontiguousarray(array[..., ::-1])
    return rgb_from_pil(Image.fromarray(np.ascontiguousarray(array[..., [2, 1, 0, 3]])))


def _fail(message: str) -> NoReturn:
    raise ImageError(message)
