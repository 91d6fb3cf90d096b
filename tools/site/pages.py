"""Sphinx extension: each page loads the scripts it uses, all from this folder.

Diagrams and widgets each need a large script.  Sphinx and the themes would load
some of them everywhere or from other hosts; here every page gets just what stands
on it, from ``_static/vendor``.  Formulas need none: they are drawn after the build.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinxcontrib.mermaid import mermaid

from tools.site import formulas, styles

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# 1.6 MB of icons as a script, beside the same icons as a font; what is to be loaded
# before the page though the page can be read without it; sphinx-thebe's set-up.
UNUSED = re.compile(
    r"\s*<script[^>]*fontawesome[^>]*all\.min\.js[^>]*></script>"
    r'|\s*<link rel="preload"[^>]*>'
    r'|\s*<script type="text/x-thebe-config">.*?</script>'
    r"|\s*<script>kernelName = '[^']*'</script>"
    r"|\s*<link[^>]*sphinx-thebe\.css[^>]*>",
    re.DOTALL,
)
# Scripts that may wait for the page; a line in it needs the options at once.
WAITING = re.compile(
    r'<script((?! defer)[^>]* src="[^"]*_static/(?!documentation_options)[^"]*")'
)
WIDGET_SCRIPTS = ("require.js", "embed-amd.js")


def choose_scripts(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Drop the scripts that this page has no use for; make diagrams work offline."""
    has_diagram = doctree is not None and doctree.next_node(mermaid) is not None
    has_widget = WIDGET_VIEW in context.get("body", "")
    kept = []
    for script in context["script_files"]:
        name = str(getattr(script, "filename", script) or "")
        body = getattr(script, "attributes", {}).get("body") or ""
        if "mermaid" in body or "mermaid" in name or "thebe" in name + body:
            continue
        if name.endswith(WIDGET_SCRIPTS) and not has_widget:
            continue
        if "MathJax" in body or "mathjax" in name:  # see tools/site/formulas.py
            continue
        kept.append(script)
    context["script_files"][:] = kept
    if has_diagram:
        # Before require.js, which mermaid would take for a module loader and leave
        # no global behind.
        for name in ("vendor/mermaid.min.js", "diagrams.js"):
            app.add_js_file(name, loading_method="defer", priority=400)
    if has_widget:
        # Read by require.js when it starts: where what is asked for by name lies.
        vendor = context["pathto"]("_static/vendor", resource=True)
        manager = "@jupyter-widgets/html-manager"
        paths = {
            "anywidget": f"{vendor}/anywidget",
            manager: f"{vendor}/embed-amd",
            f"{manager}/dist/libembed-amd": f"{vendor}/embed-amd",
        }
        app.add_js_file(
            None, body=f"var require = {json.dumps({'paths': paths})};", priority=1
        )


def lighten(app: Sphinx, exception: Exception | None) -> None:
    """Take out of every page what the theme's templates add and no reader needs.

    What remains is read while the page is drawn, not before: one small stylesheet,
    and scripts that wait for the page.
    """
    if exception is None and app.builder.format == "html":
        site = Path(app.outdir)
        for page in site.rglob("*.html"):
            text = page.read_text("utf-8")
            lighter = UNUSED.sub("", text)
            if page.name != "search.html":  # whose scripts call each other at once
                lighter = WAITING.sub(r"<script defer\1", lighter)
            if lighter != text:
                page.write_text(lighter, "utf-8")
        formulas.typeset(site)
        styles.merge(site)


def use_fork(app: Sphinx, config: Any) -> None:
    """On GitHub, links point to the repository that the book is built in."""
    repository = os.environ.get("GITHUB_REPOSITORY")
    if repository:
        config.html_theme_options["repository_url"] = f"https://github.com/{repository}"


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", choose_scripts, priority=900)
    app.connect("config-inited", use_fork, priority=900)
    # After the theme's own, which writes the colours of code for light and dark.
    app.connect("build-finished", lighten, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
