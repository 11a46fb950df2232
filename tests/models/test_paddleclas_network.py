import copy
import importlib
import sys

import numpy as np
import paddle
import pytest

from toolkit.build.model import build_recognizer
from toolkit.config.recipe_sections import NetworkSection
from toolkit.errors import ConfigError, ExtraError
from toolkit.registry import BACKBONES

# A miniature of the wheel: what it holds at the same places, and nothing of PaddleClas.
FILES = {
    "__init__.py": "raise RuntimeError('importing paddleclas starts its tools')",
    "ppcls/__init__.py": "",
    "ppcls/utils/__init__.py": "",
    "ppcls/utils/logger.py": """
ready = False

def init_logger(log_level):
    global ready
    ready = True
""",
    "ppcls/arch/__init__.py": "from . import backbone",
    "ppcls/arch/backbone/__init__.py": """
from .small import Small, Tokens, SizedFor64

def get_apis():
    return []
""",
    "ppcls/arch/backbone/small.py": """
import paddle
from paddle import nn
from ppcls.utils import logger


class SmallNet(nn.Layer):
    def __init__(self, width=4, class_num=1000):
        super().__init__()
        assert logger.ready
        self.conv = nn.Conv2D(3, width, 3, 2, 1, weight_attr=paddle.ParamAttr(name="conv_weights"))
        self.blocks = nn.Sequential(nn.Conv2D(width, width, 1), nn.ReLU(), nn.Conv2D(width, 6, 1))
        self.avg_pool = nn.AdaptiveAvgPool2D(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(6, class_num)
        self.shift = self.create_parameter([3, 1, 1])
        self.register_buffer("saved", paddle.ones([1]))
        self.register_buffer("unsaved", paddle.ones([1]), persistable=False)

    def forward(self, x):
        x = self.conv(x + self.shift * self.saved)
        x = nn.functional.dropout(x, 0.5, training=self.training)
        return self.classifier(self.flatten(self.avg_pool(self.blocks(x))))


class TokensNet(nn.Layer):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2D(3, 4, 8, 8)

    def forward(self, x):
        return self.conv(x).flatten(2).transpose([0, 2, 1])


class SizedNet(nn.Layer):
    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(3 * 64 * 64, 5)

    def forward(self, x):
        return self.fc(self.flatten(x))


def Small(pretrained=False, **options):
    return SmallNet(**options)

def Tokens(pretrained=False):
    return TokensNet()

def SizedFor64():
    return SizedNet()
""",
}


@pytest.fixture(autouse=True)
def wheel(tmp_path, monkeypatch):
    """Draws the miniature, and forgets it afterwards."""
    for name, text in FILES.items():
        file = tmp_path / "paddleclas" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in {"ppcls", "paddleclas"}]:
        del sys.modules[name]


def build(network="Small", **options):
    return BACKBONES.build(f"paddleclas/{network}", trial_side=64, **options)


def original(class_num):
    with paddle.utils.unique_name.guard():
        return sys.modules["ppcls.arch.backbone"].Small(class_num=class_num)


def test_the_whole_network_gives_what_paddleclas_gives_under_the_same_names():
    paddle.seed(0)
    backbone = build(class_num=7)
    network = original(7)
    assert backbone.out_features == 7
    assert list(backbone.state_dict()) == list(network.state_dict())
    assert "saved" in backbone.state_dict()
    assert "unsaved" not in backbone.state_dict()
    network.set_state_dict(backbone.state_dict())
    for one in (backbone, network):
        one.eval()
    images = paddle.randn([2, 3, 64, 64])
    assert backbone(images).tolist() == network(images).tolist()


def test_it_stops_after_a_layer_and_averages_a_map():
    backbone = build(stop_after="flatten", width=2)
    assert (backbone.out_features, backbone.map_channels) == (6, ())
    assert not any(name.startswith("classifier") for name in backbone.state_dict())
    for path in ("blocks[1]", "blocks.1"):
        backbone = build(stop_after=path, width=5)
        assert (backbone.out_features, backbone.map_channels) == (5, (5,))
        assert "blocks.2.weight" not in backbone.state_dict()
        backbone.eval()
        images = paddle.randn([2, 3, 64, 64])
        # Pooling and flattening stand after the blocks, so what comes out is still a map.
        (last,) = backbone.maps(images)
        assert last.shape == [2, 5, 32, 32]
        assert backbone.map_strides == (2,)
        assert float(last.min()) == 0.0
        means = last.numpy().mean(axis=(2, 3))
        np.testing.assert_allclose(backbone(images).numpy(), means, rtol=1e-5)


def test_a_neck_that_reads_maps_needs_a_network_that_ends_in_one():
    def section(**options):
        backbone = {"name": "paddleclas/Small", "trial_side": 64, **options}
        return NetworkSection.model_validate({"Backbone": backbone, "Neck": {"name": "FPN"}})

    assert build_recognizer(section(stop_after="blocks"), None).out_features == 512
    with pytest.raises(ConfigError, match=r"FPN reads the backbone's maps, and paddleclas/Small"):
        build_recognizer(section(), None)
    with pytest.raises(ValueError, match=r"ends in a feature.*stop_after"):
        build().maps(paddle.zeros([1, 3, 64, 64]))


def test_training_reaches_the_network_itself_and_all_its_parameters():
    backbone = build(stop_after="flatten")
    images = paddle.ones([1, 3, 64, 64])
    backbone.train()
    paddle.seed(0)
    first, second = backbone(images), backbone(images)
    assert first.tolist() != second.tolist()  # dropout, which is no layer there
    first.sum().backward()
    assert all(parameter.grad is not None for parameter in backbone.parameters())
    backbone.eval()
    assert backbone(images).tolist() == backbone(images).tolist()


def test_two_networks_of_a_kind_have_parameters_of_their_own():
    first, second = build(), build()
    names = [parameter.name for one in (first, second) for parameter in one.parameters()]
    assert len(set(names)) == len(names)


def test_a_copy_is_independent():
    backbone = build()
    backbone.eval()
    images = paddle.ones([1, 3, 64, 64])
    before = backbone(images).tolist()
    other = copy.deepcopy(backbone)
    other.eval()
    for parameter in other.parameters():
        parameter.set_value(paddle.zeros_like(parameter))
    assert backbone(images).tolist() == before
    assert other(images).abs().max() == 0.0


def test_the_path_of_imports_is_left_as_it_was():
    before = list(sys.path)
    build()
    assert sys.path == before


@pytest.mark.parametrize(
    ("network", "options", "problem"),
    [
        (
            "Smal",
            {},
            r"no network 'Smal'\. Did you mean 'Small'\? Known: SizedFor64, Small, Tokens\.$",
        ),
        ("Small", {"stop_after": "flaten"}, r"no 'flaten'\. Did you mean 'flatten'\?"),
        ("Small", {"stop_after": "blocks[7]"}, r"no '7'\. Layers there: 0, 1, 2"),
        ("Small", {"depth": 3}, r"paddleclas/Small.*cannot build it with \{'depth': 3\}"),
        ("Small", {"pretrained": True}, r"Train\.pretrain_weight_path"),
        ("Tokens", {}, r"gives \[1, 64, 4\].*stop_after one of its layers: conv"),
    ],
)
def test_what_cannot_be_built_is_told(network, options, problem):
    with pytest.raises(ConfigError, match=problem):
        build(network, **options)


def test_a_network_for_one_size_names_the_option_that_says_it():
    assert build("SizedFor64").out_features == 5
    with pytest.raises(ConfigError, match=r"image of 224 x 224.*trial_side"):
        BACKBONES.build("paddleclas/SizedFor64")


def test_without_paddleclas_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setitem(sys.modules, "ppcls", None)
    with pytest.raises(ExtraError, match=r"pip install .*\[paddleclas\]"):
        build()
