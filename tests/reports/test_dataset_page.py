"""report.html of check_dataset: complete, escaped, self-contained."""

import json
import re

import pytest

from toolkit.reports.charts import HEIGHT, WIDTH, class_chart, size_chart
from toolkit.reports.dataset_page import CodeSummary, DatasetPage, Thumbnail, dataset_page

HOSTILE = "</script><script>alert(1)</script><b>&\"'"


def page(**changes):
    rows = [
        {
            "code": "image.dark",
            "severity": "warning",
            "message": f"{HOSTILE} {number}",
            "fix": "Fix.",
            "split": "train",
            "files": [HOSTILE],
            "lines": [{"file": "train.txt", "line": number}],
            "label": HOSTILE,
            "value": None,
            "threshold": None,
        }
        for number in range(1, 121)
    ]
    fields = {
        "dataset": f"data/{HOSTILE}",
        "passed": False,
        "fail_on": "warning",
        "severities": {"error": 0, "warning": 120, "info": 0},
        "codes": [CodeSummary("image.dark", "warning", "Dark.", "Fix.", 120)],
        "rows": rows,
        "classes": {"train": {HOSTILE: 3, "牛奶": 2}, "gallery": {}, "query": {"x": 1}},
        "pictures": [("train", 640, 480), ("query", 1, 1)],
        "thumbnails": {"image.dark": [[Thumbnail("data:image/jpeg;base64,AAAA", HOSTILE)]]},
    }
    return dataset_page(DatasetPage(**(fields | changes)))


def test_every_finding_is_in_the_page():
    data = json.loads(re.search(r"const data = (.*);\n", page())[1])
    assert [row[1] for row in data["rows"]] == [f"train.txt:{n}" for n in range(1, 121)]
    assert data["rows"][0][2] == f"{HOSTILE} 1"
    assert data["codes"] == [["image.dark", "warning", "Fix."]]


def test_a_page_of_very_many_findings_stays_small_and_says_so():
    template = json.loads(re.search(r"const data = (.*);\n", page())[1])["rows"][0]
    rows = [
        {**row, "code": code, "lines": [{"file": "train.txt", "line": n} for n in range(1, 400)]}
        for code in ("image.dark", "image.light")
        for row in [{"severity": "warning", "message": template[2], "split": "train"}]
        for _ in range(1500)
    ]
    codes = [CodeSummary(c, "warning", "", "", 1500) for c in ("image.dark", "image.light")]
    text = page(rows=rows, codes=codes)
    data = json.loads(re.search(r"const data = (.*);\n", text)[1])
    assert [row[0] for row in data["rows"]] == [0] * 1000 + [1] * 1000
    assert data["rows"][0][1].startswith("train.txt:1, train.txt:2, ")
    assert data["rows"][0][1].endswith(", train.txt:12 and 387 more")
    assert "1,000 more are in findings.jsonl" in text
    assert "more are in findings.jsonl" not in page()


def test_nothing_of_the_data_becomes_markup():
    text = page()
    assert "<script>alert" not in text
    assert text.count("</script>") == 1
    assert "<b>&\"'" not in text


def test_the_page_asks_the_network_for_nothing():
    text = page()
    assert not re.search(r"https?:|//[a-z]|@import|url\(", text, re.I)
    assert not re.search(r"<(link|iframe|object|embed)\b", text)
    sources = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert sources
    assert all(source.startswith(("data:", "#")) for source in sources)


def test_a_clean_dataset_has_a_page_without_findings():
    counts = {"error": 0, "warning": 0, "info": 0}
    text = page(rows=[], codes=[], thumbnails={}, severities=counts, passed=True, fail_on="error")
    assert "Passed" in text
    assert "No findings" in text
    assert "<script>" not in text


def test_not_judged():
    assert "Not judged" in page(fail_on="never", passed=True)


@pytest.mark.parametrize("number", [0, 1, 7, 120, 121, 5000])
def test_class_chart_stays_in_its_box(number):
    chart = class_chart("train", {f"c{i}": 1 + i for i in range(number)})
    assert len(chart.bars) <= 120
    for bar in chart.bars:
        assert bar.x >= 0
        assert bar.x + bar.width <= WIDTH + 1e-6
        assert bar.y >= -1e-6
        assert bar.y + bar.height == pytest.approx(HEIGHT)
    tops = [bar.height for bar in chart.bars]
    assert tops == sorted(tops, reverse=True)


def test_class_chart_scale():
    chart = class_chart("train", {"a": 123, "b": 80})
    assert [tick.text for tick in chart.ticks] == ["0", "80", "160"]
    assert chart.bars[1].height == pytest.approx(HEIGHT / 2)


def test_size_chart_counts_and_thins():
    chart = size_chart([(1, 640, 480)] * 5 + [(2, 640, 480), (1, 1, 1)])
    assert {dot.title for dot in chart.dots} == {"640 x 480: 5", "640 x 480: 1", "1 x 1: 1"}
    many = size_chart((1, 100 + i, 100 + i * 7 % 997) for i in range(5000))
    assert len(many.dots) <= 1500
    assert sum(int(dot.title.split(": ")[1].replace(",", "")) for dot in many.dots) == 5000
    for dot in many.dots:
        assert 0 <= dot.x <= WIDTH
        assert 0 <= dot.y <= HEIGHT
    assert size_chart([]).dots == []
