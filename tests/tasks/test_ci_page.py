"""The recipes of docs/ci.md: YAML that parses, and commands that this version takes."""

import re
import shlex

import pytest
import yaml

from toolkit.config.load import load_config


@pytest.fixture
def blocks(repository):
    page = (repository / "docs" / "ci.md").read_text(encoding="utf-8")
    return re.findall(r"```(\w+)\n(.*?)```", page, re.S)


def commands(blocks):
    for kind, text in blocks:
        if kind == "bash":
            yield text.replace("\\\n", " ")
            continue
        recipe = yaml.safe_load(text)
        if "jobs" in recipe:
            steps = recipe["jobs"]["check"]["steps"]
            yield next(step["run"] for step in steps if step.get("name") == "Check the dataset")
        else:
            yield recipe["repos"][0]["hooks"][0]["entry"]


def test_each_recipe_has_a_command_that_is_taken(blocks, repository):
    found = list(commands(blocks))
    assert len(found) == 3
    for command in found:
        program, flag, config, *rest = shlex.split(command)
        assert (program, flag) == ("image-retrieval-toolkit", "-c")
        overrides = [word for word in rest if word != "-o"]
        checked = load_config(repository / config.removeprefix("toolkit/"), overrides)
        assert checked.Global.mode == "check_dataset"
        assert checked.Global.output == "output/check"
