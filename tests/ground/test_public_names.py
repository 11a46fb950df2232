"""What the package promises: its names, its version, and that importing it is cheap."""

import subprocess
import sys
from pathlib import Path

import toolkit

HEAVY = ("paddle", "numpy", "cv2", "matplotlib", "pydantic", "faiss", "rich", "PIL")


def test_the_public_names_are_these() -> None:
    functions = [
        "build_index",
        "create_model",
        "extract",
        "list_models",
        "model_card",
        "run",
        "search",
    ]
    assert toolkit.__all__ == ["ToolkitError", "__version__", *functions]
    for name in toolkit.__all__:
        assert getattr(toolkit, name) is not None


def test_importing_brings_in_nothing_heavy(repository: Path) -> None:
    code = f"import sys, toolkit; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=repository
    )
    assert done.stdout.strip() == "[]"


def test_the_changelog_is_of_this_version(repository: Path) -> None:
    text = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = next(line for line in text.splitlines() if line.startswith("## ["))
    assert newest.startswith(f"## [{toolkit.__version__}]")
