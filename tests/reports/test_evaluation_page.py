import csv
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from toolkit.evaluation.report import write_evaluation_report
from toolkit.evaluation.retrieval import Embeddings, evaluate_retrieval
from toolkit.reports.evaluation_figures import HEIGHT, WIDTH, cmc_chart, spread_chart

LABELS = ["<b>tea & milk</b>", "苹果", "c"]


@pytest.fixture
def evaluated(tmp_path):
    """Nine queries of three classes and one of none, nine gallery pictures, one of them broken."""
    rng = np.random.default_rng(0)

    def side(prefix, labels):
        paths = [tmp_path / "images" / f"{prefix}{i}.png" for i in range(len(labels))]
        for path in paths:
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(path)
        axes = np.eye(4)[[[*LABELS, "nobody"].index(label) for label in labels]]
        vectors = (axes + rng.normal(0, 0.5, axes.shape)).astype(np.float32)
        return Embeddings(vectors, labels, [str(path) for path in paths]), paths

    query, query_paths = side("q", LABELS * 3 + ["nobody"])
    gallery, gallery_paths = side("g", LABELS * 3)
    gallery_paths[0].write_bytes(b"no picture")
    result = evaluate_retrieval(query, gallery, rng=rng, bootstrap_samples=50)
    return result, query_paths, gallery_paths


class Tags(HTMLParser):
    """Collects tags with their attributes, and checks that they are closed in order."""

    VOID = ("meta", "img", "link", "br", "line", "input")

    def __init__(self):
        super().__init__()
        self.tags, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def write(folder, evaluated, **options):
    page = write_evaluation_report(folder, *evaluated, **options).read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    return page, tags.tags


def test_the_page_carries_everything_it_shows(tmp_path, evaluated):
    page, tags = write(tmp_path / "out", evaluated)
    for tag, attributes in tags:
        for name in ("src", "href"):
            assert attributes.get(name, "data:").startswith(("data:", "#")), (tag, attributes)
    assert not re.search(r"url\(|@import|https?://", page)
    pictures = [attributes for tag, attributes in tags if tag == "img"]
    # 9 matched queries, of which 8 are shown at either end, with 5 neighbours each.
    assert len(pictures) == 2 * 8 * 6


def test_the_page_says_the_numbers(tmp_path, evaluated):
    result = evaluated[0]
    floors = {"HSV histogram": {"recall1": 0.125}}
    page, tags = write(
        tmp_path, evaluated, title="Tea, evaluated", facts={"weights": "a<b"}, floors=floors
    )
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    for value in result.metrics.values():
        assert f"{100 * value:.2f}%" in text
    low, high = result.intervals["mAP"]
    assert f"{100 * low:.2f}% to {100 * high:.2f}%" in text
    assert "12.50%" in text
    assert "Tea, evaluated" in text
    assert "a&lt;b" in text
    assert "1 queries without a match" in text
    assert "images/q9.png nobody" in text
    frames = [a.get("class") for tag, a in tags if tag == "figure"]
    shown = frames.count("picture match"), frames.count("picture miss")
    assert sum(shown) == 2 * 8 * 5
    assert shown[0] > 0
    assert shown[1] > 0


def test_labels_are_text_not_markup(tmp_path, evaluated):
    page, tags = write(tmp_path, evaluated)
    assert "<b>tea" not in page
    assert "&lt;b&gt;tea &amp; milk&lt;/b&gt;" in page
    assert "苹果" in page
    assert [attributes for tag, attributes in tags if attributes.get("class") == "sortable"]


def test_a_picture_that_cannot_be_read_is_grey_and_named(tmp_path, evaluated, caplog):
    write(tmp_path, evaluated)
    assert [record.message for record in caplog.records if "g0.png" in record.message]


def test_the_tables_are_complete(tmp_path, evaluated):
    result = evaluated[0]
    write(tmp_path, evaluated)
    with (tmp_path / "queries.csv").open(encoding="utf-8", newline="") as file:
        queries = list(csv.DictReader(file))
    assert [row["label"] for row in queries] == result.query_labels
    assert queries[0]["first_match_rank"] == str(result.scores.first_rank[0])
    assert queries[-1]["first_match_rank"] == ""
    nearest = [result.gallery_labels[row] for row in result.top_rows[:, 0]]
    assert [row["nearest_label"] for row in queries] == nearest
    with (tmp_path / "classes.csv").open(encoding="utf-8", newline="") as file:
        classes = list(csv.DictReader(file))
    assert [(row["label"], row["queries"], row["unmatched"]) for row in classes] == [
        *((label, "3", "0") for label in LABELS),
        ("nobody", "0", "1"),
    ]


def test_the_worst_and_best_queries_are_chosen_from_different_classes(evaluated):
    from toolkit.evaluation.report import _lowest

    result = evaluated[0]
    worst = _lowest(result, result.scores.average_precision)
    assert len(worst) == 8
    assert {result.query_labels[query] for query in worst[:3]} == set(LABELS)
    of_class = result.scores.average_precision[[0, 3, 6]]
    first = next(query for query in worst if result.query_labels[query] == LABELS[0])
    assert result.scores.average_precision[first] == of_class.min()


def test_the_cmc_chart_goes_from_edge_to_edge():
    chart = cmc_chart([0.25, 0.5, 0.75, 1.0])
    assert chart.path.startswith(f"M0.0,{HEIGHT * 0.75:.1f} L")
    assert chart.path.endswith(f"L{WIDTH:.1f},0.0")
    assert [tick.text for tick in chart.across] == ["1", "2"]
    assert chart.points[0].title == "recall@1: 25.0%"
    assert len(cmc_chart([0.5]).points) == 1


def test_the_spread_chart_shows_the_scores_that_occur():
    edges = np.linspace(-1, 1, 11, dtype=np.float32)
    matches = np.array([0, 0, 0, 0, 0, 1, 3, 0, 0, 0])
    others = np.array([0, 0, 0, 0, 4, 4, 0, 0, 0, 0])
    chart = spread_chart(edges, matches, others)
    # Three bins from -0.2 to 0.4; the highest share is 75%.
    third = WIDTH / 3
    assert chart.matches == (
        f"M0,{HEIGHT:g} V{HEIGHT:.1f} H{third:.1f} V{HEIGHT * 2 / 3:.1f} H{2 * third:.1f} "
        f"V0.0 H{WIDTH:.1f} V{HEIGHT:g} Z"
    )
    assert [tick.text for tick in chart.across] == ["-0.2", "-0.1", "0", "0.1", "0.2", "0.3", "0.4"]
    assert chart.up[-1].text == "75%"
    assert spread_chart(edges, matches * 0, others * 0).matches.endswith("Z")
