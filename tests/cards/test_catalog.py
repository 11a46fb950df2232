"""Every card: a valid recipe of known parts, and the facts of its network."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from benchmarks.costs import count
from toolkit.cards.catalog import CARDS, DEFAULT_MODEL, list_models, model_card, models_table
from toolkit.config.schema import Config
from toolkit.errors import ModelError
from toolkit.fingerprint import fingerprint_file
from toolkit.registry import BACKBONES

SMALL = [DEFAULT_MODEL, "SmallResNet_rec", "PPLCNet_x0_25", "PPLCNet_x0_5_rec"]


@pytest.mark.parametrize("name", CARDS)
def test_the_recipe_is_a_whole_configuration(name):
    card = CARDS[name]
    config = Config.model_validate({"Global": {"model": name}, **yaml.safe_load(card.recipe)})
    assert config.Arch.Backbone.name in BACKBONES
    assert card.architecture.startswith(config.Arch.Backbone.name)
    steps = [step.name for step in config.Data.eval_transforms]
    assert steps[-2:] == ["NormalizeImage", "ToCHWImage"]


@pytest.mark.parametrize("name", CARDS)
def test_a_card_says_what_people_ask(name):
    card = CARDS[name]
    assert card.name == name
    for text in (card.summary, card.preprocessing, card.licence, card.good_for, card.not_for):
        assert text
    for url in (card.pretrained_url, card.weights_url, card.inference_url):
        assert url is None or re.fullmatch(r"https://[\w.-]+\.bcebos\.com/\S+\.(pdparams|tar)", url)
    assert all(number.source for number in card.published)
    assert card.embedded == card.embedded_folder.is_dir()


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in SMALL else pytest.mark.slow) for n in CARDS]
)
def test_size_and_cost_are_those_of_the_network(name):
    card = CARDS[name]
    assert count(card) == (card.input_size, card.parameters, card.multiply_adds)


def test_the_model_of_the_package_is_small_and_its_recipe_is_the_one_that_trained_it(
    repository: Path,
):
    card = CARDS[DEFAULT_MODEL]
    files = {file.name: file.stat().st_size for file in card.embedded_folder.iterdir()}
    graphs = {"features.onnx", "inference.json", "inference.pdiparams"}
    assert set(files) == {*graphs, "inference.yml"}
    assert sum(files.values()) <= 12_000_000
    said = yaml.safe_load((card.embedded_folder / "inference.yml").read_text("utf-8"))
    assert said["Toolkit"]["files"] == {
        name: fingerprint_file(card.embedded_folder / name) for name in graphs
    }
    config = yaml.safe_load(
        (repository / f"configs/general_recognition/{DEFAULT_MODEL}.yaml").read_text("utf-8")
    )
    recipe = yaml.safe_load(card.recipe)
    assert {section: config[section] for section in recipe} == recipe
    for number in card.measured:
        script, *options = shlex.split(number.source)[1:]
        assert (repository / script).is_file()
        assert (repository / options[options.index("-c") + 1]).is_file()
        weights = f"Evaluate.weight_path={card.embedded_folder.relative_to(repository)}"
        assert weights in options


def test_what_paddlex_published_is_told():
    told = {
        (name, number.what): number.value
        for name in list_models("recognition")
        for number in CARDS[name].published
    }
    for name, recall, gpu, cpu in (
        ("PP-ShiTuV2_rec", 84.2, 5.23428, 19.6005),
        ("PP-ShiTuV2_rec_CLIP_vit_base", 88.69, 13.1957, 285.493),
        ("PP-ShiTuV2_rec_CLIP_vit_large", 91.03, 51.1284, 1131.28),
    ):
        assert told[name, "AliProducts recall@1, %"] == recall
        assert (told[name, "GPU, ms"], told[name, "CPU, ms"]) == (gpu, cpu)


def test_models_are_listed_by_kind():
    assert list_models() == list(CARDS)
    both = [*list_models("recognition"), *list_models("backbone")]
    assert sorted(both) == sorted(CARDS)
    assert "ResNet50_vd" in list_models("backbone")
    assert DEFAULT_MODEL in list_models("recognition")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ModelError, match=r"'PP-ShiTuV2_res'\. Did you mean 'PP-ShiTuV2_rec'"):
        model_card("PP-ShiTuV2_res")


def test_the_table_has_a_line_a_model():
    heading, *lines = models_table().splitlines()
    assert [line.split()[0] for line in lines] == list(CARDS)
    assert heading.startswith("name")
    (default,) = (line for line in lines if line.startswith(DEFAULT_MODEL))
    assert default.endswith("in this package")


@pytest.mark.e2e
def test_the_command_line_lists_models_without_paddle(repository: Path):
    code = (
        "import sys; sys.modules['paddle'] = None; sys.argv = ['main.py', '--list-models'];"
        "from toolkit.interfaces.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=repository
    )
    assert done.stdout.strip() == models_table()
