"""Every page as a reader meets it: offline, from a folder or a server, on a phone."""

import re
from pathlib import Path

import pytest
import yaml

from tests.site.browser import reading
from tests.site.conftest import ROOT, SITE
from tools.site.assets import TOOLS

pytestmark = pytest.mark.browser
MEGABYTE = 1_000_000
A4 = 718  # CSS pixels between margins of a centimetre


def listed(toc: dict) -> list[str]:
    """Every page of the table of contents, as a path without ending."""
    found = [toc["root"]] if "root" in toc else [toc["file"]]
    for part in toc.get("chapters", []) + toc.get("sections", []):
        found += listed(part)
    return found


PAGES = listed(yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8")))
EXTRA = ["search", "genindex"]


def check(page, reader) -> None:
    """What must hold on a page that has been drawn."""
    assert reader.complaints == []
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    formulas = page.locator("article span.math, article div.math")
    assert formulas.count() == page.locator("article .math > mjx-container").count()
    lost = page.evaluate(
        """[...document.querySelectorAll("mjx-container use")]
        .map(u => u.href.baseVal).filter(id => !document.querySelector(id))"""
    )
    assert not lost, "glyphs that formulas use and the page lacks"
    left = page.locator("main").first.evaluate(
        r"e => e.innerText.match(/\\[(\[]|\$\$/)"
    )
    assert left is None, "a formula was left as it was typed"
    diagrams = page.locator("pre.mermaid, div.mermaid")
    assert page.locator("pre.mermaid svg, div.mermaid svg").count() == diagrams.count()
    assert not page.get_by_text("Syntax error in text").count()
    broken = "i => !i.complete || i.naturalWidth === 0"
    images = page.locator("img").all()
    assert not [i.get_attribute("src") for i in images if i.evaluate(broken)]
    assert not [i.get_attribute("src") for i in images if not i.get_attribute("alt")]


@pytest.mark.parametrize("name", PAGES + EXTRA)
def test_from_a_folder_with_the_network_cut(site, browser, name):
    with reading(browser, site.as_uri()) as reader:
        check(reader.open((site / f"{name}.html").as_uri()), reader)


@pytest.mark.parametrize("name", PAGES + EXTRA)
def test_from_a_server_in_a_sub_path_in_the_dark(served, browser, name):
    with reading(browser, served, theme="dark") as reader:
        page = reader.open(f"{served}{name}.html")
        check(page, reader)
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"


@pytest.mark.parametrize("name", PAGES)
def test_on_a_phone_nothing_sticks_out(site, browser, name):
    with reading(browser, site.as_uri(), width=360) as reader:
        page = reader.open((site / f"{name}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        sizes = page.locator(".mermaid > svg").evaluate_all(
            "all => all.map(s => s.clientWidth / s.viewBox.baseVal.width)"
        )
        assert all(0.69 < size <= 1.01 for size in sizes), sizes  # words can be read


def test_the_first_page_leads_into_the_book(site, browser):
    with reading(browser, site.as_uri()) as reader:
        page = reader.open((site / "index.html").as_uri())
        page.wait_for_url("**/book/index.html")
        assert "从无到有" in page.title()


@pytest.mark.parametrize("name", PAGES)
def test_on_paper_there_is_text_and_no_navigation(site, browser, name):
    with reading(browser, site.as_uri()) as reader:
        page = reader.open((site / f"{name}.html").as_uri())
        page.emulate_media(media="print")
        assert page.locator("article").is_visible()
        for part in (".bd-sidebar-primary", ".bd-header-article", ".prev-next-footer"):
            assert not page.locator(part).first.is_visible(), part


@pytest.mark.parametrize("name", PAGES)
def test_on_paper_nothing_is_cut_off(site, browser, name):
    with reading(browser, site.as_uri(), width=A4) as reader:
        page = reader.open((site / f"{name}.html").as_uri())
        page.emulate_media(media="print")
        cut = page.locator("article :is(pre, table, img, svg)").evaluate_all(
            """all => all.filter(part => {
                const {right, width} = part.getBoundingClientRect();
                const scrolls = part.matches("pre")
                    && part.scrollWidth > part.clientWidth + 1;
                return width && (right > innerWidth + 1 || scrolls);
            }).map(part => part.tagName + " " + part.textContent.slice(0, 80))"""
        )
        assert not cut


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", [*PAGES, "search"])
def test_no_serious_accessibility_violation(site, browser, name, theme):
    with reading(browser, site.as_uri(), theme=theme) as reader:
        page = reader.open((site / f"{name}.html").as_uri())
        page.add_script_tag(path=str(TOOLS / "axe.min.js"))
        found = page.evaluate("axe.run(document)")["violations"]
    serious = [
        f"{v['id']}: {node['target']} {node['failureSummary'][:200]}"
        for v in found
        if v["impact"] in ("serious", "critical")
        for node in v["nodes"]
    ]
    assert not serious, "\n".join(serious)


def scripts_and_styles(html: str, page: Path) -> list[Path]:
    links = re.findall(r'<(?:script|link)[^>]+(?:src|href)="([^"#?]+)', html)
    paths = [(page.parent / link).resolve() for link in links if ":" not in link]
    return [p for p in paths if p.suffix in (".js", ".css")]


@pytest.mark.parametrize("name", PAGES + EXTRA)
def test_a_page_is_light_and_asks_no_other_host(site, name):
    page = SITE / f"{name}.html"
    html = page.read_text("utf-8")
    loaded = re.findall(r"<(?:script|link|img|iframe)[^>]+https?://[^>]*", html)
    assert not [tag for tag in loaded if 'rel="canonical"' not in tag]
    assert str(ROOT) not in html
    images = re.findall(r'<img[^>]+src="([^":]+)"', html)
    own = page.stat().st_size + sum((page.parent / i).stat().st_size for i in images)
    assert own <= 1.5 * MEGABYTE
    scripts = scripts_and_styles(html, page)
    uses = {
        "mermaid.min.js": 'class="mermaid' in html or "mermaid align" in html,
        "embed-amd.js": "jupyter.widget-view" in html,
        "require.js": "jupyter.widget-view" in html,
    }
    loads = {p.name for p in scripts}
    assert {s for s in uses if s in loads} == {s for s, used in uses.items() if used}
    heavy = uses["mermaid.min.js"] or uses["embed-amd.js"]
    total = own + sum(p.stat().st_size for p in scripts)
    assert total <= (12 if heavy else 2) * MEGABYTE


@pytest.mark.parametrize("name", [p for p in PAGES if "/s" in p])
def test_buttons_lead_to_the_notebook(site, name):
    html = (site / f"{name}.html").read_text("utf-8")
    settings = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    repository = settings["repository"]["url"]
    owner = repository.removeprefix("https://github.com/")
    for link in (
        f"https://mybinder.org/v2/gh/{owner}/main?urlpath=lab/tree/{name}.ipynb",
        f"https://colab.research.google.com/github/{owner}/blob/main/{name}.ipynb",
        f"{repository}/edit/main/{name}.ipynb",
        f"{repository}/issues/new",
    ):
        assert link in html
    assert (site / "_sources" / f"{name}.ipynb").exists()
    assert f"_sources/{name}.ipynb" in html
