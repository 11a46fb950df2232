"""How a loss reads the outputs of a network."""

from collections.abc import Collection

from paddle import Tensor

from toolkit.errors import ConfigError


def read_output(outputs: dict[str, Tensor], name: str, loss: str) -> Tensor:
    """Returns one output of the network.

    Args:
        outputs: what Recognizer's forward returned.
        name: the output wanted.
        loss: who wants it, for the message.

    Raises:
        ConfigError: the network has no such output.
    """
    require_output(outputs, name, loss)
    return outputs[name]


def require_output(outputs: Collection[str], name: str, loss: str) -> None:
    """Refuses a network without an output that a loss reads; the arguments are as above.

    Raises:
        ConfigError: the network has no such output; the message says which part gives it.
    """
    if name in outputs:
        return
    reason = " Add a head to the network (Arch.Head)." if name == "logits" else ""
    if name.startswith("teacher_"):
        head = ", with a Head" if name == "teacher_logits" else ""
        reason = f" Give the network a teacher to learn from (Arch.Teacher{head})."
    raise ConfigError(
        f"{loss} reads the output {name!r}, and the network gives {', '.join(outputs)}.{reason}"
    )
