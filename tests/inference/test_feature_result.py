import json
import logging
import pickle
from pathlib import Path

import numpy as np
import pytest

from toolkit.inference.result import ClaimedNames, FeatureResult

FEATURE = np.linspace(-0.3, 0.7, 64, dtype=np.float32) / 3


def _results(*paths: str | None) -> list[FeatureResult]:
    names = ClaimedNames()
    return [
        FeatureResult(path, FEATURE + row, position=row, names=names)
        for row, path in enumerate(paths)
    ]


def test_it_reads_as_paddlex_results_of_every_age_do() -> None:
    (result,) = _results("a/b.jpg")
    assert list(result) == ["input_path", "page_index", "feature"]
    assert result["rec_feature"] is result["feature"] is result.rec_feature is result.feature
    assert result.get("rec_feature") is result.feature
    assert result.get("boxes", 7) == 7
    with pytest.raises(KeyError, match="boxes"):
        result["boxes"]
    assert result.error is None
    assert isinstance(result, dict)


def test_json_has_the_feature_once_and_to_the_last_bit() -> None:
    (result,) = _results("a/b.jpg")
    text = json.dumps(result.json)
    assert list(result.json["res"]) == ["input_path", "page_index", "feature"]
    read = np.array(json.loads(text)["res"]["feature"], dtype=np.float32)
    np.testing.assert_array_equal(read, result.feature)
    assert len(text) < 64 * 16


def test_a_bad_item_says_so_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = FeatureResult("b.jpg", None, error="b.jpg: there is no such file.")
    assert result.feature is None
    assert "no such file" in result.str
    result.print(json_format=True)
    assert json.loads(capsys.readouterr().out)["res"]["error"] == result.error
    saved = json.loads(result.save_to_json(tmp_path).read_text())
    assert saved == {
        "input_path": "b.jpg",
        "page_index": None,
        "feature": None,
        "error": "b.jpg: there is no such file.",
    }


def test_print_writes_one_short_line_and_leaves_numpy_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = np.get_printoptions()
    result = FeatureResult("图.jpg", FEATURE)
    result.print()
    out = capsys.readouterr().out
    assert out.startswith("{'res': {'input_path': '图.jpg'")
    assert "..." in out
    assert out.count("\n") == 1
    assert np.get_printoptions() == before
    result.print(json_format=True, indent=2)
    assert "图" in capsys.readouterr().out
    result.print(json_format=True, ensure_ascii=True)
    assert "\\u56fe" in capsys.readouterr().out


def test_a_folder_gets_one_file_a_picture(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    results = _results("x/a.jpg", "y/a.png", "b.jpg", None, "http://h/p/c%20d.jpg?size=2", None)
    with caplog.at_level(logging.WARNING, "toolkit"):
        saved = [result.save_to_json(tmp_path / "new") for result in results]
    assert [path.name for path in saved] == [
        "a_res.json",
        "a_res_1.json",
        "b_res.json",
        "input_3_res.json",
        "c d_res.json",
        "input_5_res.json",
    ]
    assert len(caplog.messages) == 1
    assert "a_res_1.json" in caplog.messages[0]
    for result, path in zip(results, saved, strict=True):
        assert json.loads(path.read_text(encoding="utf-8")) == result.json["res"]


def test_one_path_for_all_loses_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    results = _results("a.jpg", "b.jpg", "c.jpg")
    with caplog.at_level(logging.WARNING, "toolkit"):
        for _ in range(2):  # saving again writes the same files again
            for result in results:
                result.save_all(str(tmp_path / "res.json"))
    assert len(caplog.messages) == 2
    saved = {file.name: json.loads(file.read_text())["input_path"] for file in tmp_path.iterdir()}
    assert saved == {"res.json": "a.jpg", "res_1.json": "b.jpg", "res_2.json": "c.jpg"}


def test_names_meet_whatever_their_case_or_spelling(tmp_path: Path) -> None:
    one, two, three = _results("A.jpg", "a.jpg", "a_res_1.jpg")
    assert one.save_to_json(tmp_path).name == "A_res.json"
    assert two.save_to_json(tmp_path).name == "a_res_1.json"
    assert three.save_to_json(tmp_path / "a_res_1.json").name == "a_res_1_1.json"


def test_a_second_predict_call_may_overwrite(tmp_path: Path) -> None:
    for call in range(2):
        (result,) = _results(f"{call}.jpg")
        assert result.save_to_json(tmp_path / "res.JSON").name == "res.JSON"
    assert json.loads((tmp_path / "res.JSON").read_text())["input_path"] == "1.jpg"


def test_it_survives_pickling() -> None:
    (result,) = _results("a.jpg")
    copy = pickle.loads(pickle.dumps(result))  # noqa: S301 - our own bytes
    assert copy.input_path == "a.jpg"
    np.testing.assert_array_equal(copy["rec_feature"], FEATURE)
