"""The page's files: in the package, within the content policy, and with a text for every place."""

import json
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from toolkit.serving.web.page_routes import FOLDER

SCRIPTS = sorted((FOLDER / "js").glob("*.js"))
LANGUAGES = ("en", "zh")


def _words(language: str) -> dict[str, Any]:
    """A table is JSON behind two words of JavaScript."""
    text = (FOLDER / "words" / f"{language}.js").read_text(encoding="utf-8")
    pairs: list[tuple[str, Any]] = json.loads(
        text.removeprefix("export default ").rstrip().removesuffix(";"), object_pairs_hook=list
    )
    assert len({key for key, _ in pairs}) == len(pairs), "a text stands twice"
    return dict(pairs)


def _gaps(text: Any) -> set[str]:
    return set(re.findall(r"\{\w+\}", json.dumps(text)))


def test_both_languages_say_the_same() -> None:
    english, chinese = map(_words, LANGUAGES)
    assert list(english) == list(chinese)
    for key, text in english.items():
        assert _gaps(text) == _gaps(chinese[key]), key
        assert isinstance(text, list) == isinstance(chinese[key], list), key


def test_every_text_is_used_and_is_there() -> None:
    sources = [FOLDER / "index.html", *SCRIPTS]
    everything = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    said = set(re.findall(r'data-words(?:-\w+)?="([^"]+)"', everything))
    named = set(re.findall(r'"([a-z]+(?:\.[a-z_]+)?)"', everything))
    made = tuple(set(re.findall(r"`([a-z]+\.)\$\{", everything)) | {"metric.", "kind.", "live."})
    for key in (key.removesuffix("_touched") for key in _words("en")):
        assert key in said | named or key.startswith(made), f"{key} is not used"
    assert said <= set(_words("en"))
    dotted = {name for name in named if "." in name and not name.endswith((".js", ".svg"))}
    assert dotted <= set(_words("en"))


def test_every_kind_of_problem_has_a_sentence() -> None:
    from toolkit.serving.problems import Kind

    of_other_fronts = {"unknown_function", "not_initialised", "no_backend"}
    kinds = {kind.name.lower() for kind in Kind} - of_other_fronts
    assert {f"problem.{kind}" for kind in kinds} <= set(_words("en"))


def test_the_package_has_the_page() -> None:
    """The folder that the server reads is found as a resource; tests/ground sees that it ships."""
    page = files("toolkit.serving").joinpath("page")
    assert Path(str(page)) == FOLDER
    for name in ("index.html", "favicon.svg", "icons.svg", "js/main.js", "words/zh.js"):
        assert page.joinpath(name).is_file(), name


def test_nothing_is_inline_and_nothing_from_elsewhere() -> None:
    index = (FOLDER / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", index)
    for path in FOLDER.rglob("*"):
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        text = text.replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|url\(\s*['\"]?//", text), path
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text
        ), path
        assert len(text.splitlines()) <= 300, path


def test_every_icon_is_drawn() -> None:
    drawn = set(re.findall(r'symbol id="(\w+)"', (FOLDER / "icons.svg").read_text("utf-8")))
    sources = [FOLDER / "index.html", *SCRIPTS]
    everything = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    asked = set(
        re.findall(r'icons\.svg#(\w+)|icon\("(\w+)"\)|button\("[^"]+", "(\w+)"', everything)
    )
    assert {name for names in asked for name in names if name} <= drawn


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not on this machine")
def test_scripts_are_javascript() -> None:
    """Parsed as modules, and not run."""
    parse = (
        "import { readFileSync } from 'node:fs'; import { SourceTextModule } from 'node:vm';"
        "for (const path of process.argv.slice(1))"
        "  new SourceTextModule(readFileSync(path, 'utf8'), { identifier: path });"
    )
    paths = [*SCRIPTS, *(FOLDER / "words").glob("*.js")]
    command = ["node", "--experimental-vm-modules", "--input-type=module", "--eval", parse, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
