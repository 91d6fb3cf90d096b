"""The reader's browser: an installed Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium() -> str:
    """Path of the browser; without one, skip with advice, or fail where CI is set."""
    for name in (os.environ.get("CHROMIUM", ""), *NAMES):
        found = shutil.which(name) if name else None
        if found:
            return found
    advice = (
        "no Chromium found: install one (Debian and Ubuntu: apt install chromium) "
        "or name it in the environment variable CHROMIUM"
    )
    if os.environ.get("CI"):
        pytest.fail(advice)
    pytest.skip(advice)


@contextmanager
def launched() -> Iterator[Browser]:
    """A running browser."""
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Reader:
    """One page opened by a reader whose network is cut; keeps what went wrong."""

    def __init__(self, browser: Browser, home: str, theme: str, width: int) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900})
        script = f"for (const k of ['mode', 'theme']) localStorage[k] = '{theme}';"
        self.context.add_init_script(script)
        self.complaints: list[str] = []
        self.home = home
        self.context.route("**/*", self._only_home)
        self.page: Page = self.context.new_page()
        self.page.on("pageerror", lambda e: self.complaints.append(f"error: {e}"))
        self.page.on(
            "requestfailed", lambda r: self.complaints.append(f"lost: {r.url}")
        )
        self.page.on("console", self._hear)

    def _only_home(self, route: Route) -> None:
        url = route.request.url
        if url.startswith((self.home, "data:", "blob:")):
            route.continue_()
        else:
            self.complaints.append(f"asked another host: {url}")
            route.abort()

    def _hear(self, message: object) -> None:
        if getattr(message, "type", "") == "error":
            self.complaints.append(f"console: {getattr(message, 'text', '')}")

    def open(self, url: str) -> Page:
        """Go there and wait until diagrams and widgets have been drawn."""
        self.page.goto(url)
        self.page.wait_for_load_state("networkidle")
        for drawn in ("pre.mermaid svg, div.mermaid svg", ".lmbook-explorer svg"):
            kind = drawn.split(",")[0].split(" ")[0]
            holder = "pre.mermaid, div.mermaid" if "mermaid" in kind else WIDGET
            if self.page.locator(holder).count():
                self.page.wait_for_selector(drawn, timeout=20_000)
        return self.page

    def close(self) -> None:
        self.context.close()


WIDGET = "script[type='application/vnd.jupyter.widget-view+json']"


@contextmanager
def reading(
    browser: Browser, home: str, theme: str = "light", width: int = 1280
) -> Iterator[Reader]:
    reader = Reader(browser, home, theme, width)
    try:
        yield reader
    finally:
        reader.close()
