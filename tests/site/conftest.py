"""The built book, a browser, and a plain server that has it in a sub-path."""

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.site.browser import launched
from tools.site.build import build

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built book, up to date."""
    build(ROOT)
    return SITE


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with launched() as running:
        yield running


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder under the path /a/sub-path/, and nothing else."""

    PREFIX = "/a/sub-path"

    def translate_path(self, path: str) -> str:
        if not path.startswith(self.PREFIX + "/"):
            return "/nowhere"
        return super().translate_path(path.removeprefix(self.PREFIX))

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="session")
def served(site: Path) -> Iterator[str]:
    """Address of the built book on a server of this machine, in a sub-path."""
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{Quiet.PREFIX}/"
        server.shutdown()
