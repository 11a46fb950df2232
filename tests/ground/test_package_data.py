"""What is no Python ships only if pyproject.toml names it; a checkout hides that it does not."""

from pathlib import Path

import pytest

tomllib = pytest.importorskip("tomllib")  # Python 3.11


def test_every_file_of_the_package_is_shipped(repository: Path) -> None:
    settings = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["toolkit"]
    package = repository / "toolkit"
    shipped = {file for pattern in patterns for file in package.glob(pattern)}
    files = {file for file in package.rglob("*") if file.is_file() and file.suffix != ".py"}
    others = {file for file in files if "__pycache__" not in file.parts}
    assert package / "cards/embedded/SmallResNet_general/inference.pdiparams" in others
    assert others <= shipped
