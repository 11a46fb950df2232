"""EasyVision's command: its parameters, its addresses, and its lines to the character."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.conftest import draw
from toolkit.compat import ev_predict_ext
from toolkit.errors import ConfigError

pytest.importorskip("paddle")
BASE = "oss://pai-vision-data-sh/pretrained_models/saved_models/"
MODELS = [
    "resnet_v1_50", "resnet_v1_101", "inception_v3", "inception_v4", "mobilenet_v2_1.0_224",
    "efficientnet-b0",
]  # fmt: skip


@pytest.fixture
def listed(tmp_path):
    """Three pictures, one of them broken, and one named twice."""
    folder = tmp_path / "bucket" / "shop"
    folder.mkdir(parents=True)
    for number in range(3):
        Image.fromarray(draw(number, number)).save(folder / f"{number},a.png")
    (folder / "1,a.png").write_bytes(b"no picture")
    names = [f"oss://bucket/shop/{number},a.png" for number in (0, 1, 2, 0)]
    (tmp_path / "list.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    return names


def run(tmp_path, *more, model=BASE + "mobilenet_v2_1.0_224/", layer="AvgPool_1a", front=()):
    return ev_predict_ext.main(
        [
            *front,
            f"-Dmodel_path={model}",
            "-Dmodel_type=feature_extractor",
            *([f"-Dfeature_name={layer}"] if layer else []),
            f"-Dinput_oss_file={tmp_path / 'list.txt'}",
            f"-Doutput_oss_file={tmp_path / 'out.txt'}",
            "-Dweights=random",
            f"-Doss_root={tmp_path}",
            *more,
        ]
    )


def by_hand(tmp_path, names, layer):
    """The same features from the network itself, a picture at a time."""
    from toolkit.build.endpoints import open_endpoint
    from toolkit.data.decode import read_rgb

    engine = open_endpoint("mobilenet_v2", layer, weights="random")
    rows = {}
    for name in set(names) - {names[1]}:
        pixels = read_rgb(tmp_path / name.removeprefix("oss://"))
        tensor = engine.pipeline(pixels, np.random.default_rng(0))
        rows[name] = engine.run(tensor[np.newaxis])[0]
    return rows


@pytest.mark.parametrize(
    "front", [(), ("-name", "ev_predict_ext"), ("pai", "-name", "ev_predict_ext")]
)
def test_lines_to_the_character(tmp_path, listed, capsys, front):
    assert run(tmp_path, "-Dbuckets=bucket,other", front=front) == 0
    rows = by_hand(tmp_path, listed, "AvgPool_1a")
    expected = [
        f"{name},  "
        + json.dumps({"feature": [float(x) for x in rows[name]] if name in rows else None})
        for name in listed
    ]
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == "\n".join(expected) + "\n"
    failed = json.loads((tmp_path / "out.txt.errors.jsonl").read_text(encoding="utf-8"))
    assert failed["image"] == listed[1]
    assert "3 of 4 pictures, 1,280 numbers each" in capsys.readouterr().out


def test_whole_numbers_are_whole(tmp_path, listed):
    assert run(tmp_path, "-Dbatch_size=2", layer="class") == 0
    lines = (tmp_path / "out.txt").read_text(encoding="utf-8").splitlines()
    rows = by_hand(tmp_path, listed, "class")
    assert lines[0] == f'{listed[0]},  {{"feature": [{int(rows[listed[0]][0])}]}}'


def test_pictures_as_they_are_have_their_own_lengths(tmp_path, listed, capsys):
    Image.fromarray(draw(7, 7)[:9, :5]).save(tmp_path / "bucket" / "shop" / "2,a.png")
    assert run(tmp_path, layer="original_image") == 0
    lines = (tmp_path / "out.txt").read_text(encoding="utf-8").splitlines()
    lengths = [len(json.loads(line.split(",  ", 1)[1])["feature"] or []) for line in lines]
    assert lengths == [draw(0, 0).size, 0, 9 * 5 * 3, draw(0, 0).size]
    assert run(tmp_path, "-Dbatch_size=2", layer="original_image") == 2
    assert "one at a time; Extract.batch_size is 2. Set it to 1." in capsys.readouterr().err


def test_a_table_with_reserved_columns(tmp_path, listed):
    table, result = tmp_path / "in.csv", tmp_path / "out.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", "photo"], *([n, name] for n, name in enumerate(listed))])
    arguments = [
        *("-Dmodel_path=mobilenet_v2", "-Dfeature_name=logits", "-Dweights=random"),
        *(f"-Dinput_table={table}", f"-Doutput_table={result}", f"-Doss_root={tmp_path}"),
        *("-Dimage_col_name=photo", "-Dimage_type=url", "-Dreserved_columns=id"),
        "-Dresult_column=vector",
    ]
    assert ev_predict_ext.main(arguments) == 0
    with result.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["0", "1", "2", "3"]
    assert list(rows[0]) == ["id", "vector"]
    assert len(json.loads(rows[0]["vector"])["feature"]) == 1001
    assert json.loads(rows[1]["vector"]) == {"feature": None}


def test_all_pictures_corrupt_is_a_failure(tmp_path, listed):
    (tmp_path / "list.txt").write_text(f"{listed[1]}\n{listed[1]}\n", encoding="utf-8")
    assert run(tmp_path) == 1
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == (
        f'{listed[1]},  {{"feature": null}}\n' * 2
    )


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_six_addresses_and_names_mean_cards(name, slash):
    from toolkit.cards.catalog import model_card

    found = ev_predict_ext.model_of(BASE + name + slash)
    assert model_card(found).name == model_card(ev_predict_ext.model_of(name)).name
    short = {"mobilenet_v2_1.0_224": "mobilenet_v2", "efficientnet-b0": "efficientnet_b0"}
    assert model_card(found).name == short.get(name, name)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-Dmodle_path=x"], "Unknown parameter 'modle_path'. Did you mean 'model_path'?"),
        (["model_path=x"], "'model_path=x': expected -Dparameter=value."),
        (["-Dmodel_path"], "expected -Dparameter=value."),
        (["-Dmodel_path=x", "-Dmodel_path=y"], "-Dmodel_path is given twice: 'x' and 'y'."),
        (
            ["-name", "easy_vision_ext"],
            "-name is 'easy_vision_ext'; this command is ev_predict_ext",
        ),
        (["-Dmodel_type=feature_extractor"], "-Dmodel_path is missing"),
        (["-Dmodel_path=x", "-Dmodel_type=classifier"], "classifier gives no features"),
        (["-Dmodel_path=x", "-Dmodel_type=featur"], "Unknown model_type 'featur'"),
        (["-Dmodel_path=oss://mine/model/"], "models are read from this machine"),
        (["-Dmodel_path=resnet_v1_51"], "Did you mean 'resnet_v1_50'?"),
        (["-Dmodel_path=resnet_v1_50"], "-Dfeature_name is missing. resnet_v1_50 has: "),
        (["-Dmodel_path=x", "-Dfeature_name=y"], "-Dinput_oss_file or -Dinput_table is missing."),
    ],
)
def test_what_cannot_be_used_is_told(arguments, said, capsys):
    assert ev_predict_ext.main(arguments) == 2
    assert said in capsys.readouterr().err


def test_a_wrong_layer_is_answered_with_the_list(tmp_path, listed, capsys):
    assert run(tmp_path, layer="layer_91/output") == 2
    told = capsys.readouterr().err
    assert "Did you mean 'layer_9/output'? Known: " in told
    assert "layer_19" in told
    assert not (tmp_path / "out.txt").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"batch_size": "two"}, "-Dbatch_size is 'two': expected a whole number."),
        ({"batch_size": "0"}, "batch_size: Input should be greater than 0; received 0."),
        ({"image_type": "jpeg"}, "image_type: Input should be 'url' or 'base64'; received 'jpeg'."),
        ({"l2_normalise": "yes"}, "-Dl2_normalise is 'yes': expected true or false."),
        ({"input_table": "t.csv"}, "-Dinput_table and -Dinput_oss_file mean the same; give one."),
    ],
)
def test_values_that_cannot_be_used(given, said):
    with pytest.raises(ConfigError) as told:
        ev_predict_ext.section_of({"input_oss_file": "a", "output_oss_file": "b", **given})
    assert str(told.value).removeprefix("ev_predict_ext: ") == said


@pytest.mark.slow
def test_as_a_process_with_three_workers(tmp_path, listed):
    command = [sys.executable, "-m", "toolkit.compat.ev_predict_ext", "-name", "ev_predict_ext"]
    command += [f"-Dmodel_path={BASE}mobilenet_v2_1.0_224", "-Dfeature_name=layer_2/output"]
    command += [f"-Dinput_oss_file={tmp_path / 'list.txt'}", f"-Doss_root={tmp_path}"]
    command += ["-Dweights=random", "-Darn=acs:ram::1:role/x", "-DcpuRequired=800"]
    for workers in ("1", "3"):
        more = [f"-Doutput_oss_file={tmp_path / workers}", f"-Dnum_worker={workers}"]
        done = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "-Darn has no meaning on this machine and is ignored." in done.stderr
    assert (tmp_path / "1").read_bytes() == (tmp_path / "3").read_bytes()
    assert len((tmp_path / "1").read_text().splitlines()[0].split(",")) > 112 * 112 * 16
