"""Recipes of mixtures: which datasets, from where, and how large they were for PaddleClas."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pydantic
import yaml

from dataset_tools.native.conversion import RECORD, ConvertOptions, conversion_key, convert
from dataset_tools.native.merging import Merged, Part
from dataset_tools.native.placing import HowToPlace
from dataset_tools.native.reading import json_object
from dataset_tools.native.table import find_dataset
from toolkit.data.convert import SourceProblem
from toolkit.errors import ConfigError, DatasetError, nearest

MIXTURES = Path(__file__).resolve().parents[1] / "mixtures"
LISTS_ALONE = "lists"

ListName = Literal["train", "gallery", "query"]


class Ingredient(pydantic.BaseModel):
    """One dataset of a mixture.

    Attributes:
        name: stands before its paths and class names.
        source: a dataset that can be converted, or ``lists``: train.txt is there already.
        folder: its folder, from the folder of all data on.
        home: where to get it.
        images: rows of train in the original mixture.
        classes: classes of train in the original mixture.
        variant: of the converter.
        crop: cut the boxes out; by default as the converter does.
        note: said when the numbers differ, or the dataset is missing.
    """

    model_config = pydantic.ConfigDict(extra="forbid", populate_by_name=True)

    name: str
    source: str = pydantic.Field(alias="from")
    folder: str
    home: str
    images: int
    classes: int
    variant: str = ""
    crop: bool | None = None
    note: str = ""


class Recipe(pydantic.BaseModel):
    """A mixture.

    Attributes:
        name: of the mixture.
        source: who says so.
        lists: what is merged unless asked otherwise.
        datasets: in the order in which their labels are numbered.
    """

    model_config = pydantic.ConfigDict(extra="forbid")

    name: str
    source: str
    lists: list[ListName]
    datasets: list[Ingredient]


@dataclass(frozen=True)
class Prepared:
    """What of a mixture is there.

    Attributes:
        parts: datasets with lists, to be merged.
        missing: datasets whose folder is not there.
        faults: rows and pictures that a conversion went on without, for a person.
    """

    parts: list[Part]
    missing: list[Ingredient]
    faults: list[str]


def read_recipe(name: str) -> Recipe:
    """Reads a recipe of this repository by its name, or any file.

    Raises:
        ConfigError: there is no such recipe, or something in it cannot be used.
    """
    own = {file.stem: file for file in sorted(MIXTURES.glob("*.yaml"))}
    file = own.get(name, Path(name))
    if not file.is_file():
        raise ConfigError(
            f"There is no recipe {name!r}.{nearest(name, own)} Known: {', '.join(own)}, or a file."
        )
    try:
        recipe = Recipe.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not YAML: {error}.") from error
    except pydantic.ValidationError as error:
        raise ConfigError(
            f"{file}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            for problem in error.errors()
        ) from error
    for entry in recipe.datasets:
        if entry.source != LISTS_ALONE:
            find_dataset(entry.source)
    return recipe


def prepare(
    recipe: Recipe, data: Path, output: Path, *, pictures: HowToPlace, keep_going: bool
) -> Prepared:
    """Converts every dataset of a recipe that is there and not converted yet.

    Args:
        recipe: the mixture.
        data: the folder of all data.
        output: lists and crops go to ``<output>/<name>/``.
        pictures: how pictures become reachable from there.
        keep_going: see `ConvertOptions`.

    Raises:
        DatasetError: a dataset cannot be converted.
    """
    prepared = Prepared([], [], [])
    for entry in recipe.datasets:
        folder = data / entry.folder
        if not folder.is_dir():
            prepared.missing.append(entry)
        elif entry.source == LISTS_ALONE:
            prepared.parts.append(Part(entry.name, folder))
        else:
            part = Part(entry.name, output / entry.name)
            options = _options(entry, pictures=pictures, keep_going=keep_going)
            prepared.faults.extend(_convert(entry, folder, part.folder, options))
            prepared.parts.append(part)
    return prepared


def differences(recipe: Recipe, merged: Merged) -> list[str]:
    """Says which datasets are of another size than in the original mixture."""
    lines = []
    shares = merged.counts.get("train", {})
    for entry in recipe.datasets:
        share = shares.get(entry.name)
        if share and (share.rows, share.classes) != (entry.images, entry.classes):
            note = f" {entry.note}" if entry.note else ""
            lines.append(
                f"{entry.name}: {share.rows:,} images of {share.classes:,} classes; the original "
                f"mixture had {entry.images:,} of {entry.classes:,}.{note}"
            )
    return lines


def _options(entry: Ingredient, *, pictures: HowToPlace, keep_going: bool) -> ConvertOptions:
    dataset = find_dataset(entry.source)
    return ConvertOptions(
        variant=entry.variant or dataset.variant,
        crop=dataset.crops if entry.crop is None else entry.crop,
        pictures=pictures,
        keep_going=keep_going,
    )


def _convert(entry: Ingredient, folder: Path, output: Path, options: ConvertOptions) -> list[str]:
    """Converts a dataset unless that is done; says what it went on without."""
    dataset = find_dataset(entry.source)
    if _is_done(output, conversion_key(dataset, folder, options)):
        return []
    try:
        converted = convert(dataset, folder, output, options)
    except DatasetError as error:
        raise DatasetError(f"{entry.name}: {error}") from error
    return [
        *converted.problems.told(f"{entry.name}: bad rows, not in the lists"),
        *converted.missing.told(f"{entry.name}: missing pictures, not in the lists"),
    ]


def _is_done(output: Path, wanted: Mapping[str, Any]) -> bool:
    """Whether a folder holds a whole conversion: this one, with its lists and without a fault."""
    done = json_object(output / RECORD)
    if isinstance(done, SourceProblem) or {key: done.get(key) for key in wanted} != wanted:
        return False
    faultless = all(done[kind]["count"] == 0 for kind in ("problems", "missing"))
    return faultless and all(output.joinpath(f"{name}.txt").is_file() for name in done["counts"])
