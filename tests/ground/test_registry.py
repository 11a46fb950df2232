import pytest

from toolkit import registry
from toolkit.errors import ConfigError, ExtraError, import_optional, nearest
from toolkit.registry import Registry

ALL = {name: value for name, value in vars(registry).items() if isinstance(value, Registry)}


@pytest.mark.parametrize("table", ALL.values(), ids=ALL)
def test_every_name_leads_to_a_part(table: Registry) -> None:
    for name in table.names():
        assert callable(table.get(name))
        table.options(name)


def test_an_unknown_name_lists_the_known_and_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"Unknown loss 'CELos'. Did you mean 'CELoss'\? Known"):
        registry.LOSSES.get("CELos")


def test_unknown_and_missing_options_and_refused_values_are_named() -> None:
    with pytest.raises(ConfigError, match=r"Unknown option 'sice' of transform CropImage.*'size'"):
        registry.TRANSFORMS.build("CropImage", sice=3)
    with pytest.raises(ConfigError, match="transform CropImage needs size"):
        registry.TRANSFORMS.build("CropImage")
    with pytest.raises(ConfigError, match="transform NormalizeImage: "):
        registry.TRANSFORMS.build("NormalizeImage", scale=-1.0)


def test_a_missing_optional_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "visualdl", None)
    with pytest.raises(ExtraError, match=r"\[visualdl\]"):
        import_optional("visualdl", purpose="Writing scalars")


def test_a_missing_module_of_ours_is_a_bug_not_an_extra() -> None:
    with pytest.raises(ModuleNotFoundError):
        import_optional("toolkit.no_such_module", purpose="x")


def test_nearest() -> None:
    assert nearest("bacbone", ["Backbone", "Neck"]) == " Did you mean 'Backbone'?"
    assert nearest("zzz", ["Backbone"]) == ""
