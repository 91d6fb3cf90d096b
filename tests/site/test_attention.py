"""The attention viewer in a bare page: words, heads, keys, dark, phone, paper."""

import numpy as np
import pytest
from playwright.sync_api import expect

from lmbook.widgets.attention import AttentionViewer
from tests.site.bare import assert_readable, opened
from tests.site.browser import reading

pytestmark = pytest.mark.browser

TEXTS = [["保罗", "卧室", "莉莉", "<公园>", "保罗", "卧室"], ["莉莉", "花园", "莉莉"]]


def looking_back(size: int, step: int) -> np.ndarray:
    """A head that gives 0.8 to the token ``step`` back, the rest to the first."""
    weights = np.zeros((size, size))
    for i in range(size):
        weights[i, max(i - step, 0)] += 0.8
        weights[i, 0] += 0.2
    return weights


def viewer(**options) -> AttentionViewer:
    steps = np.arange(4).reshape(2, 2)  # layer 1: 0 and 1 back, layer 2: 2 and 3
    maps = [
        np.array([[looking_back(len(text), n) for n in row] for row in steps])
        for text in TEXTS
    ]
    guesses = [[(word, 0.93) for word in TEXTS[0]], []]
    return AttentionViewer(TEXTS, maps, guesses=guesses, names=["甲", "乙"], **options)


def test_words_heads_and_texts(browser, tmp_path):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, viewer(layer=1, head=1, token=4))
        said = page.locator("output")
        expect(said).to_contain_text("第 2 层第 2 个头")
        expect(said).to_contain_text("卧室（第 2 个）80%、保罗（第 1 个）20%")
        expect(said).to_contain_text("模型猜下一个词：保罗 93%，文中是 卧室")
        expect(page.locator(".tokens button")).to_have_count(6)
        expect(page.locator(".tokens button").nth(1)).to_contain_text("80")
        expect(page.locator(".tokens .later")).to_have_count(1)
        expect(page.locator("rect.cell")).to_have_count(2 * 6 - 4)

        page.get_by_label("第 1 层，头 2").click()
        expect(said).to_contain_text("<公园>（第 4 个）80%")
        page.locator(".tokens button").nth(2).click()
        expect(said).to_contain_text("第 3 个词 莉莉 看的是：卧室（第 2 个）80%")
        assert page.evaluate("[state.layer, state.head, state.token]") == [0, 1, 2]

        page.get_by_label("选一段文字").select_option("乙")
        expect(page.locator(".tokens button")).to_have_count(3)
        expect(said).to_contain_text("第 3 个词 莉莉 看的是：花园（第 2 个）80%")
        assert "模型猜" not in said.inner_text()

        page.evaluate("draw(JSON.parse(saved), 'again')")
        first, second = page.locator("output").all_inner_texts()
        assert first == second
        assert reader.complaints == []


def test_by_keyboard_and_on_the_map(browser, tmp_path):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, viewer(token=5))
        page.locator(".tokens .chosen").focus()
        page.keyboard.press("ArrowLeft")
        assert page.evaluate("state.token") == 4
        expect(page.locator(".tokens button").nth(4)).to_be_focused()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowLeft")  # there is nothing before the first
        assert page.evaluate("state.token") == 0
        page.keyboard.press("End")
        assert page.evaluate("state.token") == 5
        places = []
        for _ in range(4):
            page.keyboard.press("ArrowDown")
            places.append(tuple(page.evaluate("[state.layer, state.head]")))
        assert places == [(0, 1), (1, 0), (1, 1), (0, 0)]
        page.keyboard.press("ArrowUp")
        assert page.evaluate("[state.layer, state.head]") == [1, 1]

        box = page.locator("svg").bounding_box()
        page.mouse.click(box["x"] + 90, box["y"] + box["height"] * 2.5 / 6)
        assert page.evaluate("state.token") == 2
        page.locator("svg").focus()
        page.keyboard.press("ArrowRight")
        assert page.evaluate("state.token") == 3
        assert reader.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_can_be_read_everywhere(browser, tmp_path, width, theme):
    with reading(browser, tmp_path.as_uri(), theme, width) as reader:
        page = opened(reader, tmp_path, viewer(layer=1, token=4))
        assert_readable(page, width)
        assert reader.complaints == []


def test_on_paper_the_map_and_the_answer_stay(browser, tmp_path):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, viewer())
        page.emulate_media(media="print")
        for part in ("svg", "output", ".tokens"):
            expect(page.locator(part)).to_be_visible()
        expect(page.locator(".help")).to_be_hidden()


def test_in_the_book_with_no_kernel(site, browser):
    """On the page of section 3.6, among the theme's styles."""
    url = (site / "book" / "ch03_core_algorithms" / "s6_transformer.html").as_uri()
    with reading(browser, site.as_uri()) as reader:
        page = reader.open(url)
        shown = page.locator(".lmbook-attention")
        expect(shown).to_have_count(1)
        expect(shown.locator(".heads button")).to_have_count(4)
        # A name that is asked for: the head that was chosen finds the place to copy.
        asked = shown.locator(".tokens button").nth(8)
        asked.click()
        expect(shown.locator("output")).to_contain_text("第 9 个词")
        shown.get_by_label("选一段文字").select_option("八件事，八个问题")
        expect(shown.locator(".tokens button")).to_have_count(32)
        buttons = [b.bounding_box() for b in shown.locator(".heads button").all()[:2]]
        assert abs(buttons[0]["y"] - buttons[1]["y"]) < 2  # side by side
        assert reader.complaints == []
