"""Train: how long, how fast, from where, and what is kept."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from toolkit.config.section import OptionalPath, Section
from toolkit.config.trackers import Trackers
from toolkit.config.types import (
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)


class AmpSection(Section):
    """Mixed precision; null trains in float32."""

    level: Literal["O1", "O2"] = Field(
        "O1",
        description="O1: convolutions and matrix products in 16 bits; O2: all but normalisations, "
        "class head and losses. Weights are kept in float32 at both.",
    )
    dtype: Literal["bfloat16", "float16"] = Field(
        "bfloat16", description="The 16 bits; float16 scales the loss."
    )
    scale_loss: PositiveFloat = Field(
        32768.0, description="Scale of the loss that a run in float16 begins with."
    )


class EarlyStoppingSection(Section):
    """The end of a run that no longer gets better; null trains to the last epoch."""

    metric: str = Field("recall1", description="What an evaluation is judged by; higher is better.")
    patience: PositiveInt = Field(
        5, description="Evaluations in a row without a better one that end the run."
    )
    min_delta: NonNegativeFloat = Field(
        0.0, description="By how much an evaluation must be above the best to be better."
    )


class TrainSection(Section):
    """The one place for epochs, batch size and learning rate."""

    num_classes: PositiveInt | Literal["auto"] = Field(
        "auto", description="Rows of the class head; auto counts the labels of train.txt."
    )
    epochs_iters: PositiveInt = Field(20, description="Epochs.")
    batch_size: PositiveInt = Field(32, description="Pictures a step and process.")
    learning_rate: PositiveFloat = Field(0.01, description="Highest learning rate.")
    pretrain_weight_path: OptionalPath = Field(
        None, description="Weights to start from: a file or an address; null starts from random."
    )
    extend_from: OptionalPath = Field(
        None,
        validate_default=True,
        description="Checkpoint of a run on fewer classes, whose head learns the new ones too.",
    )
    warmup_steps: NonNegativeInt | None = Field(
        None, description="Warm-up in EPOCHS, as in PaddleX; Optimizer.lr.warmup_iters is in steps."
    )
    resume_path: OptionalPath = Field(
        None,
        description="Checkpoint (.pdparams of a training output) to go on from; auto takes the "
        "newest whole one of Global.output, and begins anew where there is none.",
    )
    log_interval: PositiveInt = Field(10, description="Steps between two log lines.")
    eval_interval: PositiveInt = Field(1, description="Epochs between two evaluations.")
    save_interval: PositiveInt = Field(1, description="Epochs between two epoch_N checkpoints.")
    save_steps: PositiveInt | None = Field(
        None, description="Steps between two saves of latest within an epoch; null saves at ends."
    )
    keep_last: PositiveInt | None = Field(
        3, description="How many epoch_N checkpoints to keep; null keeps all."
    )
    max_steps: PositiveInt | None = Field(
        None, description="Stop after so many steps: a dry run of any configuration."
    )
    accumulate_steps: PositiveInt = Field(
        1, description="Batches whose gradients are summed before the optimizer steps."
    )
    amp: AmpSection | None = Field(
        None, description="Mixed precision; on a CPU Paddle computes in float32 all the same."
    )
    ema_decay: Fraction | None = Field(
        None, description="Decay of the averaged weights; null keeps none."
    )
    eval_during_train: bool = Field(
        True,
        description="Evaluate every eval_interval; false makes the last epoch the best, and needs "
        "no gallery and query.",
    )
    early_stopping: EarlyStoppingSection | None = Field(
        None, validate_default=True, description="Ends a run that no longer gets better."
    )
    find_learning_rate: bool = Field(
        False, description="Train nothing: suggest a learning rate by a short range test."
    )
    suggest_batch_size: bool = Field(
        False, description="Train nothing: suggest a batch size by measuring two steps."
    )
    skip_check: bool = Field(False, description="Train on lists that were not checked.")
    visualdl: bool = Field(
        True, description="Write VisualDL scalars when it is installed, as PaddleX does."
    )
    trackers: Trackers = Field(
        [], description="Where the numbers go beside metrics.jsonl: docs/comparing.md."
    )
    kernels: Literal["auto", "paddle"] = Field(
        "auto",
        description="auto trains, and evaluates checkpoints, with our CPU kernels where they win; "
        "paddle never does.",
    )
    num_processes: PositiveInt = Field(
        1,
        description="Processes on the CPU of this machine; on GPUs there is one for each of "
        "Global.device.",
    )
    sync_batch_norm: bool = Field(
        False, description="Batch norm over the batch of all processes instead of each its own."
    )
    freeze_backbone: bool = Field(
        False, description="Compute backbone features once, and train neck and head on them."
    )
    unfreeze_at: PositiveInt | None = Field(
        None, description="Epoch from which the backbone is trained too; null: never."
    )
    unfreeze_lr_factor: PositiveFloat = Field(
        0.1, description="Factor of the learning rate from Train.unfreeze_at on."
    )

    adapter: Literal["linear", "whitening", "pca"] | None = Field(
        None,
        description="Leave the network as it is and fit a linear map behind it, with the options "
        "of Adapter; null fits none.",
    )

    @field_validator("adapter")
    @classmethod
    def _never_thawed(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("unfreeze_at") is not None:
            raise ValueError(
                f"adapter is {value} and unfreeze_at is {info.data['unfreeze_at']}; behind an "
                "adapter the network stays as it is: leave unfreeze_at out."
            )
        if value is not None and info.data.get("extend_from") is not None:
            raise ValueError(
                f"adapter is {value} and extend_from is given; an adapter leaves the class head "
                "as it is: leave one of them out."
            )
        return value

    @field_validator("extend_from")
    @classmethod
    def _alone(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("pretrain_weight_path") is not None:
            raise ValueError(
                "the weights come from this checkpoint; leave pretrain_weight_path out."
            )
        if value is not None and info.data.get("num_classes") != "auto":
            raise ValueError("the classes are counted: set num_classes to auto.")
        return value

    @field_validator("early_stopping")
    @classmethod
    def _evaluated(
        cls, value: EarlyStoppingSection | None, info: ValidationInfo
    ) -> EarlyStoppingSection | None:
        if value is not None and info.data.get("eval_during_train") is False:
            raise ValueError(
                "it needs the evaluations that eval_during_train: false leaves out; set one of "
                "them otherwise."
            )
        return value

    @field_validator("unfreeze_at")
    @classmethod
    def _frozen_before(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("freeze_backbone") is False:
            raise ValueError(
                f"unfreeze_at is {value} and freeze_backbone is false; set freeze_backbone to "
                "true, or leave unfreeze_at out."
            )
        return value
