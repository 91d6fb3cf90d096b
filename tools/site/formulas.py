"""Formulas are typeset when the book is built, not in the reader's browser.

MathJax turns each into SVG, with MathML beside it for screen readers.  A page then
needs no two megabytes of script, and no formula is seen as TeX before it is drawn.
"""

import html
import json
import re
import subprocess
from pathlib import Path

from sphinx.errors import ExtensionError

from tools.site.assets import MATHJAX_FOLDER, node

RAW = re.compile(
    r'(<(span|div) class="math notranslate nohighlight"[^>]*>\s*'
    r'(?:<span class="eqno">.*?</span>)?)\\([(\[])(.*?)\\[)\]]\s*(</\2>)',
    re.DOTALL,
)
ERROR = re.compile(r'data-mjx-error="([^"]*)"')
SCRIPT = Path(__file__).with_suffix(".js")


def typeset(site: Path) -> None:
    """Put SVG in the place of the TeX on every page of a built site.

    Raises Sphinx's ``ExtensionError`` for a formula that is not TeX.
    """
    pages = {path: path.read_text("utf-8") for path in site.rglob("*.html")}
    raw = {
        path.relative_to(site).as_posix(): [
            (html.unescape(tex).strip(), bracket == "[")
            for _, _, bracket, tex, _ in RAW.findall(text)
        ]
        for path, text in pages.items()
    }
    raw = {page: formulas for page, formulas in raw.items() if formulas}
    if not raw:
        return
    for page, done in _run(raw).items():
        for (tex, _), drawn in zip(raw[page], done["formulas"], strict=True):
            found = ERROR.search(drawn)
            if found:
                raise ExtensionError(f"{page}: {html.unescape(found[1])}: {tex}")
        text = _put_in(pages[site / page], done["formulas"])
        glyphs = f'<svg style="display:none" aria-hidden="true">{done["glyphs"]}</svg>'
        text = text.replace("</body>", f"{glyphs}\n</body>")
        (site / page).write_text(text, "utf-8")


def _put_in(text: str, formulas: list[str]) -> str:
    drawings = iter(formulas)
    return RAW.sub(lambda found: found[1] + next(drawings) + found[5], text)


def _run(raw: dict[str, list[tuple[str, bool]]]) -> dict[str, dict]:
    done = subprocess.run(
        [node(), str(SCRIPT), str(MATHJAX_FOLDER)],
        input=json.dumps(raw),
        capture_output=True,
        encoding="utf-8",
    )
    if done.returncode:
        raise ExtensionError(f"MathJax did not run: {done.stderr.strip()}")
    return json.loads(done.stdout)
