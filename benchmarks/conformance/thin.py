"""PaddleClas's networks with fewer channels than its code allows, for goldens of small networks."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock


@contextmanager
def thinned(module: Any, factor: int, features: Mapping[int, int] | None = None) -> Iterator[None]:
    """Lets a module of PaddleClas build thinner layers while the context is open.

    Args:
        module: whose ``Conv2D``, ``BatchNorm`` and ``Linear`` are replaced.
        factor: how many times fewer channels each convolution has; the image keeps its three.
        features: what the lengths of linear layers become; others stay.
    """
    lengths = features or {}
    # What a module does not import it does not build.
    plain: dict[str, Any] = {
        name: getattr(module, name, None) for name in ("Conv2D", "BatchNorm", "Linear")
    }

    def thin_conv(in_channels: int, out_channels: int, *sizes: Any, **options: Any) -> Any:
        before = in_channels if in_channels == 3 else in_channels // factor
        return plain["Conv2D"](before, out_channels // factor, *sizes, **options)

    def thin_norm(num_channels: int, **options: Any) -> Any:
        return plain["BatchNorm"](num_channels // factor, **options)

    def thin_linear(in_features: int, out_features: int, **options: Any) -> Any:
        before = lengths.get(in_features, in_features)
        return plain["Linear"](before, lengths.get(out_features, out_features), **options)

    layers = {"Conv2D": thin_conv, "BatchNorm": thin_norm, "Linear": thin_linear}
    with ExitStack() as patches:
        for name, layer in layers.items():
            if plain[name] is not None:
                patches.enter_context(mock.patch.object(module, name, layer))
        yield
