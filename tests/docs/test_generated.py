from docs import generate


def test_the_generated_pages_are_fresh() -> None:
    for file, text in generate.pages().items():
        assert file.read_text(encoding="utf-8") == text, f"{file.name}: run make docs"
