"""Each command of the tutorial can be typed as it stands."""

import re
import shlex
from pathlib import Path

import pytest

from toolkit.cards.catalog import CARDS
from toolkit.config.load import load_config
from toolkit.inference.predictor import Predictor
from toolkit.inference.result import FeatureResult
from toolkit.interfaces.cli import _parser

TEXT = (Path(__file__).parents[2] / "docs/tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", TEXT, flags=re.DOTALL)
COMMANDS = [shlex.split(block.replace("\\\n", " ")) for block in BLOCKS]
MODES = ["check_dataset", "train", "evaluate", "predict", "export"]


def runs() -> list[list[str]]:
    return [command for command in COMMANDS if command[1] == "main.py"]


@pytest.mark.parametrize("command", runs(), ids=lambda command: " ".join(command[5:])[:60])
def test_a_run_has_a_valid_configuration(
    command: list[str], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    options = _parser().parse_args(command[2:])
    config = load_config(options.config, options.override)
    assert config.Global.mode in MODES
    weights = config.Train.pretrain_weight_path
    assert weights is None or weights == CARDS["PP-ShiTuV2_rec"].pretrained_url


def test_every_mode_and_every_step_of_paddlex_is_there() -> None:
    text = [" ".join(command) for command in runs()]
    assert all(any(f"Global.mode={mode}" in line for line in text) for mode in MODES)
    for option in ("convert.src_dataset_type=LabelMe", "split.train_percent=70", "--verify"):
        assert any(option in line for line in text)


def test_the_scripts_are_there(repository: Path) -> None:
    from dataset_tools import download_examples

    others = [command for command in COMMANDS if command[1] != "main.py"]
    assert {command[1] for command in others} == {"dataset_tools/download_examples.py"}
    only = {name for command in others for name in command[command.index("dataset") + 2 :]}
    assert only <= set(download_examples.EXAMPLES)
    for script in re.findall(r"dataset_tools/\w+\.py", TEXT):
        assert (repository / script).is_file()
    for example in download_examples.EXAMPLES.values():
        assert f"dataset/{example.name}" in TEXT


def test_the_python_is_of_names_that_exist() -> None:
    blocks = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        compile(block, "tutorial.md", "exec")
        for name in re.findall(r"result\.(\w+)\(", block):
            assert hasattr(FeatureResult, name)
        assert hasattr(Predictor, "predict")
