"""Mode compare: drawn runs, and real ones from training to the page."""

import csv
import json
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from PIL import Image
from run_folders import write_config, write_evaluated, write_trained

from toolkit import run
from toolkit.errors import ConfigError, RunError

FIRST = [(f"q{i}.png", "x", rank, 1 / rank) for i, rank in enumerate([1, 2, 1, 3, 1])]
SECOND = [(f"q{i}.png", "x", rank, 1 / rank) for i, rank in enumerate([1, 1, 4, 1, 1])]


class Page(HTMLParser):
    """Text and picture sources of a page; tags that are not closed in order are an error."""

    def __init__(self, text):
        super().__init__()
        self.open, self.sources, self.text = [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.sources.append(dict(attrs)["src"])
        if tag not in {"img", "meta", "br", "link"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def two(tmp_path):
    root = tmp_path / "data"
    for name in ("q1.png", "q2.png", "g/x.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), "green").save(root / name)
    folders = []
    for name, queries, rate in (("one", FIRST, 0.1), ("two", SECOND, 0.2)):
        folder = write_config(
            tmp_path / name, root=str(root), Train={"learning_rate": rate, "seed": 0}
        )
        write_trained(write_evaluated(folder, queries, root=str(root)))
        folders.append(folder)
    return folders


def compare(configure, folders, *overrides):
    runs = ",".join(str(folder) for folder in folders)
    return run(configure("Global.mode=compare", f"Compare.runs=[{runs}]", *overrides))


def test_two_runs(configure, two, tmp_path):
    report = compare(configure, two)
    result = json.loads((tmp_path / "output/compare_result.json").read_text())
    assert result["done_flag"] is True
    assert [entry["name"] for entry in result["runs"]] == ["one", "two"]
    assert result["settings"] == [
        {"key": "Train.learning_rate", "values": [0.1, 0.2], "given": [True, True]}
    ]
    (comparison,) = result["comparisons"]
    assert comparison["queries"] == 5
    assert comparison["recall1_change"] == pytest.approx(0.2)
    assert (comparison["gained"], comparison["lost"], comparison["mcnemar_p"]) == (2, 1, 1.0)
    assert comparison["outcome"] == "none"
    assert comparison["verdict"] in report.summary()
    with (tmp_path / "output/compare/changed.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["change"], row["query"].rsplit("/", 1)[1]) for row in rows] == [
        ("gained", "q3.png"),
        ("gained", "q1.png"),
        ("lost", "q2.png"),
    ]
    assert (rows[2]["first_rank"], rows[2]["second_rank"]) == ("1", "4")


def test_the_page_is_one_whole_file(configure, two, tmp_path):
    compare(configure, two)
    text = (tmp_path / "output/compare/report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "What stands first does not tell two and one apart" in page.text
    assert "Train.learning_rate" in page.text
    assert "Loss over the steps" in " ".join(page.text.split())
    assert len(page.sources) == 9  # three queries with two finds each
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert "http" not in text.replace("http://www.w3.org", "")


def test_names_and_text_are_escaped(configure, two, tmp_path):
    compare(configure, two, "Compare.names=['<b>old', 'new & \"good\"']")
    text = (tmp_path / "output/compare/report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;old" in text
    assert "<b>old" not in text
    Page(text)


def test_the_first_is_compared_with_each_other(configure, two, tmp_path):
    third = write_config(tmp_path / "three", root=str(tmp_path / "data"))
    write_trained(third, metrics={"recall1": 0.125, "recall5": 0.5})
    report = compare(configure, [*two, third])
    assert len(report.comparisons) == 1
    assert "three is not compared with one query by query" in report.notes[0]
    assert f"-c {third}/config.yaml -o Global.mode=evaluate -o Global" in report.notes[0]
    (line,) = [line for line in report.summary().splitlines() if line.startswith("recall5")]
    assert line.split() == ["recall5", "-", "-", "0.5000"]
    Page(report.page.read_text(encoding="utf-8"))


def test_shown_pictures_are_limited(configure, two):
    report = compare(configure, two, "Compare.shown=1")
    assert len(Page(report.page.read_text(encoding="utf-8")).sources) == 6
    assert len(report.page.with_name("changed.csv").read_text().splitlines()) == 4


def test_other_queries_are_an_error_in_the_result_too(configure, two, tmp_path):
    other = write_evaluated(write_config(tmp_path / "other"), [("z.png", "x", 1, 1.0)])
    with pytest.raises(RunError, match="no query in common"):
        compare(configure, [two[0], other])
    result = json.loads((tmp_path / "output/compare_result.json").read_text())
    assert (result["done_flag"], result["err_type"]) == (False, "RunError")


@pytest.mark.parametrize("count", [0, 1])
def test_two_runs_are_needed(configure, two, count):
    with pytest.raises(ConfigError, match=r"Compare\.runs names .*expected two or more"):
        compare(configure, two[:count])


def test_a_run_is_not_compared_with_itself(configure, two):
    with pytest.raises(ConfigError, match="each once"):
        compare(configure, [two[0], two[0] / "../one"])


def test_names_are_one_a_run(configure, two):
    with pytest.raises(ConfigError, match=r"Compare\.names: .*each of the 2 runs"):
        compare(configure, two, "Compare.names=[a]")
    with pytest.raises(ConfigError, match=r"Compare\.names"):
        compare(configure, two, "Compare.names=[a, a]")


def test_it_runs_where_paddle_cannot_be_imported(two, tmp_path, tiny_config):
    file = tmp_path / "tiny.yaml"
    file.write_text(tiny_config.format(dataset=tmp_path, output=tmp_path / "output"))
    code = (
        "import sys; sys.modules['paddle'] = None\n"
        "from toolkit.interfaces.cli import main\n"
        f"raise SystemExit(main(['-c', {str(file)!r}, '-o', 'Global.mode=compare', '-o', "
        f"'Compare.runs=[{two[0]},{two[1]}]']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Settings that differ: 1." in done.stdout


@pytest.mark.slow
def test_real_runs_from_training_to_the_page(configure, tmp_path):
    for name, rate in (("a", 0.05), ("b", 0.0001)):
        overrides = (f"Global.output={tmp_path / name}", f"Train.learning_rate={rate}")
        run(configure("Global.mode=train", "Train.skip_check=true", *overrides))
        run(configure("Global.mode=evaluate", *overrides))
    report = compare(configure, [tmp_path / "a", tmp_path / "b"])
    ((_, found),) = report.comparisons
    assert len(found.common.pairs) == 12
    a, b = (one.metrics for one in report.runs)
    assert found.recall1.mean == pytest.approx(b["recall1"] - a["recall1"])
    assert found.precision.mean == pytest.approx(b["mAP"] - a["mAP"], abs=1e-6)
    assert [row.key for row in report.settings] == ["Train.learning_rate"]
    Page(report.page.read_text(encoding="utf-8"))
