"""What a head with a table of classes does not go with, told before a run begins."""

from paddle import nn

from toolkit.config.schema import Config
from toolkit.distributed.group import process_count
from toolkit.errors import ConfigError
from toolkit.losses.combined import CombinedLoss
from toolkit.losses.cross_entropy import CELoss
from toolkit.models.heads.class_table import ClassTable


def check_class_table(config: Config, network: nn.Layer, loss: CombinedLoss) -> None:
    """Refuses what cannot be computed from a sample, or from a part, of the classes.

    Raises:
        ConfigError: all of it.
    """
    tables = [layer for layer in network.sublayers() if isinstance(layer, ClassTable)]
    problems = [problem for table in tables for problem in _problems(config, table, loss)]
    if problems:
        raise ConfigError(problems)


def _problems(config: Config, table: ClassTable, loss: CombinedLoss) -> list[str]:
    problems = []
    others = [
        name
        for name, part in loss.parts.items()
        if "logits" in getattr(part, "reads", ()) and not isinstance(part, CELoss)
    ]
    if others:
        problems.append(
            f"Loss {', '.join(others)} needs the logits of all classes, and Arch.Head computes "
            "those of a part: leave out Arch.Head.sample_rate and sharded, or this loss."
        )
    if config.Train.accumulate_steps > 1:
        problems.append(
            f"Train.accumulate_steps is {config.Train.accumulate_steps}, and Arch.Head chooses its "
            "classes anew for every batch: set it to 1."
        )
    processes = process_count()
    images, own = config.Train.batch_size * processes, len(table.rows)
    if min(images, own) > table.num_chosen:
        problems.append(
            f"Arch.Head.sample_rate keeps {table.num_chosen} of {own} classes for an update, and "
            f"a batch of {images} pictures may have more: {min(images, own) / own:.3g} or more is "
            "enough."
        )
    if table.sharded and processes > 1:
        problems += [
            f"{name} needs the whole head in one process, and Arch.Head.sharded divides it: leave "
            "out one of the two."
            for name, is_given in (
                ("Optimizer.clip_norm", config.Optimizer.options.get("clip_norm") is not None),
                ("Optimizer LARS", config.Optimizer.name == "LARS"),
                ("Train.ema_decay", config.Train.ema_decay is not None),
            )
            if is_given
        ]
    return problems
