import pytest

from docs import generate

SLOW = ("endpoints.md",)  # it runs six networks


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in generate.PAGES]
)
def test_a_generated_page_is_fresh(name: str) -> None:
    written = (generate.DOCS / name).read_text(encoding="utf-8")
    assert written == generate.PAGES[name](), f"{name}: run make docs"
