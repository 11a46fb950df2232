"""How a loss reads the outputs of a network."""

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
    if name not in outputs:
        reason = " Add a head to the network (Arch.Head)." if name == "logits" else ""
        raise ConfigError(
            f"{loss} reads the output {name!r}, and the network gives {', '.join(outputs)}.{reason}"
        )
    return outputs[name]
