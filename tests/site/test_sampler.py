"""The sampler in a bare page: the model runs there, and gives PyTorch's numbers."""

import base64
import json

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect

from lmbook.generation import GREEDY, Sampling, generate, probabilities
from lmbook.models.lstm import LSTMConfig, LSTMLanguageModel
from lmbook.text.bpe import apply_merges
from lmbook.text.pretokenization import pretokenize
from lmbook.text.tokenizers import BPETokenizer, CharTokenizer
from lmbook.widgets.sampler import Sampler, rounded
from tests.site.bare import assert_readable, opened
from tests.site.browser import reading
from tools.notebooks.paths import BOOK

pytestmark = pytest.mark.browser

TOKENS = ["<unk>", *"\n abcdefghijklmnopqrstuvwxyzTS<&,.昨天下午他们在河边看星星。"]
TOKENIZER = CharTokenizer(dict.fromkeys(TOKENS))


def model(vocab_size: int = len(TOKENIZER)) -> LSTMLanguageModel:
    torch.manual_seed(4)
    config = LSTMConfig(
        vocab_size=vocab_size, embedding_size=19, hidden_size=31, num_layers=2
    )
    made = LSTMLanguageModel(config).eval()
    with torch.no_grad():
        made.output.weight.mul_(25)
        made.output.bias[0] = 9.0  # <unk> would win if it were not banned
    return made


def explorer(**options) -> Sampler:
    return Sampler(model(), TOKENIZER, **{"prompt": "昨天", "seed": 3, **options})


def expected(prompt: str, sampling: Sampling) -> torch.Tensor:
    """Probabilities of what follows the prompt, by PyTorch, <unk> ruled out."""
    ids = TOKENIZER.encode("\n" + prompt)
    with torch.no_grad():
        logits, _ = rounded(model())(torch.tensor([ids]))
    logits[..., 0] = -torch.inf
    return probabilities(logits[0, -1], sampling)


def bars(page: Page) -> dict[str, tuple[float, float]]:
    """What the chart prints: the model's probability, and the one drawn from."""
    names = page.locator("svg text.name").all_text_contents()
    numbers = page.locator("svg text.number").all_text_contents()[: 2 * len(names)]
    values = [0.0 if n in ("✕", "<0.001") else float(n) for n in numbers]
    return dict(zip(names, zip(values[::2], values[1::2], strict=True), strict=True))


@pytest.mark.parametrize("prompt", ["他们在河边，", "The sun sets ", "", "S<&天 a"])
def test_the_page_gives_pytorchs_probabilities(browser, tmp_path, prompt):
    sampling = Sampling(temperature=0.7, top_k=9, top_p=0.85, min_p=0.02)
    options = {"temperature": 0.7, "top_k": 9, "top_p": 0.85, "min_p": 0.02}
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, explorer(**options))
        page.get_by_label("开头").fill(prompt)
        found = bars(page)
        assert len(found) == 13
        rest = found.pop("其余")
        before, after = (expected(prompt, s).tolist() for s in (Sampling(), sampling))
        for name, (p, q) in found.items():
            token = {"␣": " ", "↵": "\n"}.get(name, name)
            [i] = TOKENIZER.encode(token)
            assert p == pytest.approx(before[i], abs=1.1e-3)
            assert q == pytest.approx(after[i], abs=1.1e-3)
        assert rest[0] == pytest.approx(1 - sum(p for p, _ in found.values()), abs=0.01)
        kept = sum(q > 0 for q in after)
        assert 1 < kept < 9
        expect(page.locator(".sums")).to_contain_text(
            f"留下 {kept} / {len(TOKENIZER)} 个"
        )
        if "，" in prompt:  # which the tokenizer does not have
            expect(page.locator(".hint")).to_have_text("模型没见过：，")
        assert reader.complaints == []


@pytest.mark.parametrize("prompt", ["昨天下午他们在河边", "The sun sets on", "é🌅"])
def test_byte_pairs_too(browser, tmp_path, prompt):
    text = "昨天下午他们在河边看星星。The sun sets on the stars. " * 4
    bpe = BPETokenizer.train(text, 290)
    made = model(len(bpe))
    with torch.no_grad():
        logits, _ = rounded(made)(torch.tensor([bpe.encode("\n" + prompt)]))
    wanted = probabilities(logits[0, -1]).topk(12)
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, Sampler(made, bpe, prompt=prompt, written=[40]))
        page.locator(".text span").last.click()
        found = bars(page)
        for name, i in zip(found, wanted.indices.tolist()[:11], strict=False):
            token = bpe.tokens[i]
            try:
                whole = token.decode().replace(" ", "␣")
            except UnicodeDecodeError:
                whole = token.hex(" ")
            assert whole.startswith(name.removesuffix("…"))
        shown = [p for p, _ in list(found.values())[:11]]
        assert shown == pytest.approx(wanted.values.tolist()[:11], abs=1.1e-3)
        text = page.locator(".text").text_content()
        assert text == prompt + bpe.tokens[40].decode()
        assert reader.complaints == []


def test_greedy_text_is_that_of_generation(browser, tmp_path):
    prompt = "昨天下午"
    ids = TOKENIZER.encode("\n" + prompt)
    greedy = Sampling(temperature=GREEDY.temperature, avoid=(0,))
    [wanted] = generate(rounded(model()), [ids], 40, greedy)
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, explorer(prompt=prompt, temperature=0.0))
        text = page.locator(".text").text_content()
        assert text.replace("↵\n", "\n") == prompt + TOKENIZER.decode(wanted)
        assert reader.complaints == []


def wait_for_more(page: Page, count: int) -> None:
    page.wait_for_function(f"document.querySelectorAll('.text span').length > {count}")


def test_it_writes_token_by_token_and_stops(browser, tmp_path):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, explorer())
        spans = page.locator(".text span")
        expect(spans).to_have_count(2 + 40)  # it has begun by itself
        expect(page.locator(".said")).to_contain_text("第 3 个词元")
        page.get_by_role("button", name="写一个词元").click()
        expect(spans).to_have_count(43)
        assert len(page.evaluate("state.written")) == 41

        page.get_by_role("button", name="从头重写").click()
        wait_for_more(page, 12)
        page.get_by_role("button", name="停").click()
        count = spans.count()
        assert 12 < count < 40
        first = page.evaluate("state.written")
        assert len(first) == count - 2
        expect(page.locator(".said")).to_have_text(f"写了 {len(first)} 个词元")
        page.wait_for_timeout(150)
        assert spans.count() == count
        page.get_by_role("button", name="连着写").click()
        wait_for_more(page, count)
        page.get_by_role("button", name="停").click()
        assert page.evaluate("state.written")[: len(first)] == first

        # The same seed writes the same text, another one another.
        again = page.evaluate("state.written")
        page.get_by_role("button", name="从头重写").click()
        wait_for_more(page, 12)
        page.get_by_role("button", name="停").click()
        same = page.evaluate("state.written")
        short = min(len(same), len(again))
        assert same[:short] == again[:short]
        page.get_by_label("种子").fill("77")
        page.get_by_role("button", name="从头重写").click()
        wait_for_more(page, 12)
        page.get_by_role("button", name="停").click()
        assert page.evaluate("state.written")[:10] != again[:10]

        page.evaluate("draw(JSON.parse(saved), 'again')")
        texts = page.locator(".text").all_inner_texts()
        assert len(texts) == 2
        assert texts[0] == texts[1]
        assert reader.complaints == []


def test_draws_follow_the_sliders(browser, tmp_path):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, explorer())
        draws = page.locator(".draws")
        expect(page.locator("path.often")).to_have_count(0)
        page.get_by_role("button", name="抽 1 次").click()
        expect(draws).to_contain_text("抽了 1 次")
        page.get_by_role("button", name="抽 100 次").click()
        expect(draws).to_contain_text("抽了 101 次")
        assert 2 <= page.locator("path.often").count() <= 13

        page.get_by_label("top-k").fill("3")
        expect(draws).to_have_text("")
        assert page.evaluate("state.top_k") == 3
        assert sum(q > 0 for _, q in bars(page).values()) == 3
        expect(page.locator("rect.cut")).to_have_count(10)
        page.get_by_role("button", name="抽 100 次").click()
        assert draws.text_content().count("，") <= 2
        page.get_by_label("top-k").fill("51")
        assert page.evaluate("state.top_k") == 0
        expect(page.locator("label", has_text="top-k")).to_contain_text("不限")
        page.get_by_label("温度").fill("0")
        expect(page.locator(".sums")).to_contain_text("留下 1 /")
        assert reader.complaints == []


def test_every_token_can_be_looked_at_by_mouse_and_keyboard(browser, tmp_path):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, explorer())
        span = page.locator(".text span").nth(20)
        assert "概率" in span.get_attribute("title")
        span.click()
        said = page.locator(".said")
        expect(said).to_contain_text("第 21 个词元")
        token = page.locator(".text span").nth(20).text_content()
        shown = {" ": "␣", "↵\n": "↵"}.get(token, token)
        p = said.text_content().split("概率 ")[1].split("，")[0]
        assert bars(page)[shown][0] == pytest.approx(float(p), abs=1e-9)
        expect(page.locator("text.next")).to_have_text(shown)
        page.locator(".text").press("ArrowLeft")
        expect(said).to_contain_text("第 20 个词元")
        expect(page.locator(".text [aria-current]")).to_have_count(1)
        for _ in range(50):
            page.locator(".text").press("ArrowRight")
        expect(said).to_have_text("写了 40 个词元")
        assert reader.complaints == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_can_be_read_everywhere(browser, tmp_path, width, theme):
    with reading(browser, tmp_path.as_uri(), theme, width) as reader:
        page = opened(reader, tmp_path, explorer(top_k=4))
        page.get_by_role("button", name="抽 100 次").click()
        page.locator(".text span").nth(5).click()
        assert_readable(page, width)
        assert reader.complaints == []


def test_on_paper_the_text_and_the_bars_stay(browser, tmp_path):
    with reading(browser, tmp_path.as_uri()) as reader:
        page = opened(reader, tmp_path, explorer())
        page.emulate_media(media="print")
        expect(page.locator(".text")).to_be_visible()
        expect(page.locator("svg")).to_be_visible()
        for button in page.locator("button").all():
            expect(button).to_be_hidden()


def unpacked(state: dict) -> LSTMLanguageModel:
    """The PyTorch model of the weights that a page holds."""
    sizes, at = state["sizes"], 0
    packed = base64.b64decode(state["weights"])

    def take(kind: str, count: int) -> np.ndarray:
        nonlocal at
        part = np.frombuffer(packed, kind, count, at)
        at += part.nbytes
        return part

    config = LSTMConfig(
        vocab_size=sizes["vocab"],
        embedding_size=sizes["embedding"],
        hidden_size=sizes["hidden"][-1],
        num_layers=len(sizes["hidden"]),
    )
    made = LSTMLanguageModel(config).eval()
    names = ["embedding.weight"]
    for layer in range(config.num_layers):
        parts = ("weight_ih", "weight_hh", "bias_ih")
        names += [f"layers.{layer}.{part}_l0" for part in parts]
        torch.nn.init.zeros_(made.get_parameter(f"layers.{layer}.bias_hh_l0"))
    with torch.no_grad():
        for name in [*names, "output.weight", "output.bias"]:
            parameter = made.get_parameter(name)
            if parameter.dim() == 1:
                values = take("<f4", len(parameter))
            else:
                scales = take("<f4", len(parameter))[:, None]
                values = scales * take("i1", parameter.numel()).reshape(parameter.shape)
            parameter.copy_(torch.from_numpy(np.array(values)))
    assert at == len(packed)
    return made


@pytest.mark.parametrize("prompt", ["昨天下午，", "The capital of Alovia is", "数 x²"])
def test_in_the_book_with_no_kernel(site, browser, prompt):
    """On the page of section 6.1; the model that it holds, in PyTorch, agrees."""
    notebook = BOOK / "ch06_applications" / "s1_text_generation.ipynb"
    widgets = json.loads(notebook.read_text("utf-8"))["metadata"]["widgets"]
    models = widgets["application/vnd.jupyter.widget-state+json"]["state"].values()
    [state] = [one["state"] for one in models if "merges" in one["state"]]
    tokens = [token.encode("latin-1") for token in state["tokens"]]
    merges = {
        (left, right): (rank, result)
        for rank, (left, right, result) in enumerate(state["merges"])
    }
    ids = []
    for word in pretokenize("\n" + prompt):
        single = [tokens.index(bytes([byte])) for byte in word.encode()]
        ids += apply_merges(single, merges)
    with torch.no_grad():
        logits, _ = unpacked(state)(torch.tensor([ids]))
    wanted = probabilities(logits[0, -1]).topk(12).values.tolist()

    url = (site / "book" / "ch06_applications" / "s1_text_generation.html").as_uri()
    with reading(browser, site.as_uri()) as reader:
        page = reader.open(url)
        explorer = page.locator(".lmbook-sampler")
        expect(explorer).to_have_count(1)
        assert explorer.locator(".text span").count() > 40
        explorer.get_by_label("开头").fill(prompt)
        numbers = explorer.locator("svg text.number").all_text_contents()
        shown = [0.0 if n == "<0.001" else float(n) for n in numbers[:24:2]]
        assert shown == pytest.approx(wanted, abs=1.1e-3)
        explorer.get_by_role("button", name="从头重写").click()
        page.wait_for_function(
            "document.querySelectorAll('.lmbook-sampler .text span').length > 20"
        )
        explorer.get_by_role("button", name="停").click()
        assert reader.complaints == []
