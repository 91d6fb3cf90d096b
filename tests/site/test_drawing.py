"""What the build does to pages that Sphinx has written: formulas, styles, icons."""

import base64
import io
import re
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from sphinx.errors import ExtensionError

from tools.site import formulas, icons, styles
from tools.site.assets import fetch

SOLID = "vendor/fontawesome/6.5.2/webfonts/fa-solid-900"
FACE = f'src:url({SOLID}.woff2) format("woff2"),url({SOLID}.ttf) format("truetype")'


def page(site: Path, name: str, body: str, head: str = "") -> Path:
    path = site / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<html><head>{head}</head><body>{body}</body></html>", "utf-8")
    return path


def inline(tex: str) -> str:
    return rf'<span class="math notranslate nohighlight">\({tex}\)</span>'


def block(tex: str) -> str:
    return f'<div class="math notranslate nohighlight" id="e">\n\\[\n{tex}\n\\]</div>'


@pytest.fixture(scope="module", autouse=True)
def mathjax():
    fetch()


def test_formulas_become_svg_with_mathml(tmp_path):
    rows = r"\begin{aligned}a &amp;&lt; b \\[4pt] c &amp;= \text{输入门}\end{aligned}"
    path = page(tmp_path, "a/b.html", f"{inline('x^2')} 与 {block(rows)}")
    formulas.typeset(tmp_path)
    text = path.read_text("utf-8")
    assert text.count("<mjx-container") == text.count("<math ") == 2
    assert r"\(" not in text
    assert r"\[" not in text
    assert "<mo>&lt;</mo>" in text
    assert "输入门" in text
    used, there = (set(re.findall(p, text)) for p in (r'href="#(.*?)"', r' id="(.*?)"'))
    assert used
    assert used < there

    formulas.typeset(tmp_path)
    assert path.read_text("utf-8") == text


def test_every_page_has_its_own_glyphs(tmp_path):
    first = page(tmp_path, "1.html", inline("x"))
    second = page(tmp_path, "2.html", inline("x y"))
    formulas.typeset(tmp_path)
    counts = [path.read_text().count("<path id=") for path in (first, second)]
    assert counts == [1, 2]


@pytest.mark.parametrize("tex", [r"\fraction{1}{2}", r"\frac{1}", "{x", r"a & b"])
def test_what_is_not_tex_stops_the_build(tmp_path, tex):
    path = page(tmp_path, "sub/1.html", inline(tex))
    before = path.read_text("utf-8")
    with pytest.raises(ExtensionError, match="sub/1.html: .*" + re.escape(tex)):
        formulas.typeset(tmp_path)
    assert path.read_text("utf-8") == before


WORDS = {"used", "also", "there"}


@pytest.mark.parametrize(
    ("css", "kept"),
    [
        (".used > .also{color:red}", ".used > .also{color:red}\n"),
        (".used .unused{color:red}", ""),
        (".unused, p.used , #gone{color:red}", "p.used{color:red}\n"),
        ("#there a[href^='#gone']{color:red}", "#there a[href^='#gone']{color:red}\n"),
        (".used:not(.unused){color:red}", ".used:not(.unused){color:red}\n"),
        ("/* a */ p { color :  red; /* b */ }", "p{color : red;}\n"),
        ("@media print { .unused{a:b} }", ""),
        (
            "@media (min-width:9px){.used{a:b}.unused{a:b}}",
            "@media (min-width:9px){.used{a:b}\n}\n",
        ),
        ("@charset 'utf-8';p{a:b}", "p{a:b}\n"),
        ("@keyframes spin{to{a:b}}", "@keyframes spin{to{a:b}}\n"),
        ('p::after{content:"  , "}', 'p::after{content:"  , "}\n'),
    ],
)
def test_unused_rules_go(css, kept):
    found = styles.prune(css, WORDS)
    assert found.replace('"#gone"', "'#gone'") == kept


@pytest.fixture
def styled(tmp_path: Path) -> Path:
    """A site of two pages and three stylesheets, one of which imports another."""
    static = tmp_path / "_static"
    (static / "theme").mkdir(parents=True)
    (static / "basic.css").write_text("p{a:b}")
    (static / "theme" / "a.css").write_text(
        '@import "../basic.css";\n.x{background:url("img/x.png")}'
    )
    (static / "last.css").write_text(".made{c:d}.never{e:f}.x{g:h}")
    (static / "script.js").write_text("element.classList.add('made')")
    for name, up in (("1.html", ""), ("deep/er/2.html", "../../")):
        links = (
            f'<link href="{up}_static/theme/a.css?digest=1" rel="stylesheet" />\n'
            f'<link rel="stylesheet" type="text/css" href="{up}_static/last.css" />\n'
        )
        page(tmp_path, name, '<i class="x">字</i>', links + "<title>t</title>")
    return tmp_path


def test_one_stylesheet_in_the_order_of_many(styled):
    styles.merge(styled)
    css = (styled / "_static" / "book.css").read_text("utf-8")
    expected = [
        "p{a:b}",
        ".x{background:url(theme/img/x.png)}",
        ".made{c:d}",
        ".x{g:h}",
    ]
    assert css.split("\n") == [*expected, ""]
    for name, up in (("1.html", ""), ("deep/er/2.html", "../../")):
        text = (styled / name).read_text("utf-8")
        (address,) = styles.LINK.findall(text)
        assert address.startswith(f"{up}_static/book.css?v=")
        assert "<title>t</title>" in text


def test_a_page_written_anew_brings_its_own_classes(styled):
    styles.merge(styled)
    old = (styled / "1.html").read_text("utf-8")
    styles.merge(styled)
    assert (styled / "1.html").read_text("utf-8") == old

    link = '<link rel="stylesheet" href="_static/last.css">'
    link += '<link rel="stylesheet" href="_static/theme/a.css">'
    page(styled, "3.html", '<b class="never">新</b>', link)
    styles.merge(styled)
    css = (styled / "_static" / "book.css").read_text("utf-8")
    assert ".never{e:f}" in css
    assert ".made{c:d}" in css
    new = (styled / "1.html").read_text("utf-8")
    assert new != old
    assert new.count("stylesheet") == 1


def test_icon_fonts_keep_the_icons_in_use(site):
    css = f'@font-face{{{FACE}}}\n.fa-sun::before{{content:"\uf185"}}'
    small = icons.embed(css, site / "_static")
    assert SOLID not in small
    data = base64.b64decode(re.search(r"base64,([^)]+)", small)[1])
    assert list(TTFont(io.BytesIO(data)).getBestCmap()) == [0xF185]
    assert len(data) < 2000


def test_every_icon_of_the_book_has_a_drawing(site):
    css = (site / "_static" / "book.css").read_text("utf-8")
    drawn = set()
    for data in re.findall(r"url\(data:font/woff;base64,([^)]+)\)", css):
        drawn |= set(TTFont(io.BytesIO(base64.b64decode(data))).getBestCmap())
    icon = re.compile(r"fa-[a-z-]+")
    rules = dict(re.findall(r'\.(fa-[a-z-]+)::?before\{content:\s*"(.)"', css))
    for path in (site / "book").rglob("*.html"):
        for element in re.findall(
            r'<(?:i|span) class="([^"]*\bfa-[^"]*)"', path.read_text()
        ):
            names = set(icon.findall(element)) & set(rules)
            assert names, element
            assert {ord(rules[name]) for name in names} <= drawn, element
