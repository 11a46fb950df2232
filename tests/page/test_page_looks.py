"""How the page looks and speaks: narrow, dark, in Chinese, calm; and its live figures."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.page.conftest import PATIENCE, Shop, first_hit, give
from tests.serving.conftest import drawn

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
api.expect.set_options(timeout=PATIENCE)
pytestmark = pytest.mark.e2e
expect = api.expect
PHONE = {"viewport": {"width": 360, "height": 640}, "is_mobile": True, "has_touch": True}
# Edges of what can be seen of a control beside or below the window.
_OUTSIDE = """() => [...document.querySelectorAll("html, button, a, input, select")]
    .filter((node) => node.checkVisibility({ visibilityProperty: true }))
    .map((node) => [node.outerHTML.slice(0, 80), node.getBoundingClientRect()])
    .filter(([, box]) => box.width > 1 && (box.right > innerWidth + 0.5 || box.left < -0.5))
    .map(([name]) => name)"""


def test_a_phone_scrolls_one_way(
    open_page: Callable[..., Any], shop: Shop, file_of: Callable[[str, bytes], str]
) -> None:
    long = "a-very-long-group-without-any-place-to-break-it-" * 3
    shop.make("phone", {long: drawn(0), "b": drawn(1)}, **{"k" * 60: "v" * 200})
    page = open_page(database="phone", **PHONE)
    for place in ("databases", "databases/phone", "compare", "live", "search"):
        page.evaluate("(place) => { location.hash = `#/${place}`; }", place)
        view = "#records" if "/" in place else f"#{place}"
        expect(page.locator(view)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 360, place
        assert page.evaluate(_OUTSIDE) == [], place
    give(page, file_of("0.png", drawn(0)))
    expect(page.locator("#hits .card")).to_have_count(2)
    assert first_hit(page).bounding_box()["y"] < 640  # results begin on the first screen
    page.locator("#crop").tap()
    expect(page.locator(".crop")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.evaluate(_OUTSIDE) == []
    first_hit(page).locator("button").tap()
    expect(page.get_by_role("dialog")).to_contain_text(long)
    assert page.evaluate("document.querySelector('dialog').scrollWidth") <= 360
    assert page.evaluate(_OUTSIDE) == []
    expect(page.locator("#search .camera")).to_have_count(1)


@pytest.mark.slow
def test_a_finger_moves_the_box(
    open_page: Callable[..., Any], shop: Shop, file_of: Callable[[str, bytes], str]
) -> None:
    shop.make("finger", {"a": drawn(0)})
    page = open_page(database="finger", **PHONE)
    give(page, file_of("0.png", drawn(0)))
    expect(page.locator("#hits .card")).to_have_count(1)
    page.locator("#crop").tap()
    before, box = page.locator(".crop").bounding_box(), page.locator("#stage").bounding_box()
    searches = list[str]()
    page.on("request", lambda asked: searches.append(asked.url))
    touches = page.context.new_cdp_session(page)
    start = (before["x"] + before["width"] / 2, before["y"] + before["height"] / 2)
    for kind, x, y in (
        ("touchStart", *start),
        ("touchMove", start[0] - 5, start[1]),
        ("touchMove", start[0] - box["width"], start[1]),
        ("touchEnd", None, None),
    ):
        points = [] if x is None else [{"x": x, "y": y}]
        touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    expect(page.locator(".crop")).to_have_attribute("style", re.compile(r"left: 0%"))
    expect(page.locator("#hits")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator("#found")).to_be_visible()
    assert any(url.endswith("/search") for url in searches)


@pytest.mark.slow
def test_colours_follow_the_system_and_the_switch(open_page: Callable[..., Any]) -> None:
    page = open_page(color_scheme="dark")
    look = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    expect(page.locator("#search")).to_be_visible()
    assert max(page.evaluate(look)) < 60
    page.locator("#theme").click()
    assert min(page.evaluate(look)) > 200
    page.reload()
    expect(page.locator("#search")).to_be_visible()
    assert min(page.evaluate(look)) > 200
    page.keyboard.press("t")
    assert max(page.evaluate(look)) < 60


@pytest.mark.slow
def test_chinese_by_itself_and_by_the_switch(
    open_page: Callable[..., Any], shop: Shop, file_of: Callable[[str, bytes], str]
) -> None:
    shop.make("chinese", {"a": drawn(0), "b": drawn(1)})
    page = open_page(database="chinese", locale="zh-CN")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.locator(".tabs")).to_contain_text("搜图")
    give(page, file_of("0.png", drawn(0)))
    expect(page.locator("#found")).to_contain_text("在 chinese 中找到 2 张")
    page.locator("#language").click()
    # What was said before the switch is said anew.
    expect(page.locator("#found")).to_contain_text("2 pictures from chinese")
    expect(page.locator(".tabs")).to_contain_text("Search")
    page.reload()
    expect(page.locator(".tabs")).to_contain_text("Search")
    # Each view, with not a word left of the other language but the switch to it.
    for place in ("databases", "databases/chinese", "compare", "live", "search"):
        page.evaluate("(place) => { location.hash = `#/${place}`; }", place)
        view = "#records" if "/" in place else f"#{place}"
        expect(page.locator(view)).to_be_visible()
        shown = page.locator("body").inner_text().replace("中文", "")
        assert not any("\u4e00" <= letter <= "\u9fff" for letter in shown), place


@pytest.mark.slow
def test_nothing_moves_where_that_is_not_wanted(open_page: Callable[..., Any]) -> None:
    page = open_page(reduced_motion="reduce")
    expect(page.locator("#search")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    duration = "getComputedStyle(document.querySelector('dialog')).animationDuration"
    assert page.evaluate(f"parseFloat({duration})") <= 0.001


@pytest.mark.slow
def test_live_figures_are_those_of_the_service(
    open_page: Callable[..., Any], shop: Shop, file_of: Callable[[str, bytes], str]
) -> None:
    shop.make("figures", {f"{seed}": drawn(seed) for seed in range(3)})
    page = open_page("live")
    records = sum(one["count"] for one in shop.ask("/v1/databases")["databases"])
    expect(page.locator("#live-records .figure")).to_have_text(f"{records:,}")
    expect(page.locator("#live-memory .figure")).to_contain_text("MB")
    image = "x"
    for _ in range(5):
        shop.add("figures", image, drawn(9), {})
    expect(page.locator("#live-requests .figure")).not_to_have_text("0")
    expect(page.locator("#live-batch .figure")).to_have_text("1")
    expect(page.locator("#live-latency .figure")).to_contain_text("ms")
    expect(page.locator("#live-requests path.line")).not_to_have_count(0)


# Figures by hand: in 10 seconds 100 requests of 0.05 to 0.1 s and 100 of 0.1 to 0.2 s.
_METRICS = """
toolkit_requests_total{{function="",route="/v1",status="200"}} {ok}
toolkit_requests_total{{function="",route="/v1",status="422"}} {bad}
toolkit_requests_total{{function="",route="/metrics",status="200"}} {looks}
toolkit_request_seconds_bucket{{route="/v1",le="0.05"}} 7.0
toolkit_request_seconds_bucket{{route="/v1",le="0.1"}} {fast}
toolkit_request_seconds_bucket{{route="/v1",le="0.2"}} {all}
toolkit_request_seconds_bucket{{route="/v1",le="+Inf"}} {all}
toolkit_batch_size_sum {pictures}
toolkit_batch_size_count {batches}
process_cpu_seconds_total {cpu}
toolkit_index_records{{database="a \\"b\\" {{c}}",folder="default"}} 1.2e+03
toolkit_index_records{{database="d",folder="default"}} 34.0
"""


@pytest.mark.slow
def test_figures_between_two_looks(open_page: Callable[..., Any]) -> None:
    names = ("ok", "bad", "looks", "fast", "all", "pictures", "batches", "cpu")
    moments = ((5, 2, 9, 7, 7, 6, 6, 1), (185, 22, 99, 107, 207, 46, 16, 16))
    texts = [_METRICS.format(**dict(zip(names, moment, strict=True))) for moment in moments]
    page = open_page("search")
    found = page.evaluate(
        """async ([before, now]) => {
            const { parse } = await import("./page/js/prometheus.js");
            const { Reading, figures } = await import("./page/js/readings.js");
            return figures(new Reading(100, parse(before)), new Reading(110, parse(now)));
        }""",
        texts,
    )
    assert (found["requests"], found["failures"]) == (20, 2)
    assert found["median"] == pytest.approx(0.1)
    assert found["slow"] == pytest.approx(0.19)
    assert (found["batch"], found["processor"], found["records"]) == (4, 1.5, 1234)
