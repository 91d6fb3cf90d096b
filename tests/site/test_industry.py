"""The map of the chain and the calculators in a bare page: hands, keys, paper."""

import pytest
from playwright.sync_api import expect

from lmbook.industry import costs
from lmbook.widgets.calculator import SETTINGS, Calculator
from lmbook.widgets.chain_map import ChainMap
from tests.site.bare import assert_readable, opened
from tests.site.browser import reading

pytestmark = pytest.mark.browser


def test_the_map_by_hand_and_by_keyboard(browser, tmp_path):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, ChainMap("Cloud"))
        said, board = page.locator(".said"), page.locator(".board")
        expect(said).to_contain_text("上游：算力 · 算力云")
        expect(board.locator("path.in[d]")).to_have_count(11)  # one is an arrowhead
        board.get_by_role("button", name="芯片设计").click()
        expect(said).to_contain_text("英伟达：")
        page.get_by_role("button", name="中国", exact=True).click()
        expect(said).to_contain_text("寒武纪")
        expect(said).not_to_contain_text("英伟达：")
        board.get_by_role("button", name="芯片设计").focus()
        page.keyboard.press("ArrowRight")
        assert page.evaluate("state.link") == "Fabrication"
        board.get_by_role("button", name="评测").click()
        page.keyboard.press("ArrowUp")
        layer = "document.activeElement.closest('.layer').ariaLabel"
        assert page.evaluate(layer) == "数据"
        said.get_by_role("button").first.click()
        assert page.evaluate("document.activeElement.ariaPressed") == "true"
        page.evaluate("draw(JSON.parse(saved), 'again')")
        first, second = page.locator(".said").all_inner_texts()
        assert first == second
        assert reader.complaints == []


def test_the_whole_table_on_paper(browser, tmp_path):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, ChainMap())
        expect(page.locator(".paper")).to_be_hidden()
        page.emulate_media(media="print")
        expect(page.locator(".board")).to_be_visible()
        expect(page.locator(".paper p")).to_have_count(27)
        expect(page.locator(".paper p").first).to_be_visible()
        expect(page.locator(".said")).to_be_hidden()


@pytest.mark.parametrize("kind", SETTINGS)
def test_an_arrow_key_moves_every_slider_to_its_end(browser, tmp_path, kind):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, Calculator(kind))
        for slider in page.locator("input[type=range]").all():
            slider.press("Home")
            places = [slider.input_value()]
            for _ in range(12):
                slider.press("ArrowRight")
                places.append(slider.input_value())
            assert places == [str(place) for place in range(13)]
            slider.press("End")
            assert slider.input_value() == slider.get_attribute("max")
        assert reader.complaints == []


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_calculator_answers(browser, tmp_path, kind):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, Calculator(kind))
        before = page.locator("output").inner_text()
        last = page.locator("input[type=range]").last
        last.focus()
        page.keyboard.press("PageUp")
        assert page.locator("output").inner_text() != before
        name = last.get_attribute("data-name")
        assert page.evaluate(f"state.settings.{name}") > SETTINGS[kind][name]
        page.evaluate("draw(JSON.parse(saved), 'again')")
        again, other = page.locator("output").all_inner_texts()
        assert again == other
        page.emulate_media(media="print")
        expect(page.locator(".print").first).to_be_visible()
        for control in page.locator("input, select").all():
            expect(control).to_be_hidden()
        assert reader.complaints == []


def test_what_it_says_is_what_python_says(browser, tmp_path):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, Calculator("training", params=1e9, tokens=2e10))
        flops = costs.training_flops(1e9, 2e10)
        hours = costs.device_hours(flops, 312e12, 0.4)
        expect(page.locator("output")).to_contain_text("1.20×10²⁰ 次")
        expect(page.locator("output")).to_contain_text(f"{hours:.0f} 小时")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("kind", ["map", *SETTINGS])
def test_it_can_be_read_everywhere(browser, tmp_path, kind, width, theme):
    with reading(browser, tmp_path.as_uri(), theme, width) as reader:
        widget = ChainMap() if kind == "map" else Calculator(kind)
        page = opened(reader, tmp_path, widget)
        assert_readable(page, width)
        assert reader.complaints == []
