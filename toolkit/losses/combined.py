"""The weighted sum of several losses."""

from collections.abc import Sequence

from paddle import Tensor, nn


class CombinedLoss(nn.Layer):
    """Adds losses up by weight; one loss alone is weighted like any other.

    Args:
        parts: (name, weight, loss) each; the name is that of the value in the run's log.

    Raises:
        ValueError: there is no part, or two have one name.
    """

    def __init__(self, parts: Sequence[tuple[str, float, nn.Layer]]) -> None:
        super().__init__()
        names = [name for name, _, _ in parts]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"A combined loss needs parts with different names; got {names}.")
        self.weights = {name: weight for name, weight, _ in parts}
        self.parts = nn.LayerDict({name: loss for name, _, loss in parts})

    def forward(
        self, outputs: dict[str, Tensor], labels: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Computes every part on one batch.

        Args:
            outputs: what the network gave.
            labels: class indices [b], int64.

        Returns:
            The weighted sum, a scalar to call backward on; and the value of each part, a scalar
            before weighting and cut off from the gradient.
        """
        values = {name: loss(outputs, labels) for name, loss in self.parts.items()}
        first, *rest = (self.weights[name] * value for name, value in values.items())
        return sum(rest, first), {name: value.detach() for name, value in values.items()}
