"""Where files are kept and asked for: configuration, then environment, then defaults."""

from pathlib import Path

import pytest

from toolkit.errors import FetchError
from toolkit.fetch.options import FetchOptions

OFFICIAL = "https://paddle-model-ecology.bj.bcebos.com/paddlex/a/b.tar?x=1&y=%20#z"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOOLKIT_CACHE_HOME", "TOOLKIT_MIRROR", "PADDLE_PDX_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_a_configuration_goes_before_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    default = FetchOptions.from_environment()
    assert default.cache == Path.home() / ".cache" / "image-retrieval-toolkit"
    assert (default.mirror, default.verify) == (None, False)
    monkeypatch.setenv("TOOLKIT_CACHE_HOME", "~/env")
    monkeypatch.setenv("TOOLKIT_MIRROR", "http://env")
    assert FetchOptions.from_environment() == FetchOptions(Path.home() / "env", "http://env")
    given = FetchOptions.from_environment(str(tmp_path), "http://given", verify=True)
    assert given == FetchOptions(tmp_path, "http://given", verify=True)


def test_the_model_folders_follow_both_caches(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = FetchOptions(tmp_path / "a")
    own, paddlex = options.model_folders()
    assert own == tmp_path / "a/official_models"
    assert paddlex == Path.home() / ".paddlex/official_models"
    monkeypatch.setenv("PADDLE_PDX_CACHE_HOME", str(tmp_path / "b"))
    assert options.model_folders()[1] == tmp_path / "b/official_models"


@pytest.mark.parametrize(
    ("mirror", "expected"),
    [
        (None, OFFICIAL),
        ("http://mirror:8080", "http://mirror:8080/paddlex/a/b.tar?x=1&y=%20#z"),
        ("https://mirror/base/", "https://mirror/base/paddlex/a/b.tar?x=1&y=%20#z"),
    ],
)
def test_a_mirror_replaces_scheme_and_host(
    tmp_path: Path, mirror: str | None, expected: str
) -> None:
    assert FetchOptions(tmp_path, mirror).address(OFFICIAL) == expected


@pytest.mark.parametrize("url", ["https://example.com/a", "https://notbcebos.com/a"])
def test_other_hosts_are_asked_as_they_are_given(tmp_path: Path, url: str) -> None:
    assert FetchOptions(tmp_path, "http://mirror").address(url) == url


@pytest.mark.parametrize("mirror", ["mirror/base", "file:///data", "http://"])
def test_a_mirror_that_is_no_address_is_named(tmp_path: Path, mirror: str) -> None:
    with pytest.raises(FetchError, match=r"not an http.*Global\.mirror or TOOLKIT_MIRROR"):
        FetchOptions(tmp_path, mirror).address(OFFICIAL)
