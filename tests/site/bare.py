"""A page that holds nothing but one anywidget, twice if need be, and no kernel."""

import base64
import json
from pathlib import Path

import anywidget
from playwright.sync_api import Page

from tests.site.browser import Reader
from tools.site.assets import TOOLS, fetch

PAGE = """<!doctype html><html lang="zh"><meta charset="utf-8"><title>图</title>
<meta name="viewport" content="width=device-width">
<style>%s
body { margin: 8px; font-family: sans-serif; }
html[data-theme="dark"] body { background: #14181e; color: #ced6dd;
  --pst-color-background: #14181e; --pst-color-text-base: #ced6dd; }
</style>
<main><h1>图</h1><div id="here"></div><div id="again"></div></main>
<script type="module">
document.documentElement.dataset.theme = localStorage.theme;
const widget = (await import("data:text/javascript;base64,%s")).default;
window.state = %s;
window.draw = (state, id) => widget.render({
  el: document.getElementById(id),
  model: {
    get: (name) => state[name], set: (name, value) => { state[name] = value; },
    on() {}, off() {}, save_changes() { window.saved = JSON.stringify(state); },
  },
});
window.remove = draw(state, "here");
</script></html>"""


def opened(reader: Reader, folder: Path, widget: anywidget.AnyWidget) -> Page:
    """The widget in ``#here``; ``draw(JSON.parse(saved), 'again')`` draws it again."""
    traits = widget.traits(sync=True).items()
    own = [name for name, t in traits if t.this_class.__module__.startswith("lmbook.")]
    state = json.dumps({name: getattr(widget, name) for name in own})
    code = base64.b64encode(widget._esm.encode()).decode()
    path = folder / "page.html"
    path.write_text(PAGE % (widget._css, code, state), "utf-8")
    page = reader.open(path.as_uri())
    page.set_default_timeout(5_000)
    page.wait_for_selector(".lmbook-explorer svg")
    return page


def assert_readable(page: Page, width: int) -> None:
    """Nothing runs off the side, and axe finds no serious barrier."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if not page.evaluate("'axe' in window"):
        fetch()
        page.add_script_tag(path=str(TOOLS / "axe.min.js"))
    found = page.evaluate("axe.run(document)")["violations"]
    assert [v for v in found if v["impact"] in ("serious", "critical")] == []
