"""A configuration as a flat table."""

from toolkit.config.settings import flat_settings


def test_sections_and_parts():
    document = {
        "Global": {"model": "a", "seed": 0, "dataset_dir": None},
        "Loss": [{"CELoss": {"weight": 1.0}}, {"CELoss": {"weight": 0.5, "of": "teacher"}}],
        "Data": {"columns": ["path", "label"], "steps": [{"ToCHWImage": {}}]},
        "SelfSup": {"views": [{"count": 2, "transforms": [{"ResizeImage": {"size": 32}}]}]},
        "CheckDataset": {"thresholds": {}},
    }
    assert flat_settings(document) == {
        "Global.model": "a",
        "Global.seed": 0,
        "Global.dataset_dir": None,
        "Loss": "CELoss, CELoss[2]",
        "Loss.CELoss.weight": 1.0,
        "Loss.CELoss[2].weight": 0.5,
        "Loss.CELoss[2].of": "teacher",
        "Data.columns": ["path", "label"],
        "Data.steps": "ToCHWImage",
        "SelfSup.views.0.count": 2,
        "SelfSup.views.0.transforms": "ResizeImage",
        "SelfSup.views.0.transforms.ResizeImage.size": 32,
    }


def test_the_order_of_steps_is_kept():
    steps = [{"B": {"x": 1}}, {"A": {"x": 2}}]
    assert flat_settings({"Data": steps})["Data"] == "B, A"
    assert flat_settings({"Data": steps[::-1]})["Data"] == "A, B"


def test_lists_that_are_no_parts_stay_as_they_are():
    assert flat_settings({"a": [], "b": [1, {"c": 2}]}) == {"a": [], "b": [1, {"c": 2}]}
