"""Mixed precision: the network in 16 bits where that is safe, everything that is kept in 32.

Weights, their averages, the optimizer and the checkpoints are float32 at both levels: these are the
master weights, and each operator casts what it takes. Normalisations and losses compute in float32.

Source: Micikevicius et al., Mixed Precision Training, 2018, section 3 (master weights, loss
scaling).
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import paddle
from paddle import Tensor

from toolkit.config.types import PositiveFloat, PositiveInt
from toolkit.distributed.group import everywhere

_NORMS = frozenset(("batch_norm", "sync_batch_norm_", "layer_norm", "group_norm", "instance_norm"))
_LARGEST_SCALE = 2.0**24


@dataclass
class LossScaler:
    """A factor on the loss that keeps small gradients above what float16 can hold.

    An update whose gradients are not finite is left out and halves the factor; `growth_steps`
    updates in a row that are, double it.

    Args:
        scale: the factor that it begins with.
        growth_steps: finite updates before it doubles.

    Attributes:
        finite_steps: updates in a row with finite gradients.
        skipped_steps: updates that were left out since the start of the run.
    """

    scale: PositiveFloat = 2.0**15
    growth_steps: PositiveInt = 2000
    finite_steps: int = 0
    skipped_steps: int = 0

    @paddle.no_grad()
    def unscale(self, parameters: Sequence[Tensor]) -> bool:
        """Divides gradients by the scale; False says that the update is to be left out."""
        gradients = [item.grad for item in parameters if item.grad is not None]
        finite = all(bool(paddle.isfinite(gradient).all()) for gradient in gradients)
        finite = everywhere(finite)  # some gradients may be of this process alone
        if finite:
            for gradient in gradients:
                gradient.scale_(1.0 / self.scale)
            self.finite_steps += 1
            if self.finite_steps >= self.growth_steps:
                self.scale, self.finite_steps = min(2.0 * self.scale, _LARGEST_SCALE), 0
            return True
        self.scale, self.finite_steps = max(self.scale / 2.0, 1.0), 0
        self.skipped_steps += 1
        return False


class Precision:
    """In how many bits the forward pass is computed.

    Args:
        level: ``O0``: all in float32; ``O1``: convolutions and matrix products in 16 bits; ``O2``:
            every operator but the normalisations and what Paddle knows to need 32.
        dtype: the 16 bits: ``bfloat16`` has the range of float32, ``float16`` needs a scaler.
        casts: whether the device can; Paddle casts nothing on a CPU.
        scaler: of the loss; None scales nothing.
    """

    def __init__(
        self,
        level: Literal["O0", "O1", "O2"] = "O0",
        dtype: Literal["bfloat16", "float16"] = "bfloat16",
        *,
        casts: bool = True,
        scaler: LossScaler | None = None,
    ) -> None:
        self._level, self._dtype = level, dtype
        self._casts = casts and level != "O0"
        self.scaler = scaler

    def fewer_bits(self) -> Any:
        """Context for the forward pass of the network."""
        if not self._casts:
            return nullcontext()
        return paddle.amp.auto_cast(
            level=self._level, dtype=self._dtype, custom_black_list=set(_NORMS)
        )

    def whole(self, outputs: Any) -> Any:
        """Returns a network's outputs with every float tensor in float32, for the loss."""
        if not self._casts:
            return outputs
        if isinstance(outputs, Mapping):
            return {name: self.whole(value) for name, value in outputs.items()}
        if isinstance(outputs, list | tuple):
            return [self.whole(value) for value in outputs]
        is_float = isinstance(outputs, Tensor) and paddle.is_floating_point(outputs)
        return outputs.astype("float32") if is_float else outputs

    def scaled(self, loss: Tensor) -> Tensor:
        """Returns the loss to call backward on."""
        return loss if self.scaler is None else loss * self.scaler.scale

    def unscale(self, parameters: Sequence[Tensor]) -> bool:
        """Makes the gradients those of the loss; False: leave this update out."""
        return self.scaler is None or self.scaler.unscale(parameters)
