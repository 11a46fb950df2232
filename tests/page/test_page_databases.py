"""Databases with the page: making, filling, browsing, emptying; and comparing two pictures."""

import io
from collections.abc import Callable
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest
from PIL import Image

from tests.e2e.served import TOKEN
from tests.page.conftest import PATIENCE, Shop, give
from tests.serving.conftest import drawn

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
api.expect.set_options(timeout=PATIENCE)
pytestmark = pytest.mark.e2e
expect = api.expect


def _confirm(page: Any, name: str, typed: str | None = None) -> None:
    if typed is not None:
        button = page.get_by_role("dialog").last.get_by_role("button", name=name, exact=True)
        expect(button).to_be_disabled()
        page.locator("#typed").fill(typed)
    page.get_by_role("dialog").last.get_by_role("button", name=name, exact=True).click()


def test_several_are_added_and_a_bad_one_is_told(
    open_page: Callable[..., Any], shop: Shop, file_of: Callable[[str, bytes], str]
) -> None:
    shop.make("adding", {})
    page = open_page("databases/adding")
    page.locator("#add").click()
    files = [file_of(f"{seed}.png", drawn(seed)) for seed in range(4)]
    give(page, [*files[:2], file_of("notes.txt", b"no picture"), *files[2:]], ".adding")
    expect(page.locator("#add-start")).to_be_disabled()
    page.locator("#add-group").fill("shoe 1")
    page.get_by_text("More about these pictures").click()
    page.locator("#add-fact").click()
    page.locator(".fact-name").fill("price")
    page.locator(".fact-value").fill("30")
    page.locator("#add-start").click()
    expect(page.locator(".adding")).to_contain_text("4 of 5 added, 1 failed.")
    failed = page.locator(".files .failed")
    expect(failed).to_contain_text("notes.txt")
    expect(failed).to_contain_text("This file is no picture that can be read.")
    page.locator("#add-start").click()  # it closes the window now
    expect(page.locator("#pictures .card")).to_have_count(4)
    told = shop.ask("/v1/databases/adding/images")["pictures"]
    assert {(one["group_id"], one["data"]["price"]) for one in told} == {("shoe 1", 30)}


@pytest.mark.slow
def test_a_file_name_can_be_the_group(
    open_page: Callable[..., Any], shop: Shop, file_of: Callable[[str, bytes], str]
) -> None:
    shop.make("names", {})
    page = open_page("databases/names")
    page.locator("#add").click()
    give(page, [file_of(f"shoe.{seed}.png", drawn(seed)) for seed in range(2)], ".adding")
    page.locator("#add-by-name").check()
    page.locator("#add-start").click()
    expect(page.locator(".adding")).to_contain_text("2 of 2 added.")
    told = shop.ask("/v1/databases/names/images")["pictures"]
    assert {one["group_id"] for one in told} == {"shoe.0", "shoe.1"}


@pytest.mark.slow
def test_a_large_picture_is_made_smaller(
    open_page: Callable[..., Any], shop: Shop, file_of: Callable[[str, bytes], str]
) -> None:
    """The page is told of a service that takes 170 kB; what is kept tells what was sent."""
    noise = np.random.default_rng(0).integers(0, 256, (600, 900, 3), np.uint8)
    written = io.BytesIO()
    Image.fromarray(noise).save(written, "PNG")
    shop.make("large", {})
    page = open_page(database="large")

    def narrow(route: Any) -> None:
        about = route.fetch().json()
        route.fulfill(json={**about, "max_body_bytes": 170_000})

    page.route("**/v1", narrow)
    page.goto(f"{shop.server.address}/#/databases/large")
    page.reload()
    page.locator("#add").click()
    give(page, file_of("noise.png", written.getvalue()), ".adding")
    page.locator("#add-by-name").check()
    page.locator("#add-start").click()
    expect(page.locator(".adding")).to_contain_text("1 of 1 added.")
    path = "/v1/databases/large/picture?group_id=noise&intra_id=0"
    request = Request(shop.server.address + path, headers={"Authorization": TOKEN})  # noqa: S310
    with urlopen(request, timeout=60) as answer:  # noqa: S310 - our own server
        kept = answer.read()
    assert len(kept) <= 170_000 < len(written.getvalue())
    with Image.open(io.BytesIO(kept)) as picture:
        assert picture.width / picture.height == pytest.approx(1.5, abs=0.02)


@pytest.mark.slow
def test_pages_groups_and_deleting(open_page: Callable[..., Any], shop: Shop) -> None:
    shop.make("browse", {f"g{number:03}": drawn(number % 7) for number in range(59)})
    shop.add("browse", "g000", drawn(1), {})
    shop.add("browse", "last", drawn(2), {})
    page = open_page("databases/browse")
    expect(page.locator("#records-facts")).to_have_text("61 pictures")
    expect(page.locator("#page-at")).to_have_text("1 to 60 of 61")
    page.locator("#page-next").click()
    expect(page.locator("#pictures .card")).to_have_count(1)
    expect(page.locator("#page-next")).to_be_disabled()
    page.locator("#pictures .card-button").first.click()
    page.get_by_role("dialog").get_by_text("Delete this picture").click()
    expect(page.get_by_role("dialog").last).to_contain_text("last")
    _confirm(page, "Delete")
    # Nothing is left of the second page: the first is shown.
    expect(page.locator("#pictures .card")).to_have_count(60)
    page.locator("#group").fill("g000")
    page.locator("#group").press("Enter")
    expect(page.locator("#records-facts")).to_have_text("2 pictures of the group g000")
    page.locator("#drop-group").click()
    _confirm(page, "Delete")
    expect(page.locator("#records-facts")).to_have_text("58 pictures")
    assert shop.count("browse") == 58
    page.locator("#clean").click()
    _confirm(page, "Empty it", "browse")
    expect(page.locator("#records-state")).to_contain_text("Nothing is in here yet.")
    assert shop.count("browse") == 0


@pytest.mark.slow
def test_a_database_is_made_and_deleted(open_page: Callable[..., Any], shop: Shop) -> None:
    page = open_page("databases", refused=True)
    page.locator("#new-database").click()
    page.locator("#new-name").fill("made-here")
    page.get_by_role("button", name="Make it").click()
    expect(page.locator("#records-name")).to_have_text("made-here")
    assert shop.count("made-here") == 0
    page.locator("#drop").click()
    _confirm(page, "Delete", "made-here")
    expect(page.locator("#databases h1")).to_be_focused()
    names = [one["name"] for one in shop.ask("/v1/databases")["databases"]]
    assert "made-here" not in names


@pytest.mark.slow
def test_two_pictures_are_compared(
    open_page: Callable[..., Any], file_of: Callable[[str, bytes], str]
) -> None:
    page = open_page("compare")
    first, second = file_of("a.png", drawn(1)), file_of("b.png", drawn(2))
    give(page, first, "#compare-a")
    give(page, first, "#compare-b")
    expect(page.locator("#verdict .figure")).to_have_text("100.0%")
    page.get_by_text("Another one").last.click()
    give(page, second, "#compare-b")
    expect(page.locator("#verdict .figure")).not_to_have_text("100.0%")
    expect(page.locator("#verdict")).to_contain_text("cosine")
    assert page.evaluate("openAddresses.size") == 2
