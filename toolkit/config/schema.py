"""A whole configuration: every section with every key, its type, default and meaning.

docs/configuration.md is generated from it. Sections are frozen and strict: nothing is converted,
nothing unknown is accepted.
"""

from pydantic import Field, ValidationInfo, field_validator

from toolkit.config.adapter_section import AdapterSection
from toolkit.config.compare_section import CompareSection
from toolkit.config.extract_section import ExtractSection
from toolkit.config.index_section import IndexSection, SearchSection
from toolkit.config.pack_section import PackSection
from toolkit.config.parts import Part
from toolkit.config.recipe_sections import (
    ArchSection,
    DataSection,
    LossPart,
    MetricSection,
    OptimizerPart,
)
from toolkit.config.run_sections import (
    CheckDatasetSection,
    EvaluateSection,
    ExportSection,
    GlobalSection,
    PredictSection,
)
from toolkit.config.section import Section
from toolkit.config.select_section import SelectModelSection
from toolkit.config.selfsup_section import SelfSupSection
from toolkit.config.serve_section import ServeSection
from toolkit.config.train_section import TrainSection


class Config(Section):
    """A whole configuration: what a file says, with the recipe of its model's card."""

    Global: GlobalSection
    CheckDataset: CheckDatasetSection = Field(default_factory=CheckDatasetSection)
    Train: TrainSection = Field(default_factory=TrainSection)
    Adapter: AdapterSection = Field(default_factory=AdapterSection)
    Evaluate: EvaluateSection = Field(default_factory=EvaluateSection)
    Compare: CompareSection = Field(default_factory=CompareSection)
    Export: ExportSection = Field(default_factory=ExportSection)
    Predict: PredictSection = Field(default_factory=PredictSection)
    Extract: ExtractSection = Field(default_factory=ExtractSection)
    Pack: PackSection = Field(default_factory=PackSection)
    SelfSup: SelfSupSection | None = None
    Index: IndexSection = Field(default_factory=IndexSection)
    Search: SearchSection = Field(default_factory=SearchSection)
    SelectModel: SelectModelSection = Field(default_factory=SelectModelSection)
    Serve: ServeSection = Field(default_factory=ServeSection)
    Arch: ArchSection
    Loss: list[LossPart]
    Optimizer: OptimizerPart
    Data: DataSection
    Metric: MetricSection = Field(default_factory=MetricSection)

    @field_validator("Loss")
    @classmethod
    def _one_objective(cls, loss: list[Part], info: ValidationInfo) -> list[Part]:
        if "SelfSup" not in info.data:  # it has problems of its own
            return loss
        train = info.data.get("Train")
        if isinstance(train, TrainSection) and train.adapter in ("whitening", "pca"):
            return loss
        if not loss and info.data["SelfSup"] is None:
            raise ValueError("there is nothing to train with: give one loss or more, or SelfSup.")
        if loss and info.data["SelfSup"] is not None:
            raise ValueError(
                "a run learns from labels (Loss) or without them (SelfSup); leave out one of them."
            )
        return loss

    @field_validator("Optimizer")
    @classmethod
    def _warmup_said_once(cls, optimizer: Part, info: ValidationInfo) -> Part:
        steps = optimizer.options["lr"].options["warmup_iters"]
        train = info.data.get("Train")
        epochs = train.warmup_steps if isinstance(train, TrainSection) else None
        if steps is not None and epochs is not None:
            raise ValueError(
                f"the warm-up is said twice: Train.warmup_steps {epochs} (epochs) and "
                f"Optimizer.lr.warmup_iters {steps} (steps); give one of them."
            )
        return optimizer
