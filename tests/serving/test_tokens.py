from pathlib import Path

import pytest

from toolkit.errors import ConfigError
from toolkit.serving.tokens import Tokens

LINES = ["# of the shop", "", "secret-w", "secret-r read", "secret-o write other"]


@pytest.mark.parametrize(
    ("shown", "access", "home"),
    [
        ("secret-w", "write", ""),
        ("Bearer secret-w", "write", ""),
        ("bearer  secret-r ", "read", ""),
        ("secret-o", "write", "other"),
    ],
)
def test_a_known_token(shown: str, access: str, home: str) -> None:
    client = Tokens(LINES).client(shown)
    assert client is not None
    assert (client.access, client.home) == (access, home)
    assert "secret" not in client.name


@pytest.mark.parametrize(
    "shown",
    [None, "", "Bearer", "Bearer ", "secret", "secret-w2", "# of the shop", "read", "\udcff"],
)
def test_an_unknown_token(shown: str | None) -> None:
    assert Tokens(LINES).client(shown) is None


@pytest.mark.parametrize(
    "line", ["t0ken reads", "t0ken write ../up", "t0ken read a b", "t0ken read ."]
)
def test_a_malformed_line_is_refused_without_showing_the_token(line: str) -> None:
    with pytest.raises(ConfigError, match="number 2") as caught:
        Tokens(["good", line])
    assert "t0ken" not in str(caught.value)


def test_tokens_of_a_file_and_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_TOKEN", "a, b read")
    from_environment = Tokens.given(None)
    assert from_environment.client("a") is not None
    assert from_environment.client("b").access == "read"  # type: ignore[union-attr]
    file = tmp_path / "tokens"
    file.write_text("c\n", encoding="utf-8")
    assert Tokens.given(str(file)).client("a") is None
    assert Tokens.given(str(file)).client("c") is not None
    monkeypatch.delenv("TOOLKIT_TOKEN")
    with pytest.raises(ConfigError, match="TOOLKIT_TOKEN"):
        Tokens.given(None)
    with pytest.raises(ConfigError, match="cannot be read"):
        Tokens.given(str(tmp_path / "missing"))
