"""Takes the pictures of the page in docs/images: ``python -m docs.screenshots``.

It needs Chromium, Playwright, and the photographs of the Grocery Store Dataset beside the
repository; the model is the one that ships with the package.
"""

import base64
import io
import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, ViewportSize, sync_playwright

from tests.e2e.served import ROOT, TOKEN, Served

GROCERY = ROOT.parent / "shared" / "data" / "grocery"
IMAGES = ROOT / "docs" / "images"
QUERY = "images/test_Yellow-Bell-Pepper_005.jpg"
COMPARED = ("images/test_Arla-Sour-Milk_002.jpg", "images/test_Arla-Sour-Milk_003.jpg")
DESKTOP: ViewportSize = {"width": 1180, "height": 760}
PHONE: ViewportSize = {"width": 360, "height": 640}
MOST_BYTES = 290_000


def main() -> None:
    """Fills a service, drives the page, and writes the pictures."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        served = Served(Path(folder) / "root", Path(folder) / "out")
        try:
            _fill(served)
            with sync_playwright() as playwright:
                program = shutil.which("chromium")
                browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
                _desktop(browser, served.address)
                _phone(browser, served.address)
                browser.close()
        finally:
            served.kill()


def _desktop(browser: Any, address: str) -> None:
    for theme in ("light", "dark"):
        page = _open(browser, address, viewport=DESKTOP, color_scheme=theme)
        _search(page)
        _take(page, f"page_search_{theme}")
    page = _open(browser, address, viewport=DESKTOP)
    page.set_viewport_size({"width": 1180, "height": 480})
    page.keyboard.press("3")
    page.locator(".covers .thumb.there").nth(11).wait_for()
    _take(page, "page_databases")
    page.set_viewport_size(DESKTOP)
    page.locator("#shelf a").last.click()
    _wait_for_pictures(page, "#pictures")
    _take(page, "page_pictures")
    page.keyboard.press("2")
    for side, name in zip("ab", COMPARED, strict=True):
        page.locator(f"#compare-{side} input").first.set_input_files(GROCERY / name)
    page.locator("#verdict .figure").wait_for()
    _take(page, "page_compare")


def _phone(browser: Any, address: str) -> None:
    options = {"viewport": PHONE, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}
    page = _open(browser, address, locale="zh-CN", **options)
    _search(page)
    _take(page, "page_phone")


def _open(browser: Any, address: str, **options: Any) -> Page:
    context = browser.new_context(**{"locale": "en-GB", **options})
    context.add_init_script(f"sessionStorage.setItem('token', '{TOKEN}')")
    page: Page = context.new_page()
    page.goto(address)
    page.locator("#database option").first.wait_for(state="attached")
    return page


def _search(page: Page) -> None:
    page.locator("#search-intake input").first.set_input_files(GROCERY / QUERY)
    _wait_for_pictures(page, "#hits")


def _wait_for_pictures(page: Page, grid: str) -> None:
    """Returns when nothing that is in sight is still on its way."""
    page.locator(f"{grid} .thumb.there").nth(3).wait_for()
    page.wait_for_load_state("networkidle")


def _take(page: Page, name: str) -> None:
    """Writes what is seen as a small PNG: fewer colours until it is."""
    page.mouse.move(0, 0)
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    for colours in (256, 192, 128, 96, 64, 48):
        written = io.BytesIO()
        picture.quantize(colours, dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
        if len(written.getvalue()) <= MOST_BYTES:
            break
    path = IMAGES / f"{name}.png"
    path.write_bytes(written.getvalue())
    print(f"{path} {path.stat().st_size:,} bytes, {colours} colours")


def _fill(served: Served) -> None:
    rows = [line.split() for line in (GROCERY / "gallery.txt").read_text("utf-8").splitlines()]
    drinks = [row for row in rows if re.search("Milk|Juice|Soy|Yog|Arla|Fil", row[0])]
    fruit = [row for row in rows if re.search("Apple|Pear|Grape|Lemon|Anjou|Melon", row[0])]
    for name, chosen in (("drinks", drinks), ("fruit", fruit), ("groceries", rows)):
        _ask(served, "PUT", f"/v1/databases/{name}")
        _add(served, name, chosen)


def _add(served: Served, database: str, rows: Sequence[Sequence[str]]) -> None:
    for path, label in rows:
        product = re.sub(r"^(train|test|val)_|_\d+$", "", Path(path).stem).replace("-", " ")
        record = {
            "image": base64.b64encode((GROCERY / path).read_bytes()).decode(),
            "group_id": product,
            "data": {"label": int(label)},
        }
        _ask(served, "POST", f"/v1/databases/{database}/images", record)


def _ask(served: Served, method: str, path: str, body: object = None) -> None:
    from urllib.request import Request, urlopen

    headers = {"Authorization": TOKEN, "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = Request(served.address + path, data, headers, method=method)  # noqa: S310
    urlopen(request, timeout=60).close()  # noqa: S310 - our own service


if __name__ == "__main__":
    main()
