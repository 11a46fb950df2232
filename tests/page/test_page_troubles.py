"""When something goes wrong, the page says it in a person's words and knows a way on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.served import TOKEN, Served
from tests.page.conftest import PATIENCE, Shop, first_hit, give
from tests.serving.conftest import drawn

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
api.expect.set_options(timeout=PATIENCE)
pytestmark = pytest.mark.e2e
expect = api.expect


def test_a_token_is_asked_for_and_stays_in_this_tab(
    open_page: Callable[..., Any], shop: Shop
) -> None:
    shop.make("asked", {"a": drawn(0)})
    page = open_page(token=None, database="asked", refused=True)
    page.locator("#token-input").fill("wrong")
    page.locator("#token-input").press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The token is missing or not valid.")
    page.locator("#token-input").fill(TOKEN)
    page.locator("#token-input").press("Enter")
    expect(dialog).to_have_count(0)
    expect(page.locator("#database")).to_have_value("asked")
    assert page.evaluate("[sessionStorage.token, localStorage.token]") == [TOKEN, None]
    assert TOKEN not in page.url


@pytest.mark.slow
def test_a_token_that_was_withdrawn_is_asked_for_again_and_remembered(
    open_page: Callable[..., Any], shop: Shop, file_of: Callable[[str, bytes], str]
) -> None:
    shop.make("withdrawn", {"a": drawn(0)})
    page = open_page(database="withdrawn", refused=True)
    expect(page.locator("#database")).to_have_value("withdrawn")
    page.evaluate("sessionStorage.setItem('token', 'withdrawn')")
    give(page, file_of("0.png", drawn(0)))
    page.locator("#token-input").fill(TOKEN)
    page.locator("#token-remember").check()
    page.locator("#token-input").press("Enter")
    expect(first_hit(page)).to_contain_text("100.0%")  # the search went on by itself
    assert page.evaluate("[sessionStorage.token ?? null, localStorage.token]") == [None, TOKEN]


@pytest.mark.slow
def test_no_token_is_no_dead_end(open_page: Callable[..., Any]) -> None:
    page = open_page(token=None, refused=True)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("#search-state")).to_contain_text("The token is missing or not valid.")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#token-input")).to_be_focused()


@pytest.mark.slow
def test_a_reader_is_offered_no_change(
    open_page: Callable[..., Any], shop: Shop, file_of: Callable[[str, bytes], str]
) -> None:
    shop.make("reading", {"a": drawn(0)})
    page = open_page("databases/reading", token="reader", database="reading")
    expect(page.locator("#pictures .card")).to_have_count(1)
    expect(page.locator("#read-only")).to_be_visible()
    for name in ("add", "clean", "drop", "drop-group"):
        expect(page.locator(f"#{name}")).to_be_hidden()
    page.locator("#pictures .card-button").click()
    expect(page.get_by_role("dialog")).to_contain_text("Search with this")
    expect(page.get_by_role("dialog")).not_to_contain_text("Delete")
    page.keyboard.press("Escape")
    page.keyboard.press("3")
    expect(page.locator("#shelf")).to_contain_text("reading")
    expect(page.locator("#new-database")).to_be_hidden()
    page.keyboard.press("1")
    give(page, file_of("0.png", drawn(0)))
    expect(first_hit(page)).to_contain_text("100.0%")


@pytest.mark.slow
def test_a_file_that_is_no_picture(
    open_page: Callable[..., Any], shop: Shop, file_of: Callable[[str, bytes], str]
) -> None:
    shop.make("no-picture", {"a": drawn(0)})
    page = open_page(database="no-picture")
    give(page, file_of("letter.png", b"%PDF-1.7 no picture"))
    expect(page.get_by_role("alert")).to_contain_text("This file is no picture that can be read.")
    give(page, file_of("0.png", drawn(0)))
    expect(first_hit(page)).to_contain_text("100.0%")
    expect(page.locator("#search-state")).to_be_empty()


@pytest.mark.slow
def test_a_database_that_went_meanwhile(
    open_page: Callable[..., Any], shop: Shop, file_of: Callable[[str, bytes], str]
) -> None:
    shop.make("gone", {"a": drawn(0)})
    page = open_page(database="gone", refused=True)
    expect(page.locator("#database")).to_have_value("gone")
    shop.ask("/v1/databases/gone", method="DELETE")
    give(page, file_of("0.png", drawn(0)))
    expect(page.get_by_role("alert")).to_contain_text("This database is not there any more.")
    expect(page.locator("#database option", has_text="gone")).to_have_count(0)


@pytest.mark.slow
def test_a_busy_service_is_waited_for_with_a_countdown(
    open_page: Callable[..., Any], file_of: Callable[[str, bytes], str], tmp_path: Path
) -> None:
    """One request a second: the page needs three before the first result."""
    served = Served(tmp_path / "root", tmp_path / "out", "Serve.rate=0.5")
    try:
        page = open_page(address=served.address, refused=True)
        expect(page.locator("#search-state")).to_contain_text("There is no database yet.")
        page.keyboard.press("2")
        give(page, file_of("0.png", drawn(0)), "#compare-a")
        give(page, file_of("1.png", drawn(0)), "#compare-b")
        expect(page.locator("#verdict")).to_contain_text("Trying again in")
        expect(page.locator("#verdict .figure")).to_have_text("100.0%")
    finally:
        served.kill()


@pytest.mark.slow
def test_a_service_that_is_gone_and_comes_back(
    open_page: Callable[..., Any], file_of: Callable[[str, bytes], str], tmp_path: Path
) -> None:
    served = Served(tmp_path / "root", tmp_path / "out")
    shop = Shop(served)
    try:
        shop.make("kept", {"a": drawn(0)})
        page = open_page(address=served.address, database="kept", refused=True)
        expect(page.locator("#database")).to_have_value("kept")
        port = served.address.rpartition(":")[2]
        served.kill()
        give(page, file_of("0.png", drawn(0)))
        expect(page.locator("#search-state")).to_contain_text("The service does not answer.")
        expect(page.locator("#offline")).to_be_visible()
        served = Served(tmp_path / "root", tmp_path / "out2", f"Serve.port={port}")
        expect(page.locator("#offline")).to_be_hidden()
        page.get_by_role("button", name="Try again").click()
        expect(first_hit(page)).to_contain_text("100.0%")
    finally:
        served.kill()
