"""Names of TensorFlow-slim's variables for the layers of our networks.

Our networks bear PaddleClas's names or their own; a checkpoint bears tf-slim's scopes. A map here
takes a layer that holds weights to the scope that holds its variables.

Source: tf-slim 1.1.0 (``tf_slim/nets``) and ``research/slim/nets`` of tensorflow/models.
"""

from collections.abc import Callable, Collection, Mapping

# From the name of a layer to its scope, below the scope of the network.
ScopeOf = Callable[[str], str]

_OF_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "_mean": "moving_mean",
    "_variance": "moving_variance",
}
_OF_LAYER = {"weight": "weights", "bias": "biases"}
_PARTS = {"conv": "", "_conv": "", "bn": "/BatchNorm", "_batch_norm": "/BatchNorm"}
_SEPARABLE = ("depthwise", "pointwise")


def variable_names(network: str, scope: str, names: Collection[str]) -> dict[str, str]:
    """Returns the variable for each of our parameters and buffers.

    Args:
        network: a key of `SCOPES`.
        scope: of the whole network.
        names: of all its parameters and buffers.
    """
    scope_of = SCOPES[network](names)
    found = {}
    for name in names:
        layer, _, kind = name.rpartition(".")
        last = layer.rpartition(".")[2]
        if f"{layer}._mean" in names:
            variable = _OF_NORM[kind]
        elif last in _SEPARABLE and kind == "weight":
            variable = f"{last}_weights"
        else:
            variable = _OF_LAYER[kind]
        found[name] = f"{scope}/{scope_of(layer)}/{variable}"
    return found


def _of_units(unit_scope: Callable[[str], str]) -> ScopeOf:
    """Returns the map of layers for one of units, which hold a convolution and its norm."""

    def scope_of(layer: str) -> str:
        unit, _, last = layer.rpartition(".")
        if last in _PARTS:
            return unit_scope(unit) + _PARTS[last]
        return unit_scope(unit if last in _SEPARABLE else layer)

    return scope_of


def _same(logits: str) -> Callable[[Collection[str]], ScopeOf]:
    """Returns the map of networks whose layers have the names of the scopes."""
    scopes = {"Logits": f"Logits/{logits}"}
    return lambda _: _of_units(lambda unit: scopes.get(unit, unit.replace(".", "/")))


def _listed(scopes: Mapping[str, str]) -> Callable[[Collection[str]], ScopeOf]:
    """Returns the map of networks whose units stand in a table."""
    return lambda _: _of_units(scopes.__getitem__)


def _row(branch: int, units: str, scopes: str) -> dict[str, str]:
    """Returns the scopes of the units of a branch; both lists are written with blanks."""
    pairs = zip(units.split(), scopes.split(), strict=True)
    return {unit: f"Branch_{branch}/Conv2d_{scope}" for unit, scope in pairs}


def _modules(
    prefix: str, names: Mapping[str, str], tables: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """Returns the scopes of all units of some modules.

    Args:
        prefix: of the modules' names.
        names: module -> its scope and, behind a blank, its table.
        tables: name -> unit -> scope inside the module.
    """
    return {
        f"{prefix}{module}.{unit}": f"Mixed_{said.split()[0]}/{scope}"
        for module, said in names.items()
        for unit, scope in tables[said.split()[1]].items()
    }


_V3_A = {
    **_row(0, "branch1x1", "0a_1x1"),
    **_row(1, "branch5x5_1 branch5x5_2", "0a_1x1 0b_5x5"),
    **_row(2, "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3", "0a_1x1 0b_3x3 0c_3x3"),
    **_row(3, "branch_pool_conv", "0b_1x1"),
}
_V3_E = {
    **_row(0, "branch1x1", "0a_1x1"),
    **_row(1, "branch3x3_1 branch3x3_2a branch3x3_2b", "0a_1x1 0b_1x3 0c_3x1"),
    **_row(
        2,
        "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3a branch3x3dbl_3b",
        "0a_1x1 0b_3x3 0c_1x3 0d_3x1",
    ),
    **_row(3, "branch_pool_conv", "0b_1x1"),
}
_V3_TABLES = {
    "A": _V3_A,
    # The checkpoints break the pattern here, in the reduction B, and in the first E.
    "A2": {
        **_V3_A,
        "branch5x5_1": "Branch_1/Conv2d_0b_1x1",
        "branch5x5_2": "Branch_1/Conv_1_0c_5x5",
    },
    "B": {
        **_row(0, "branch3x3", "1a_1x1"),
        **_row(1, "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3", "0a_1x1 0b_3x3 1a_1x1"),
    },
    "C": {
        **_row(0, "branch1x1", "0a_1x1"),
        **_row(1, "branch7x7_1 branch7x7_2 branch7x7_3", "0a_1x1 0b_1x7 0c_7x1"),
        **_row(
            2,
            "branch7x7dbl_1 branch7x7dbl_2 branch7x7dbl_3 branch7x7dbl_4 branch7x7dbl_5",
            "0a_1x1 0b_7x1 0c_1x7 0d_7x1 0e_1x7",
        ),
        **_row(3, "branch_pool_conv", "0b_1x1"),
    },
    "D": {
        **_row(0, "branch3x3_1 branch3x3_2", "0a_1x1 1a_3x3"),
        **_row(
            1,
            "branch7x7x3_1 branch7x7x3_2 branch7x7x3_3 branch7x7x3_4",
            "0a_1x1 0b_1x7 0c_7x1 1a_3x3",
        ),
    },
    "E": _V3_E,
    "E1": {**_V3_E, "branch3x3_2b": "Branch_1/Conv2d_0b_3x1"},
}
_V3_BLOCKS = [
    *("5b A", "5c A2", "5d A"),
    *("6a B", "6b C", "6c C", "6d C", "6e C"),
    *("7a D", "7b E1", "7c E"),
]
_V3 = {
    **{
        f"inception_stem.conv_{layer}": f"Conv2d_{layer}"
        for layer in ("1a_3x3", "2a_3x3", "2b_3x3", "3b_1x1", "4a_3x3")
    },
    **_modules(
        "inception_block_list.",
        {str(number): said for number, said in enumerate(_V3_BLOCKS)},
        _V3_TABLES,
    ),
    "fc": "Logits/Conv2d_1c_1x1",
}
_V4_TABLES = {
    "A": {
        **_row(0, "_conv2", "0a_1x1"),
        **_row(1, "_conv3_1 _conv3_2", "0a_1x1 0b_3x3"),
        **_row(2, "_conv4_1 _conv4_2 _conv4_3", "0a_1x1 0b_3x3 0c_3x3"),
        **_row(3, "_conv1", "0b_1x1"),
    },
    "RA": {
        **_row(0, "_conv2", "1a_3x3"),
        **_row(1, "_conv3_1 _conv3_2 _conv3_3", "0a_1x1 0b_3x3 1a_3x3"),
    },
    "B": {
        **_row(0, "_conv2", "0a_1x1"),
        **_row(1, "_conv3_1 _conv3_2 _conv3_3", "0a_1x1 0b_1x7 0c_7x1"),
        **_row(
            2,
            "_conv4_1 _conv4_2 _conv4_3 _conv4_4 _conv4_5",
            "0a_1x1 0b_7x1 0c_1x7 0d_7x1 0e_1x7",
        ),
        **_row(3, "_conv1", "0b_1x1"),
    },
    "RB": {
        **_row(0, "_conv2_1 _conv2_2", "0a_1x1 1a_3x3"),
        **_row(1, "_conv3_1 _conv3_2 _conv3_3 _conv3_4", "0a_1x1 0b_1x7 0c_7x1 1a_3x3"),
    },
    "C": {
        **_row(0, "_conv2", "0a_1x1"),
        **_row(1, "_conv3_0 _conv3_1 _conv3_2", "0a_1x1 0b_1x3 0c_3x1"),
        **_row(
            2,
            "_conv4_0 _conv4_00 _conv4_000 _conv4_1 _conv4_2",
            "0a_1x1 0b_3x1 0c_1x3 0d_1x3 0e_3x1",
        ),
        **_row(3, "_conv1", "0b_1x1"),
    },
}
_V4_STEM = {
    "_conv_1": "Conv2d_1a_3x3",
    "_conv_2": "Conv2d_2a_3x3",
    "_conv_3": "Conv2d_2b_3x3",
    "_conv2": "Mixed_3a/Branch_1/Conv2d_0a_3x3",
    "_conv1_1": "Mixed_4a/Branch_0/Conv2d_0a_1x1",
    "_conv1_2": "Mixed_4a/Branch_0/Conv2d_1a_3x3",
    "_conv2_1": "Mixed_4a/Branch_1/Conv2d_0a_1x1",
    "_conv2_2": "Mixed_4a/Branch_1/Conv2d_0b_1x7",
    "_conv2_3": "Mixed_4a/Branch_1/Conv2d_0c_7x1",
    "_conv2_4": "Mixed_4a/Branch_1/Conv2d_1a_3x3",
    "_conv3": "Mixed_5a/Branch_0/Conv2d_1a_3x3",
}
_V4 = {
    **{f"_inception_stem.{unit}": scope for unit, scope in _V4_STEM.items()},
    **_modules(
        "_",
        {
            **{f"inceptionA_{number}": f"5{'abcde'[number]} A" for number in range(1, 5)},
            "reductionA": "6a RA",
            **{f"inceptionB_{number}": f"6{'abcdefgh'[number]} B" for number in range(1, 8)},
            "reductionB": "7a RB",
            **{f"inceptionC_{number}": f"7{'abcd'[number]} C" for number in range(1, 4)},
        },
        _V4_TABLES,
    ),
    "out": "Logits/Logits",
}
_RESIDUAL_V1 = {"stem.0": "conv1", "fc": "logits"}
_RESIDUAL_V2 = {"conv1": "conv1", "bn": "postnorm", "fc": "logits"}
_PRE_ACTIVATION = {
    "bn0": "preact",
    "conv0": "conv1",
    "bn1": "conv1/BatchNorm",
    "conv1": "conv2",
    "bn2": "conv2/BatchNorm",
    "conv2": "conv3",
    "short": "shortcut",
}


def _residual_v1(names: Collection[str]) -> ScopeOf:
    parts = {"conv0": "conv1", "conv1": "conv2", "conv2": "conv3", "short": "shortcut"}
    units = _residual_units(names, "bottleneck_v1", parts)
    return _of_units((_RESIDUAL_V1 | units).__getitem__)


def _residual_v2(names: Collection[str]) -> ScopeOf:
    return (_RESIDUAL_V2 | _residual_units(names, "bottleneck_v2", _PRE_ACTIVATION)).__getitem__


def _residual_units(
    names: Collection[str], bottleneck: str, parts: Mapping[str, str]
) -> dict[str, str]:
    """Returns the scopes in residual blocks; a stage begins with the block that projects."""
    numbers = {int(name.split(".")[1]) for name in names if name.startswith("blocks.")}
    scopes: dict[str, str] = {}
    stage = unit = 0
    for number in sorted(numbers):
        projects = any(name.startswith(f"blocks.{number}.short.") for name in names)
        stage, unit = (stage + 1, 1) if projects else (stage, unit + 1)
        scope = f"block{stage}/unit_{unit}/{bottleneck}"
        scopes |= {f"blocks.{number}.{part}": f"{scope}/{end}" for part, end in parts.items()}
    return scopes


def _alexnet(_: Collection[str]) -> ScopeOf:
    return lambda layer: layer.removeprefix("_").removesuffix("._conv")


def _vgg(_: Collection[str]) -> ScopeOf:
    linear = {"fc1": "fc6", "fc2": "fc7", "fc3": "fc8"}

    def scope_of(layer: str) -> str:
        if layer in linear:
            return linear[layer]
        block, _, conv = layer.partition(".")
        number = block.removeprefix("conv_block_")
        return f"conv{number}/conv{number}_{conv.removeprefix('conv')}"

    return scope_of


SCOPES: Mapping[str, Callable[[Collection[str]], ScopeOf]] = {
    "inception_v1": _same("Conv2d_0c_1x1"),
    "inception_v2": _same("Conv2d_1c_1x1"),
    "inception_v3": _listed(_V3),
    "inception_v4": _listed(_V4),
    "inception_resnet_v2": _same("Logits"),
    "resnet_v1": _residual_v1,
    "resnet_v2": _residual_v2,
    "vgg": _vgg,
    "alexnet_v2": _alexnet,
}
"""Family of networks -> what makes the map of a network from the names of its parameters."""
