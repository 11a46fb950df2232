"""The table that a conformance run prints, and the outputs that the tests keep of it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.conformance.seeded import Array, fill, seeded_images

TOLERANCE = 1e-5
GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "models" / "golden"


class Comparison:
    """Collects the table's lines and the outputs to store.

    Args:
        peer: the short name of the other side, for the heading.
    """

    def __init__(self, peer: str) -> None:
        self.failures = 0
        self.outputs: dict[str, Array] = {}
        print(f"{'the toolkit and ' + peer:<58} | tensors | max relative difference")

    def states(self, ours: Any, theirs: Any, ignored: tuple[str, ...] = ()) -> str:
        """Returns how many tensors of two states agree in name and shape."""
        left = {name: tuple(value.shape) for name, value in ours.state_dict().items()}
        right = {
            name: tuple(value.shape)
            for name, value in theirs.state_dict().items()
            if not name.startswith(ignored or ("\0",))
        }
        if left == right:
            return str(len(left))
        self.failures += 1
        return f"DIFFER: {sorted(set(left.items()) ^ set(right.items()))[:3]}"

    def line(self, name: str, tensors: str, ours: Any, theirs: Any) -> None:
        """Prints one line and keeps the other side's output under the line's name."""
        left, right = _array(ours), _array(theirs)
        same_shape = left.shape == right.shape
        difference = (
            float(np.abs(left - right).max() / np.abs(right).max()) if same_shape else np.inf
        )
        failed = not difference <= TOLERANCE
        self.failures += failed
        self.outputs[name] = right
        print(f"{name:<58} | {tensors:>7} | {difference:.1e}{'  TOO LARGE' if failed else ''}")

    def backbone(
        self,
        name: str,
        ours: Any,
        theirs: Any,
        *,
        stop_after: str | None = None,
        side: int = 64,
        gain: float = 1.0,
    ) -> None:
        """Compares a backbone in evaluation mode: names, shapes, output, and the fused form.

        Args:
            name: of the line.
            ours: our network.
            theirs: PaddleClas's, whole.
            stop_after: the layer after which PaddleClas's is cut; None compares the logits, so
                that ours has its classifier too.
            side: of the square images.
            gain: factor on the kernels.
        """
        import paddle

        tensors = self.states(ours, theirs, ours.ignored_weights)
        if stop_after is not None:
            theirs.stop_after(stop_after)
        images = paddle.to_tensor(seeded_images(side=side))
        for network in (ours, theirs):
            fill(network, gain)
            network.eval()
        with paddle.no_grad():
            self.line(name, tensors, ours(images), theirs(images))
            if hasattr(ours, "re_parameterize"):
                ours.re_parameterize()
                for layer in theirs.sublayers():
                    if hasattr(layer, "re_parameterize"):
                        layer.re_parameterize()
                self.line(f"{name} fused", tensors, ours(images), theirs(images))

    def store(self, family: str, names: Iterable[str], origin: str) -> None:
        """Writes some of the other side's outputs for the tests, and where they come from."""
        kept = {name: self.outputs[name] for name in names}
        GOLDEN.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(GOLDEN / f"{family}.npz", allow_pickle=False, **kept)
        listed = "\n".join(f"- `{name}` {list(array.shape)}" for name, array in kept.items())
        text = f"# Where {family}.npz comes from\n\n{origin}\n\nThe arrays:\n\n{listed}\n"
        (GOLDEN / f"{family}.md").write_text(text, encoding="utf-8")
        print(f"wrote tests/models/golden/{family}.npz")


def _array(output: Any) -> Array:
    """Returns a tensor of any framework, or an array, as an array."""
    return np.asarray(output.numpy() if hasattr(output, "numpy") else output)
