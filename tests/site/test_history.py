"""The history of models in a bare page: quantities, years, points, dark, phone."""

import pytest
from playwright.sync_api import expect

from lmbook.widgets.history import History
from tests.site.bare import assert_readable, opened
from tests.site.browser import reading

pytestmark = pytest.mark.browser


def test_quantity_group_and_years(browser, tmp_path):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, History())
        fit = page.locator("output.fit")
        expect(fit).to_contain_text("个点，每年 ×")
        points = page.locator("[data-point]")
        assert points.count() > 70
        before = fit.inner_text()
        page.get_by_label("看什么").select_option("tokens")
        expect(fit).not_to_have_text(before)
        assert page.evaluate("state.quantity") == "tokens"

        page.get_by_label("算哪些").select_option("records")
        used = page.locator(".used").count()
        assert 3 < used < points.count()
        expect(fit).to_contain_text(f"{used} 个点")

        page.get_by_role("slider", name="从").fill("2024")
        expect(page.locator("svg title")).to_contain_text("2024 到 2027 年")
        page.get_by_role("slider", name="到").fill("2010")
        assert page.evaluate("[state.since, state.until]") == [2008, 2010]
        expect(fit).to_contain_text("至少要三个不同的月份")

        page.evaluate("draw(JSON.parse(saved), 'again')")
        first, second = page.locator("output.fit").all_inner_texts()
        assert first == second
        assert reader.complaints == []


def test_a_point_tells_its_source_by_touch_and_by_keyboard(browser, tmp_path):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, History())
        told = page.locator("output.told")
        expect(told).to_contain_text("点一个记号")
        page.locator("svg").focus()
        page.keyboard.press("ArrowRight")
        expect(told).to_contain_text("Transformer (base)")
        page.keyboard.press("ArrowLeft")
        expect(told).to_contain_text("Kimi K3")
        gpt3 = page.evaluate(
            "state.series.params.filter((p) => p[0] >= 2017)"
            ".findIndex((p) => p[2] === 'GPT-3')"
        )
        page.locator(f"[data-point='{gpt3}']").click(force=True)
        expect(told).to_contain_text("2020 年 5 月，GPT-3（OpenAI）：1750 亿")
        expect(told.locator("a")).to_have_attribute(
            "href", "https://arxiv.org/abs/2005.14165"
        )
        page.locator("[data-event]").first.click(force=True)
        expect(told).to_contain_text("2017 年 1 月，Sparse mixture of experts")
        assert reader.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("quantity", ["flops", "price"])
def test_it_can_be_read_everywhere(browser, tmp_path, quantity, width, theme):
    with reading(browser, tmp_path.as_uri(), theme, width) as reader:
        page = opened(reader, tmp_path, History(quantity=quantity))
        assert_readable(page, width)
        assert reader.complaints == []


def test_on_paper_the_figure_and_the_rate_stay(browser, tmp_path):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, History())
        page.emulate_media(media="print")
        expect(page.locator("svg")).to_be_visible()
        expect(page.locator("output.fit")).to_be_visible()


def test_in_the_book_with_no_kernel(site, browser):
    """On the page of section 2.1, among the theme's styles."""
    url = (site / "book" / "ch02_core_concepts" / "s1_history.html").as_uri()
    with reading(browser, site.as_uri()) as reader:
        page = reader.open(url)
        explorer = page.locator(".lmbook-history")
        expect(explorer).to_have_count(1)
        before = explorer.locator("output.fit").inner_text()
        explorer.get_by_label("看什么").select_option("active")
        expect(explorer.locator("output.fit")).not_to_have_text(before)
        explorer.locator("svg").focus()
        page.keyboard.press("ArrowRight")
        expect(explorer.locator("output.told")).to_contain_text("出处")
        assert reader.complaints == []
