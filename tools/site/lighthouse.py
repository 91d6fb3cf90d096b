"""Measure the built book with Lighthouse: ``make lighthouse``.

    python -m tools.site.lighthouse

npx fetches Lighthouse at the version below and runs it in the installed Chromium
against Python's own web server, without compression.  The scores of the cover and
of one chapter page, as a desktop and as a slow phone, are recorded in
benchmarks/results/lighthouse.json; one below 90 on the desktop is an error.
"""

import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from lmbook.files import atomic_write
from tools.site.assets import ROOT, modern_node

LIGHTHOUSE = "lighthouse@13.5.0"
PAGES = ("book/index.html", "book/ch04_mathematics/s2_gradients.html")
CATEGORIES = ("performance", "accessibility", "best-practices")
SETTINGS = {"desktop": ["--preset=desktop"], "phone": []}
LEAST = 90
RESULTS = ROOT / "benchmarks" / "results" / "lighthouse.json"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-background-networking"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def measure(url: str, chromium: str, setting: str) -> dict[str, int | str]:
    """Scores from 0 to 100 of one page, with the versions that gave them."""
    node, npx = modern_node()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            *(node, npx, "--yes", LIGHTHOUSE, url, "--quiet", "--output=json"),
            *(f"--output-path={report}", f"--chrome-flags={FLAGS}", *SETTINGS[setting]),
            f"--only-categories={','.join(CATEGORIES)}",
        ]
        path = f"{Path(node).parent}{os.pathsep}{os.environ['PATH']}"
        environment = dict(os.environ, CHROME_PATH=chromium, PATH=path)
        subprocess.run(command, check=True, env=environment)
        found = json.loads(report.read_text("utf-8"))
    scores = {c: round(100 * found["categories"][c]["score"]) for c in CATEGORIES}
    return {
        **scores,
        "lighthouse": found["lighthouseVersion"],
        "browser": found["environment"]["hostUserAgent"].split("Chrome/")[1].split()[0],
    }


def main() -> None:
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    site = ROOT / "_build" / "html"
    if chromium is None or not site.exists():
        sys.exit("error: needs an installed Chromium and the built book (make book)")
    handler = functools.partial(_Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        results = {
            page: {s: measure(f"{address}/{page}", chromium, s) for s in SETTINGS}
            for page in PAGES
        }
        server.shutdown()
    with atomic_write(RESULTS) as temporary:
        temporary.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
    for page, rows in results.items():
        for setting, row in rows.items():
            print(f"{page}, {setting}:", *(f"{c} {row[c]}" for c in CATEGORIES))
    desktop = [rows["desktop"] for rows in results.values()]
    if any(int(row[c]) < LEAST for row in desktop for c in CATEGORIES):
        sys.exit(f"error: a score on the desktop is below {LEAST}")


if __name__ == "__main__":
    main()
