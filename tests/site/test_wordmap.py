"""The map of words in a bare page: search, analogy, zoom, dark, phone, paper."""

import numpy as np
import pytest
from playwright.sync_api import expect

from lmbook.embeddings.vectors import WordVectors
from lmbook.widgets.wordmap import WordMap
from tests.site.bare import assert_readable, opened
from tests.site.browser import reading

pytestmark = pytest.mark.browser

CAPITALS = {"法国": "巴黎", "日本": "东京", "埃及": "开罗", "中国": "北京"}


def explorer(**options) -> WordMap:
    """Countries and capitals that keep one distance, among 200 other words."""
    rng = np.random.default_rng(7)
    countries = rng.standard_normal((4, 24))
    rows = [countries, countries + 2 * rng.standard_normal(24)]
    rows.append(rng.standard_normal((200, 24)))
    words = [*CAPITALS, *CAPITALS.values(), *(f"<word{i}>" for i in range(200))]
    return WordMap(WordVectors(words, np.concatenate(rows)), words, **options)


def test_search_neighbours_and_analogy(browser, tmp_path):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, explorer())
        expect(page.locator("output")).to_contain_text("法国 的近邻")
        expect(page.locator("output li")).to_have_count(10)
        expect(page.locator("line.near")).to_have_count(10)
        field = page.get_by_label("要找的词")
        field.fill("<word1")
        expect(page.locator(".hint")).to_contain_text("可选：<word1>、<word10>")
        field.fill("日本")
        expect(page.locator("output")).to_contain_text("日本 的近邻")
        expect(page.locator("text.chosen")).to_have_text("日本")
        field.fill("月球")
        expect(page.locator(".hint")).to_have_text("地图上没有“月球”")
        field.blur()
        expect(field).to_have_value("日本")

        page.get_by_role("button", name="做类比").click()
        for name, word in (("一", "法国"), ("二", "巴黎"), ("三", "埃及")):
            page.get_by_label(f"类比的第{name}个词").fill(word)
        expect(page.locator("output")).to_contain_text("法国、巴黎、埃及 → 开罗")
        expect(page.locator("line.given")).to_have_count(1)
        expect(page.locator("line.answer")).to_have_count(1)
        assert page.evaluate("state.terms") == ["法国", "巴黎", "埃及"]

        page.evaluate("draw(JSON.parse(saved), 'again')")
        first, second = page.locator("output").all_inner_texts()
        assert first == second
        assert reader.complaints == []


def test_by_touch_and_by_keyboard(browser, tmp_path):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, explorer())
        page.locator("circle[data-word='5']").click(force=True)
        assert page.evaluate("state.word") == "东京"
        before = page.locator("circle").count()
        page.locator("svg").focus()
        for _ in range(3):
            page.keyboard.press("+")
        assert page.locator("circle").count() < before
        inside = page.locator("circle").evaluate_all(
            "all => all.map((c) => c.dataset.word).join()"
        )
        page.keyboard.press("ArrowRight")
        moved = page.locator("circle").evaluate_all(
            "all => all.map((c) => c.dataset.word).join()"
        )
        assert moved != inside
        page.get_by_role("button", name="看全图").click()
        expect(page.locator("circle")).to_have_count(before)

        # Dragging an enlarged map moves it and chooses nothing.
        page.get_by_role("button", name="放大").click()
        box = page.locator("svg").bounding_box()
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        start = page.locator("circle").first.get_attribute("cx")
        page.mouse.move(*middle)
        page.mouse.down()
        page.mouse.move(middle[0] - 60, middle[1], steps=5)
        page.mouse.up()
        assert page.evaluate("state.word") == "东京"
        assert page.locator("circle").first.get_attribute("cx") != start
        assert reader.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("mode", ["neighbours", "analogy"])
def test_it_can_be_read_everywhere(browser, tmp_path, mode, width, theme):
    with reading(browser, tmp_path.as_uri(), theme, width) as reader:
        page = opened(reader, tmp_path, explorer(mode=mode))
        assert_readable(page, width)
        assert reader.complaints == []


def test_on_paper_the_map_and_the_answer_stay(browser, tmp_path):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, explorer())
        page.emulate_media(media="print")
        expect(page.locator("svg")).to_be_visible()
        expect(page.locator("output")).to_be_visible()
        for control in page.locator("button, input").all():
            expect(control).to_be_hidden()


def test_in_the_book_with_no_kernel(site, browser):
    """On the page of section 3.3, among the theme's styles."""
    url = (site / "book" / "ch03_core_algorithms" / "s3_comparison.html").as_uri()
    with reading(browser, site.as_uri()) as reader:
        page = reader.open(url)
        explorer = page.locator(".lmbook-map")
        expect(explorer).to_have_count(1)
        explorer.get_by_label("要找的词").fill("国王")
        expect(explorer.locator("output")).to_contain_text("国王 的近邻")
        assert explorer.locator("circle.found").count() == 10
        explorer.get_by_role("button", name="做类比").click()
        for name, word in (("一", "爸爸"), ("二", "妈妈"), ("三", "国王")):
            explorer.get_by_label(f"类比的第{name}个词").fill(word)
        expect(explorer.locator("output")).to_contain_text("→ 王后")
        buttons = [b.bounding_box() for b in explorer.locator(".modes button").all()]
        assert abs(buttons[0]["y"] - buttons[1]["y"]) < 2  # side by side
        assert reader.complaints == []
