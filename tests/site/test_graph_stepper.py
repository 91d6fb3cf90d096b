"""The stepper in a bare page: by keyboard, in the dark, on a phone, on paper."""

import re
from itertools import combinations
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lmbook.backprop import Tensor
from lmbook.widgets.graph import GraphStepper
from tests.site import bare
from tests.site.bare import assert_readable
from tests.site.browser import Reader, reading

pytestmark = pytest.mark.browser


def chain() -> Tensor:
    x, y = Tensor(1.5, name="x"), Tensor(1.0, name="y")
    w1, w2 = Tensor(0.4, True, name="w1"), Tensor(-0.7, True, name="w2")
    z = w1 * x
    z.name = "z"
    a = z.sigmoid()
    a.name = "a"
    return (w2 * a - y) ** 2 * 0.5


def shared() -> Tensor:
    a, b = Tensor(0.8, True, name="a"), Tensor(-0.5, True, name="b")
    return (a * b + a) * (a + b).tanh()


def twice() -> Tensor:
    a, b = Tensor(0.8, True, name="a"), Tensor(-0.5, True, name="b")
    square = a * a
    return ((square + b).exp() / (square - 3)).relu() - b / a


GRAPHS = {"chain": chain, "shared": shared, "twice": twice}


def opened(reader: Reader, folder: Path, loss: Tensor) -> Page:
    """The page of one stepper, drawn."""
    return bare.opened(reader, folder, GraphStepper(loss))


def value(page: Page, name: str) -> str:
    """What stands in the box of a node."""
    node = page.locator(".node", has=page.locator(f"text.name:text-is('{name}')"))
    return node.locator("> text").nth(1).text_content() or ""


def losses(page: Page) -> list[float]:
    text = page.locator(".losses").inner_text()
    return [float(number) for number in re.findall(r"\d+\.\d+", text)]


def test_by_keyboard_to_the_end_and_down_the_slope(browser, tmp_path):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, chain())
        now, focus = page.locator(".now"), page.locator(":focus")
        expect(now).to_contain_text("0 / 14")
        assert value(page, "L") == "？"
        for _ in range(3):
            page.keyboard.press("Tab")
        expect(focus).to_have_text("下一步")
        page.keyboard.press("Enter")
        page.keyboard.press("Space")
        expect(now).to_contain_text("a = σ(z) = σ(0.6000) = 0.6457")
        for _ in range(20):
            page.keyboard.press("Enter")
        expect(now).to_contain_text("14 / 14")
        expect(now).to_contain_text("∂z/∂w₁ = 0.2325 × 1.5000 = 0.3488")
        expect(focus).to_have_attribute("aria-disabled", "true")
        expect(page.locator("li")).to_have_count(14)
        assert page.locator(".slope").count() == 7

        # Another x changes everything and keeps the step.
        slider = page.locator("input[data-leaf='0']")
        assert value(page, "L") == "1.0541"
        slider.focus()
        page.keyboard.press("ArrowRight")
        expect(now).to_contain_text("14 / 14")
        assert page.evaluate("[state.leaves[0], state.step]") == [1.55, 14]
        assert value(page, "x") == "1.5500"
        assert value(page, "z") == "0.6200"

        # Down the slope: what is announced is what is done, and the loss falls.
        announced = page.locator(".updates span").first.inner_text()
        page.locator(".descend").focus()
        page.keyboard.press("Enter")
        assert announced.endswith(value(page, "w₁"))
        first = losses(page)
        assert first[1] < first[0]
        for _ in range(5):
            page.keyboard.press("Enter")
        expect(page.locator(".losses")).to_contain_text("已走 6 步")
        assert losses(page)[-1] < first[1]
        assert page.evaluate("state.losses.length") == 6

        page.locator(".again").press("Enter")
        assert value(page, "L") == "1.0541"
        page.locator("[data-go=start]").press("Enter")
        expect(page.locator(".descent")).to_be_hidden()
        page.locator("[data-go=forward]").press("Enter")
        expect(now).to_contain_text("L = v₃ × 0.5 = 2.1082 × 0.5 = 1.0541")
        page.locator("[data-go='-1']").press("Enter")
        expect(now).to_contain_text("5 / 14")
        assert reader.complaints == []


def test_in_the_book_with_no_kernel(site, browser):
    """On the page of section 3.2, among the theme's styles."""
    url = (site / "book" / "ch03_core_algorithms" / "s2_backpropagation.html").as_uri()
    with reading(browser, site.as_uri()) as reader:
        page = reader.open(url)
        stepper = page.locator(".lmbook-graph")
        stepper.get_by_text("反向到底").click()
        expect(stepper.locator("svg")).to_contain_text("0.2342")
        buttons = stepper.locator(".panel .row").first.locator("button")
        tops = [box["y"] for box in (b.bounding_box() for b in buttons.all())]
        assert len(tops) > 3
        assert max(tops) - min(tops) < 2  # side by side
        assert reader.complaints == []


def test_the_state_that_is_saved_draws_the_same_again(browser, tmp_path):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, shared())
        page.locator("[data-go=end]").click()
        page.locator(".descend").click()
        page.locator("[data-go='-1']").click()
        page.evaluate("draw(JSON.parse(saved), 'again')")
        first, second = (page.locator(f"#{i}").inner_text() for i in ("here", "again"))
        assert first == second
        assert reader.complaints == []


def test_where_nothing_is_defined_it_says_so(browser, tmp_path):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, Tensor(0.05, True, name="a").log() * 2)
        page.locator("[data-go=end]").click()
        page.locator("input[data-leaf='0']").focus()
        page.keyboard.press("ArrowLeft")
        assert value(page, "L") == "−∞"
        page.keyboard.press("ArrowLeft")
        assert value(page, "L") == "无定义"
        assert reader.complaints == []


def overlaps(page: Page) -> list[str]:
    """Pairs of texts of the drawing that touch, and texts wider than their box."""
    boxes = page.evaluate(
        """[...document.querySelectorAll("#here svg text")].map((text) => {
            const {left, top, right, bottom} = text.getBoundingClientRect();
            const box = text.parentNode.querySelector(":scope > rect");
            const limit = (box ?? text.ownerSVGElement).getBoundingClientRect();
            const name = text.textContent;
            return {name, left, top: top + 3, right, bottom: bottom - 3,
                    out: left < limit.left || right > limit.right};
        }).filter(({name}) => name)"""
    )
    touching = [
        f"{a['name']} and {b['name']}"
        for a, b in combinations(boxes, 2)
        if min(a["right"], b["right"]) > max(a["left"], b["left"])
        and min(a["bottom"], b["bottom"]) > max(a["top"], b["top"])
    ]
    return touching + [f"{box['name']} out of its box" for box in boxes if box["out"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", GRAPHS)
def test_it_can_be_read_everywhere(browser, tmp_path, name, width, theme):
    with reading(browser, tmp_path.as_uri(), theme, width) as reader:
        page = opened(reader, tmp_path, GRAPHS[name]())
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        for go in ("start", "forward", "end"):
            page.locator(f"[data-go={go}]").press("Enter")
            assert overlaps(page) == []
            assert_readable(page, width)
        across, down = page.evaluate(
            "(({width, height}) => [width, height])"
            "(document.querySelector('#here svg').getBoundingClientRect())"
        )
        assert (across > down) == (width > 600)  # columns, or rows on a phone
        assert reader.complaints == []


def test_on_paper_the_graph_and_the_arithmetic_stay(browser, tmp_path):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, chain())
        page.locator("[data-go=end]").click()
        page.emulate_media(media="print")
        for part in ("svg", ".now", ".updates", ".legend"):
            expect(page.locator(part)).to_be_visible()
        for control in page.locator("button, input").all():
            expect(control).to_be_hidden()
