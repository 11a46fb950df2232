"""What a configuration says of downloads."""

from pathlib import Path

from toolkit.build.fetching import fetch_options
from toolkit.fetch.options import FetchOptions


def test_the_section_goes_before_the_environment(configure, monkeypatch, tmp_path):
    monkeypatch.setenv("TOOLKIT_CACHE_HOME", str(tmp_path / "environment"))
    monkeypatch.setenv("TOOLKIT_MIRROR", "http://environment")
    expected = FetchOptions(tmp_path / "environment", "http://environment")
    assert fetch_options(configure()) == expected
    given = ("Global.cache_dir=cache", "Global.mirror=http://given", "Global.verify=true")
    expected = FetchOptions(Path("cache"), "http://given", verify=True)
    assert fetch_options(configure(*given)) == expected
