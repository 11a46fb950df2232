"""From `SelfSup` and a folder, an index or packed pictures to batches of views."""

from dataclasses import dataclass

from toolkit.build.data import build_sampler, num_workers, read_split
from toolkit.build.lists import packed_images
from toolkit.build.recipe.check import require_sound_recipe
from toolkit.build.recipe.finding import Recipe, RecipeFinding
from toolkit.build.transforms import build_pipeline
from toolkit.config.schema import Config
from toolkit.config.selfsup_section import SelfSupSection
from toolkit.data.packing.pixels import PackedPixels
from toolkit.data.picture_files import PictureFiles
from toolkit.data.picture_folder import PictureFolder
from toolkit.data.transforms.pipeline import Pipeline
from toolkit.data.views import PixelSource, ViewDataset, ViewKind
from toolkit.distributed.group import process_count
from toolkit.errors import ConfigError
from toolkit.registry import TRANSFORMS
from toolkit.training.loader import BatchLoader


@dataclass(frozen=True)
class UnlabelledData:
    """What training without labels reads.

    Attributes:
        loader: batches of views by epoch.
        dataset: the views.
        num_images: pictures.
        findings: what of the recipe is unlikely to go with them.
    """

    loader: BatchLoader
    dataset: ViewDataset
    num_images: int
    findings: list[RecipeFinding]

    def give_up_waiting(self) -> None:
        """Ends waiting for pictures that are gone."""
        if isinstance(self.dataset.source, PictureFiles):
            self.dataset.source.give_up_waiting()


def build_unlabelled_data(config: Config) -> UnlabelledData:
    """Builds the loader of what SelfSup trains on.

    Raises:
        ConfigError: the transforms do not go together, or Train.batch_size with the data.
        DatasetError: there is nothing to read.
    """
    if config.SelfSup is None:
        raise ConfigError("SelfSup is null; training without labels needs this section.")
    leading, drawn = _first_steps(config)
    source = _source(config, leading)
    dataset = ViewDataset(source, _kinds(config.SelfSup, drawn), seed=config.Global.seed)
    findings = require_sound_recipe(
        Recipe(config, None, len(dataset), num_processes=process_count())
    )
    sampler = build_sampler(config, [-1] * len(dataset))
    loader = BatchLoader(dataset, sampler, num_workers(config))
    return UnlabelledData(loader, dataset, len(dataset), findings)


def _first_steps(config: Config) -> tuple[Pipeline, Pipeline]:
    """Returns the steps of Data.train_transforms: without chance, and from chance on.

    Raises:
        ConfigError: they make a tensor, which only a view may be.
    """
    steps = [TRANSFORMS.build(part.name, **part.options) for part in config.Data.train_transforms]
    pipeline = Pipeline(steps)
    if pipeline.gives != "pixels":
        raise ConfigError(
            "Data.train_transforms stands before SelfSup.views and ends with pixels: move "
            "NormalizeImage and ToCHWImage into each of SelfSup.views."
        )
    return pipeline.without_chance_first()


def _kinds(section: SelfSupSection, drawn: Pipeline) -> list[ViewKind]:
    kinds = []
    for number, view in enumerate(section.views):
        try:
            own = build_pipeline(view.transforms)
        except ConfigError as error:
            raise ConfigError(f"SelfSup.views.{number}: {error}") from error
        kinds.append(ViewKind(Pipeline([*drawn.transforms, *own.transforms]), view.count))
    return kinds


def _source(config: Config, leading: Pipeline) -> PixelSource:
    packed = packed_images(config)
    if packed:
        return PackedPixels(packed, leading)
    manifest = read_split(config, "train")
    paths = [manifest.resolve(sample) for sample in manifest.samples]
    files = PictureFiles(paths, leading)
    files.folder = PictureFolder(paths, 60 * config.Data.wait_minutes)
    return files
