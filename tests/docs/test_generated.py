import importlib.util
from pathlib import Path


def test_the_generated_pages_are_fresh(repository: Path) -> None:
    spec = importlib.util.spec_from_file_location("generate", repository / "docs/generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for file, text in generate.pages().items():
        assert file.read_text(encoding="utf-8") == text, f"{file.name}: run make docs"
