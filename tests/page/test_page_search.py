"""Searching with the page: what comes in, what is shown, and what is never run."""

import base64
import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from tests.page.conftest import PATIENCE, Shop, first_hit, give
from tests.serving.conftest import drawn

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
api.expect.set_options(timeout=PATIENCE)
pytestmark = pytest.mark.e2e
expect = api.expect
PICTURES = {f"thing-{seed}": drawn(seed) for seed in range(5)}


def test_a_file_finds_itself_first(
    open_page: Callable[..., Any], shop: Shop, file_of: Callable[[str, bytes], str]
) -> None:
    shop.make("files", PICTURES, colour="red")
    page = open_page(database="files")
    give(page, file_of("3.png", PICTURES["thing-3"]))
    expect(first_hit(page)).to_contain_text("thing-3")
    expect(first_hit(page)).to_contain_text("100.0%")
    expect(first_hit(page)).to_contain_text("colour red")
    expect(page.locator("#hits .card")).to_have_count(5)
    expect(page.locator("#hits img.there")).to_have_count(5)
    expect(page.locator("#announcer")).to_contain_text("5 pictures from files")
    assert page.evaluate("openAddresses.size") == 1  # the query's own


def test_keys_are_enough(
    open_page: Callable[..., Any], shop: Shop, file_of: Callable[[str, bytes], str]
) -> None:
    shop.make("keys", PICTURES)
    page = open_page(database="keys")
    # Playwright takes windows of the system over a moment after somebody listens.
    page.on("filechooser", lambda _: None)
    expect(page.locator("#database")).to_have_value("keys")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Choose a picture")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("o")
    chooser.value.set_files(file_of("1.png", PICTURES["thing-1"]))
    expect(first_hit(page)).to_contain_text("thing-1")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.card-button')"):
            break
    expect(first_hit(page).locator("button")).to_be_focused()
    page.keyboard.press("ArrowRight")
    second = page.locator("#hits .card-button").nth(1)
    expect(second).to_be_focused()
    assert "solid" in page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("Similarity")
    page.keyboard.press("Escape")
    expect(second).to_be_focused()


def test_data_is_text_and_never_markup(
    open_page: Callable[..., Any], shop: Shop, file_of: Callable[[str, bytes], str]
) -> None:
    evil = "<img src=x onerror=window.taken=1>"
    shop.make("evil", {evil: PICTURES["thing-0"]}, **{evil: "<script>window.taken=1</script>"})
    page = open_page(database="evil")
    give(page, file_of("<b>0.png", PICTURES["thing-0"]))
    expect(first_hit(page)).to_contain_text(evil)
    first_hit(page).locator("button").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("<script>window.taken=1</script>")
    dialog.get_by_text("Delete this picture").click()
    page.get_by_role("dialog").last.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text(evil)
    assert page.evaluate("window.taken") is None


_TRANSFER = """([name, kind, body, type, bubbles]) => {
    const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, { type: "image/png" }));
    const event = kind === "paste"
        ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true })
        : new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true });
    document.querySelector("main").dispatchEvent(event);
}"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_pictures_are_dropped_and_pasted(
    open_page: Callable[..., Any], shop: Shop, kind: str
) -> None:
    shop.make(kind, PICTURES)
    page = open_page(database=kind)
    body = base64.b64encode(PICTURES["thing-2"]).decode()
    if kind == "drop":
        page.evaluate(_TRANSFER, ["2.png", "dragover", body])
        expect(page.locator("#dropping")).to_be_visible()
    page.evaluate(_TRANSFER, ["2.png", kind, body])
    expect(first_hit(page)).to_contain_text("thing-2")
    expect(page.locator("#dropping")).to_be_hidden()


def _halves(left: bytes, right: bytes) -> bytes:
    both = Image.new("RGB", (400, 200))
    for at, picture in enumerate((left, right)):
        with Image.open(io.BytesIO(picture)) as half:
            both.paste(half.resize((200, 200), Image.Resampling.NEAREST), (200 * at, 0))
    written = io.BytesIO()
    both.save(written, "PNG")
    return written.getvalue()


@pytest.mark.slow
def test_a_box_searches_with_that_part(
    open_page: Callable[..., Any], shop: Shop, file_of: Callable[[str, bytes], str]
) -> None:
    shop.make("halves", PICTURES)
    page = open_page(database="halves")
    give(page, file_of("halves.png", _halves(PICTURES["thing-1"], PICTURES["thing-4"])))
    expect(page.locator("#hits .card")).to_have_count(5)
    for start, end, group in ((0.02, 0.49, "thing-1"), (0.98, 0.51, "thing-4")):
        box = page.locator("#stage").bounding_box()
        page.mouse.move(box["x"] + start * box["width"], box["y"] + 0.1 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + end * box["width"], box["y"] + 0.9 * box["height"], steps=4)
        page.mouse.up()
        expect(first_hit(page)).to_contain_text(group)
        assert float(first_hit(page).locator(".figure").inner_text().rstrip("%")) > 95
    page.locator("#whole").click()
    expect(page.locator(".crop")).to_be_hidden()
    # With keys: a box in the middle is moved left, made smaller, and searched.
    page.keyboard.press("c")
    expect(page.locator(".crop")).to_be_focused()
    for key in ["ArrowLeft"] * 8 + ["Shift+ArrowLeft"] * 11 + ["Enter"]:
        page.keyboard.press(key)
    expect(first_hit(page)).to_contain_text("thing-1")
    page.keyboard.press("Escape")
    expect(page.locator(".crop")).to_be_hidden()


@pytest.mark.slow
def test_a_hit_becomes_the_query_and_settings_search_again(
    open_page: Callable[..., Any], shop: Shop, file_of: Callable[[str, bytes], str]
) -> None:
    shop.make("again", PICTURES, price=3)
    shop.add("again", "thing-0", PICTURES["thing-0"], {"price": 30})
    page = open_page(database="again")
    give(page, file_of("0.png", PICTURES["thing-0"]))
    expect(page.locator("#hits .card")).to_have_count(6)
    page.locator("#hits .card-button").nth(3).click()
    group = page.get_by_role("dialog").locator("dd").nth(1).inner_text()
    page.get_by_role("dialog").get_by_text("Search with this").click()
    expect(first_hit(page)).to_contain_text(group)
    expect(first_hit(page)).to_contain_text("100.0%")
    page.locator("#filter-box summary").click()
    page.locator("#by-group").check()
    expect(page.locator("#hits .card")).to_have_count(5)
    page.locator("#filter-add").click()
    page.locator(".rule-field").fill("price")
    page.locator(".rule-comparison").select_option("at_least")
    page.locator(".rule-value").fill("10")
    page.locator(".rule-value").press("Tab")
    expect(page.locator("#hits .card")).to_have_count(1)
    expect(first_hit(page)).to_contain_text("price 30")
    page.locator(".rule-value").fill("99")
    page.locator(".rule-value").press("Tab")
    expect(page.locator("#search-state")).to_contain_text("No picture fits the filter.")
    assert page.evaluate("openAddresses.size") == 1


@pytest.mark.slow
def test_an_older_answer_that_comes_later_is_dropped(
    open_page: Callable[..., Any], shop: Shop, file_of: Callable[[str, bytes], str]
) -> None:
    shop.make("stale", PICTURES)
    page = open_page(database="stale", refused=True)
    held = []
    page.route("**/search", lambda route: route.continue_() if held else held.append(route))
    give(page, file_of("0.png", PICTURES["thing-0"]))
    expect(page.locator("#search-state")).to_contain_text("Searching")
    give(page, file_of("1.png", PICTURES["thing-1"]))
    expect(first_hit(page)).to_contain_text("thing-1")
    neighbour = {"group_id": "stale!", "intra_id": 0, "savename": None, "data": {}, "rank": 1}
    answer = {"neighbours": [{**neighbour, "similarity": 1, "distance": 0}]}
    held[0].fulfill(json=answer)
    # A way there and back behind it: whatever the page does with the old answer, it has done.
    page.evaluate("fetch('livez').then((answer) => answer.text())")
    expect(first_hit(page)).to_contain_text("thing-1")
    expect(page.locator("#hits")).not_to_contain_text("stale!")


@pytest.mark.slow
def test_a_thousand_hits_come_as_they_are_scrolled_to(
    open_page: Callable[..., Any], shop: Shop, file_of: Callable[[str, bytes], str]
) -> None:
    shop.make("many", {"thing-0": PICTURES["thing-0"]})
    page = open_page(database="many")
    many = [
        {"group_id": f"g{rank}", "intra_id": 0, "savename": None, "data": {}, "rank": rank}
        | {"similarity": 1 - rank / 1000, "distance": rank / 1000}
        for rank in range(1, 1001)
    ]
    page.route("**/search", lambda route: route.fulfill(json={"neighbours": many}))
    give(page, file_of("0.png", PICTURES["thing-0"]))
    expect(page.locator("#found")).to_contain_text("1,000 pictures")
    cards = page.locator("#hits .card")
    assert cards.count() <= 180
    while cards.count() < 1000:
        before = cards.count()
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        cards.nth(before).wait_for(state="attached")
    expect(cards.last).to_contain_text("g1000")
