"""Names with a prefix, whose parts take options that nobody lists."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from toolkit.config.parts import PartField
from toolkit.errors import ConfigError
from toolkit.registry import BACKBONES

BACKBONE = PartField(BACKBONES)


def test_every_name_with_the_prefix_is_known_and_alone_the_prefix_is_not():
    assert "paddleclas/GhostNet_x0_5" in BACKBONES
    assert "paddleclas/" not in BACKBONES
    assert "GhostNet_x0_5" not in BACKBONES
    assert not any(name.startswith("paddleclas/") for name in BACKBONES.names())
    with pytest.raises(ConfigError, match=r"Unknown backbone 'paddleclas/'.* paddleclas/\.\.\."):
        BACKBONES.location("paddleclas/")


def test_its_own_options_are_checked_and_others_are_kept_as_they_are():
    raw = {"name": "paddleclas/GhostNet_x0_5", "stop_after": "pool", "scale": 0.5, "list": [1]}
    part = BACKBONE.read(raw)
    assert part.options == {"stop_after": "pool", "trial_side": 224, "scale": 0.5, "list": [1]}
    assert BACKBONE.read(BACKBONE.write(part)) == part
    with pytest.raises(ValidationError, match="greater than 0; received 0"):
        BACKBONE.read(raw | {"trial_side": 0})


def test_the_rest_of_the_name_is_no_option():
    with pytest.raises(ConfigError, match="Unknown option 'network' of backbone paddleclas/A"):
        BACKBONES.build("paddleclas/A", network="B")


def test_parts_of_the_table_still_refuse_what_they_do_not_know():
    with pytest.raises(ValidationError, match="Unknown key of backbone SmallResNet"):
        BACKBONE.read({"name": "SmallResNet", "scale": 0.5})
    with pytest.raises(ConfigError, match="Unknown option 'scale' of backbone SmallResNet"):
        BACKBONES.build("SmallResNet", scale=0.5)


def test_reading_such_a_part_imports_neither_paddle_nor_paddleclas():
    code = (
        "import sys; from toolkit.config.parts import PartField; "
        "from toolkit.registry import BACKBONES; "
        "PartField(BACKBONES).read({'name': 'paddleclas/GhostNet_x0_5', 'scale': 1}); "
        "sys.exit(any(name in sys.modules for name in ('paddle', 'paddleclas', 'ppcls')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
