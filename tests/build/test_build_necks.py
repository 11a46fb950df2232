"""What build hands to necks: the width of what each of them reads."""

import pytest

from toolkit.build import model as build_model
from toolkit.build.model import build_recognizer
from toolkit.errors import ConfigError
from toolkit.models.necks import FPN, GeM
from toolkit.registry import BACKBONES, NECKS


class WithoutMaps:
    """Backbones that are cut from something else and give a feature alone."""

    def build(self, name, **options):
        backbone = BACKBONES.build(name, **options)
        backbone.map_channels = ()
        return backbone


SMALL = "Arch.Backbone={name: SmallResNet, widths: [4, 8], stage_strides: [2, 2]}"


@pytest.mark.parametrize("name", NECKS.names())
def test_every_neck_is_built_on_every_kind_of_feature(configure, name):
    import paddle

    # PPLCNet's feature (64 values) is not as long as its last map is wide (128).
    for backbone in (SMALL, "Arch.Backbone={name: TinyPPLCNet}"):
        config = configure(backbone, f"Arch.Neck={{name: {name}}}")
        network = build_recognizer(config.Arch, 3)
        network.eval()
        outputs = network(paddle.randn([2, 3, 32, 32]))
        assert {key: value.shape[1] for key, value in outputs.items()} == {
            **network.output_sizes,
            "logits": 3,
        }


def test_necks_get_the_widths_of_what_they_read(configure):
    config = configure(SMALL, "Arch.Neck={name: GeM}")
    neck = build_recognizer(config.Arch, None).neck
    assert (type(neck), neck.out_features) == (GeM, 8)
    config = configure(SMALL, "Arch.Neck={name: FPN, out_channels: 5, embedding_size: 6}")
    neck = build_recognizer(config.Arch, None).neck
    assert type(neck) is FPN
    assert [layer.weight.shape for layer in neck.lateral] == [[5, 4, 1, 1], [5, 8, 1, 1]]


def test_a_backbone_without_maps_is_refused_by_name(configure, monkeypatch):
    config = configure(SMALL, "Arch.Neck={name: FPN}")
    monkeypatch.setattr(build_model, "BACKBONES", WithoutMaps())
    with pytest.raises(ConfigError, match=r"neck FPN reads the backbone's maps, and SmallResNet"):
        build_recognizer(config.Arch, None)


def test_a_width_is_not_for_a_configuration_to_say(configure):
    with pytest.raises(ConfigError, match=r"Unknown key of neck FPN.*in_channels|in_channels"):
        configure("Arch.Neck={name: FPN, in_channels: [3]}")
