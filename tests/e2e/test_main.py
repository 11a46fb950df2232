"""main.py on a drawn dataset: what a person types, and what they get."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from toolkit.interfaces.cli import main

pytestmark = pytest.mark.e2e

Run = Callable[..., subprocess.CompletedProcess[str]]

# A process in which importing Paddle fails, as on a machine that does not have it.
NO_PADDLE = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"paddle", "torch"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
from toolkit.interfaces.cli import main
raise SystemExit(main(sys.argv[1:]))
"""


def run_main(
    repository: Path, *arguments: str, without_paddle: bool = False
) -> subprocess.CompletedProcess[str]:
    start = ["-c", NO_PADDLE] if without_paddle else [str(repository / "main.py")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(repository)}
    environment.pop("GITHUB_ACTIONS", None)
    return subprocess.run(
        [sys.executable, *start, *arguments],
        capture_output=True, text=True, check=False, cwd=repository, env=environment,
    )  # fmt: skip


@pytest.fixture
def run_here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Does what `run_main` does in this process, which has imported Paddle already."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)

    def run_it(*arguments: str) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        code = main(list(arguments))
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, said.out, said.err)

    return run_it


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, drawn_dataset: Path, tiny_config: str
) -> Path:
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(drawn_dataset, folder / "dataset")
    text = tiny_config.format(dataset=folder / "dataset", output=folder / "output")
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    return folder


def result(project: Path, mode: str) -> dict:
    return json.loads((project / "output" / f"{mode}_result.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def trained(project: Path, repository: Path) -> Path:
    done = run_main(repository, "-c", str(project / "config.yaml"), "-o", "Global.mode=train")
    assert done.returncode == 0, done.stderr
    return project


def test_check_dataset_runs_without_paddle(project: Path, repository: Path) -> None:
    done = run_main(repository, "-c", str(project / "config.yaml"), without_paddle=True)
    assert done.returncode == 0, done.stderr
    assert "passed" in done.stdout
    assert result(project, "check_dataset")["done_flag"] is True
    assert result(project, "check_dataset")["check_pass"] is True


def test_train_without_paddle_names_the_extra(project: Path, repository: Path) -> None:
    done = run_main(
        repository, "-c", str(project / "config.yaml"), "-o", "Global.mode=train",
        "-o", f"Global.output={project / 'none'}", without_paddle=True,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "[cpu]" in done.stderr
    assert "Traceback" not in done.stderr


def test_train_leaves_the_output_tree(trained: Path) -> None:
    output = trained / "output"
    for name in (
        "config.yaml", "train.log", "metrics.jsonl", "train_result.json", "loss_curve.png",
        "best_model/best_model.pdparams", "best_model/best_model.pdopt",
        "best_model/best_model.pdstates", "best_model/best_model.info.json",
        "best_model/inference/inference.json", "best_model/inference/inference.pdiparams",
        "best_model/inference/inference.yml", "latest/latest.pdparams",
        "latest/inference/inference.yml", "epoch_2/epoch_2.pdparams",
    ):  # fmt: skip
        assert (output / name).is_file(), name
    content = result(trained, "train")
    assert content["done_flag"] is True
    assert content["models"]["best"]["pdparams"] == "best_model/best_model.pdparams"
    assert content["models"]["last_1"]["pdparams"] == "epoch_2/epoch_2.pdparams"


def test_evaluate_export_predict_follow(
    trained: Path,
    repository: Path,
    run_here: Run,
) -> None:
    config = str(trained / "config.yaml")
    done = run_here(
        "-c", config, "-o", "Global.mode=evaluate",
        "-o", "Evaluate.baselines=[hsv_histogram, untrained]",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    metrics = result(trained, "evaluate")["metrics"]
    assert set(metrics) >= {"recall1", "recall5", "mAP"}
    assert all(0 <= metrics[name] <= 1 for name in ("recall1", "recall5", "mAP"))
    assert (trained / "output/evaluate/report.html").is_file()

    done = run_here("-c", config, "-o", "Global.mode=export")
    assert done.returncode == 0, done.stderr
    assert (trained / "output/inference.json").is_file()
    assert (trained / "output/inference.yml").is_file()

    picture = sorted((trained / "dataset/images").iterdir())[0]
    done = run_main(
        repository, "-c", config, "-o", "Global.mode=predict", "-o", "Predict.save=npy",
        "-o", f"Predict.input={trained / 'dataset/images'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one = json.loads((trained / f"output/{picture.stem}_res.json").read_text(encoding="utf-8"))
    features = np.load(trained / "output/features.npy")
    paths = (trained / "output/paths.txt").read_text(encoding="utf-8").splitlines()
    assert len(paths) == len(features) == 56
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(one["feature"], features[paths.index(str(picture))], atol=1e-6)


def test_the_written_config_runs_again(trained: Path, run_here: Run) -> None:
    copy = trained / "again.yaml"
    shutil.copy(trained / "output/config.yaml", copy)
    done = run_here("-c", str(copy), "-o", "Global.mode=evaluate")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_resume_goes_on_to_the_same_weights(
    trained: Path, repository: Path, tmp_path: Path
) -> None:
    config = ["-c", str(trained / "config.yaml"), "-o", "Global.mode=train"]
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    for output, more in (
        (whole, []),
        (halves, ["-o", "Train.max_steps=3"]),
        (halves, ["-o", f"Train.resume_path={halves / 'latest/latest.pdparams'}"]),
    ):
        done = run_main(repository, *config, "-o", f"Global.output={output}", *more)
        assert done.returncode == 0, done.stderr
    from toolkit.cards.weights import read_weights

    expected = read_weights(whole / "latest/latest.pdparams")
    for name, array in read_weights(halves / "latest/latest.pdparams").items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def test_a_faulty_dataset_is_exit_1_and_is_not_trained_on(project: Path, run_here: Run) -> None:
    faulty, output = project / "faulty", project / "faulty_output"
    shutil.copytree(project / "dataset", faulty)
    with (faulty / "train.txt").open("a", encoding="utf-8") as file:
        file.write("images/nowhere.png 1\n")
    overrides = ["-o", f"Global.dataset_dir={faulty}", "-o", f"Global.output={output}"]
    for mode in ("check_dataset", "train"):
        done = run_here("-c", str(project / "config.yaml"), *overrides, "-o", f"Global.mode={mode}")
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
    check = json.loads((output / "check_dataset_result.json").read_text(encoding="utf-8"))
    assert (check["done_flag"], check["check_pass"]) == (True, False)
    train = json.loads((output / "train_result.json").read_text(encoding="utf-8"))
    assert train["done_flag"] is False
    assert train["err_type"] == "CheckFailedError"


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["Global.mode=train", "Train.batch_size=0"], "Train.batch_size"),
        (["Global.dataset_dir=nowhere_at_all"], "nowhere_at_all"),
        (["Global.mode=export", "Export.weight_path=gone.pdparams"], "gone.pdparams"),
        (["Global.mode=predict", "Predict.input=x.jpg", "Predict.model_dir=gone"], "gone"),
        (["Global.mode=train", "Train.num_classes=2"], "num_classes"),
    ],
)
def test_wrong_input_is_exit_2_without_a_traceback(
    project: Path,
    run_here: Run,
    tmp_path: Path,
    overrides: list[str],
    expected: str,
) -> None:
    words = [w for o in [*overrides, f"Global.output={tmp_path / 'out'}"] for w in ("-o", o)]
    done = run_here("-c", str(project / "config.yaml"), *words)
    assert done.returncode == 2, done.stderr
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    (written,) = (tmp_path / "out").glob("*_result.json")
    content = json.loads(written.read_text(encoding="utf-8"))
    assert content["done_flag"] is False
    assert expected in content["err_msg"]


@pytest.mark.parametrize("suffix", [".pdparams", ".pdopt", ".pdstates", ".pdema"])
def test_a_hostile_file_runs_nothing(
    trained: Path,
    run_here: Run,
    tmp_path: Path,
    suffix: str,
) -> None:
    """Each file of a checkpoint, with digests that an attacker has made to fit."""
    import pickle

    from toolkit.cards.weights import read_state, write_state
    from toolkit.fingerprint import sha256_file

    class Bomb:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    stem = tmp_path / "latest" / "latest"
    shutil.copytree(trained / "output/latest", stem.parent)
    stem.with_suffix(suffix).write_bytes(pickle.dumps({"w": Bomb()}))
    if suffix == ".pdema":
        mode = ["Global.mode=export", f"Export.weight_path={stem.parent}"]
    else:
        mode = ["Global.mode=train", f"Train.resume_path={stem.parent}"]
        if suffix != ".pdstates":
            states = read_state(stem.with_suffix(".pdstates"))
            states["sha256"][suffix] = sha256_file(stem.with_suffix(suffix))
            write_state(stem.with_suffix(".pdstates"), states)
    words = [w for o in [*mode, f"Global.output={tmp_path / 'out'}"] for w in ("-o", o)]
    done = run_here("-c", str(trained / "config.yaml"), *words)
    assert done.returncode == 2, done.stderr
    assert "nothing in it has been run" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_help_and_version_are_quick_and_need_nothing(repository: Path) -> None:
    done = run_main(repository, "--help", without_paddle=True)
    assert done.returncode == 0
    assert "check_dataset" in done.stdout


@pytest.mark.slow
def test_a_killed_run_can_be_used_and_resumed(
    trained: Path, repository: Path, tmp_path: Path
) -> None:
    """kill -9 in the middle of an epoch; predict works, and going on ends as if nothing was."""
    config = ["-c", str(trained / "config.yaml"), "-o", "Train.epochs_iters=20"]
    output, whole = tmp_path / "killed", tmp_path / "whole"
    train = [*config, "-o", "Global.mode=train"]
    with subprocess.Popen(
        [sys.executable, str(repository / "main.py"), *train, "-o", f"Global.output={output}"],
        stderr=subprocess.PIPE, text=True, cwd=repository,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if "step 10/" in line:  # the second batch of the third epoch
                process.kill()
                break
    picture = sorted((trained / "dataset/images").iterdir())[0]
    for arguments in (
        [*config, "-o", "Global.mode=predict", "-o", f"Predict.input={picture}"],
        [*train, "-o", f"Train.resume_path={output / 'latest'}"],
    ):
        done = run_main(repository, *arguments, "-o", f"Global.output={output}")
        assert done.returncode == 0, done.stderr
    done = run_main(repository, *train, "-o", f"Global.output={whole}")
    assert done.returncode == 0, done.stderr
    for name in ("latest", "best_model"):
        expected = (whole / name / f"{name}.pdparams").read_bytes()
        assert (output / name / f"{name}.pdparams").read_bytes() == expected, name
    results = [json.loads((folder / "train_result.json").read_text()) for folder in (output, whole)]
    assert results[0]["models"]["best"] == results[1]["models"]["best"]


def test_the_readme_s_python_runs(trained: Path, repository: Path, tmp_path: Path) -> None:
    text = (repository / "README.md").read_text(encoding="utf-8")
    blocks = [part.partition("```")[0] for part in text.split("```python\n")[1:]]
    assert len(blocks) == 3
    code = "\n".join(blocks)
    picture = next((trained / "dataset/images").rglob("*.*"))
    for written, real in (
        ("output/mine/best_model/inference", trained / "output/best_model/inference"),
        ("my_photographs/", trained / "dataset/images"),
        ("features/", tmp_path),
        ('"index"', f'"{tmp_path}/index"'),
        ("shelf.jpg", picture),
    ):
        assert written in code
        code = code.replace(written, str(real))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True, text=True, check=False, cwd=repository,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("*_res.json"))) == 56
    assert done.stdout.count("(256,)") == 56  # of the model that ships with the package
    hits = ast.literal_eval(done.stdout.splitlines()[-1])
    assert len(hits) == 5
    assert hits[0][1] == pytest.approx(1, abs=1e-4), "the picture is in the index"
