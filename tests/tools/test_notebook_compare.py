"""The three kinds of comparison."""

import pytest
from nbformat import v4

from tools.notebooks.compare import Rule, differences, widget_differences
from tools.notebooks.normalise import WIDGET_VIEW

CLOSE = Rule("close", rtol=0.01, atol=1e-6)


def printed(text):
    return [v4.new_output("stream", name="stdout", text=text)]


def displayed(**data):
    names = {"svg": "image/svg+xml", "md": "text/markdown", "html": "text/html"}
    bundle = {names.get(key, f"text/{key}"): value for key, value in data.items()}
    return v4.new_output("display_data", data=bundle)


def differ(stored, fresh, rule):
    return bool(differences(printed(stored), printed(fresh), rule))


@pytest.mark.parametrize("text", ["0.7311", "困惑度 123.4\n", "", "一 二"])
def test_exact_accepts_the_same(text):
    assert not differ(text, text, Rule())


@pytest.mark.parametrize(
    ("stored", "fresh"),
    [("0.7311", "0.7312"), ("a b", "a  b"), ("a\n", "a"), ("-0.0", "0.0")],
)
def test_exact_refuses_any_change(stored, fresh):
    assert differ(stored, fresh, Rule())


@pytest.mark.parametrize(
    ("stored", "fresh"),
    [
        ("困惑度123.4。", "困惑度124.4。"),
        ("loss 1e-5", "loss 1.005e-05"),
        ("loss 1.2E+03", "loss 1201"),
        ("斜率 −1.2", "斜率 -1.205"),
        ("共 1,234 个", "共 1,240 个"),
        ("1,234,567.8", "1,230,000.0"),
        ("准确率 99.5%", "准确率 100.2%"),
        ("  99.98 |", " 100.02 |"),
        ("[ 0.5 -1.2]", "[ 0.503 -1.21 ]"),
        ("[0.  1.5]", "[-0.0000005  1.5]"),
        ("3 到 5", "3 到 5"),
        ("LSTM-256", "LSTM-257"),
        (".5 5.", "0.5 5.0"),
        ("12ms", "12.1ms"),
    ],
)
def test_close_accepts_numbers_within_tolerance(stored, fresh):
    assert not differ(stored, fresh, CLOSE)


@pytest.mark.parametrize(
    ("stored", "fresh"),
    [
        ("困惑度 123.4", "困惑度 125.4"),
        ("loss 1e-3", "loss 1e-2"),
        ("斜率 −1.2", "斜率 1.2"),
        ("共 1,234 个", "共 1,334 个"),
        ("99.5%", "97.5%"),
        ("1 2 3", "1 2"),
        ("1 2", "1 2 3"),
        ("loss 1.5", "lose 1.5"),
        ("loss 1.5", "loss nan"),
        ("99.5%", "99.5"),
        ("1.5\n2.5", "1.5 2.5"),
        ("lstm2", "lstm3"),
        ("第 4.1.1 节", "第 4.1.2 节"),
        ("torch 2.13.0", "torch 2.13.1"),
        ("256-128", "256-129.5"),
        ("0", "0.001"),
    ],
)
def test_close_refuses_other_numbers_and_other_text(stored, fresh):
    assert differ(stored, fresh, CLOSE)


def test_tolerances_add_up_and_are_relative_to_the_stored_number():
    assert not differ("100", "101", Rule("close", rtol=0.01))
    assert differ("100", "101.1", Rule("close", rtol=0.01))
    assert not differ("100", "101.1", Rule("close", rtol=0.01, atol=0.2))
    assert differ("0", "0.1", Rule("close", rtol=0.5))


def test_own_is_not_compared():
    rule = Rule("own", reason="模型写的")
    assert not differ("a", "b", rule)
    assert not differences(printed("a"), [], rule)


@pytest.mark.parametrize("rule", [Rule(), CLOSE])
def test_a_memory_address_always_fails(rule):
    text = "<object at 0x7fdd2f948b80>"
    (message,) = differences(printed(text), printed(text), rule)
    assert "0x7fdd2f948b80" in message


@pytest.mark.parametrize("key", ["plain", "md", "html", "latex"])
def test_displayed_text_is_compared(key):
    stored, same, fresh = (displayed(**{key: text}) for text in "112")
    assert not differences([stored], [same], Rule())
    assert differences([stored], [fresh], Rule())


def test_pictures_must_be_there_with_their_alt_text():
    stored = displayed(svg="<svg>1</svg>")
    stored.metadata = {"image/svg+xml": {"alt": "两条线"}}
    fresh = displayed(svg="<svg>1.01</svg>")
    fresh.metadata = {"image/svg+xml": {"alt": "两条线"}}
    assert not differences([stored], [fresh], Rule())
    assert differences([stored], [], Rule())
    assert differences([stored], [fresh, fresh], Rule())
    fresh.metadata["image/svg+xml"]["alt"] = "三条线"
    assert differences([stored], [fresh], Rule())


def test_the_kind_and_order_of_outputs_count():
    text, markdown = printed("1")[0], displayed(md="1")
    assert differences([text, markdown], [markdown, text], CLOSE)
    (message,) = differences([text], [markdown], Rule())
    assert "expected outputs: print" in message
    assert "got outputs: text/markdown" in message


def test_the_message_shows_both_lines():
    (message,) = differences(printed("一\n二\n"), printed("一\n三\n"), Rule())
    assert message.splitlines()[1:] == ["- 二", "+ 三"]
    (message,) = differences(printed("a 1.5 b 2"), printed("a 1.5 b 3"), CLOSE)
    assert "expected 2, got 3" in message


def test_widgets_are_compared_whatever_their_ids():
    def shown(model_id, value, spare):
        output = v4.new_output("display_data", data={WIDGET_VIEW: {}})
        output.data[WIDGET_VIEW]["model_id"] = model_id
        state = {"value": value, "layout": f"IPY_MODEL_{spare}"}
        models = {"model_name": "S", "state": state}
        return [output], {spare: {"model_name": "L", "state": {}}, model_id: models}

    stored = shown("a" * 32, 3, "b" * 32)
    assert not widget_differences(*stored, *shown("c" * 32, 3, "d" * 32))
    changed = "\n".join(widget_differences(*stored, *shown("c" * 32, 4, "d" * 32)))
    assert '"value": 3' in changed
    assert '"value": 4' in changed


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"compare": "loose"}, "accepted: exact, close, own"),
        ({"compare": "close"}, "rtol or atol"),
        ({"compare": "close", "rtol": -0.1}, "rtol or atol"),
        ({"compare": "exact", "rtol": 0.1}, "rtol or atol"),
        ({"rtol": 0.1}, "rtol or atol"),
        ({"compare": "own"}, "reason"),
        ({"compare": "own", "reason": " "}, "reason"),
        ({"compare": "exact", "reason": "x"}, "reason"),
        ({"tolerance": 0.1}, "tolerance"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(metadata, message):
    with pytest.raises(ValueError, match=message):
        Rule.of(v4.new_code_cell("1", metadata={"lmbook": metadata}))


def test_the_rule_stands_in_the_metadata():
    assert Rule.of(v4.new_code_cell("1")) == Rule("exact")
    metadata = {"lmbook": {"compare": "close", "rtol": 0.02}}
    assert Rule.of(v4.new_code_cell("1", metadata=metadata)) == Rule("close", 0.02)


def test_pictures_inside_widgets_are_not_compared():
    def shown(picture, text):
        model_id = "a" * 32
        view = {WIDGET_VIEW: {"model_id": model_id}}
        data = {"image/svg+xml": picture, "text/plain": text}
        state = {"outputs": [{"output_type": "display_data", "data": data}]}
        model = {"model_name": "OutputModel", "model_module": "m", "state": state}
        return [v4.new_output("display_data", data=view)], {model_id: model}

    stored = shown("<svg>1</svg>", "a path")
    assert not widget_differences(*stored, *shown("<svg>2</svg>", "a path"))
    assert widget_differences(*stored, *shown("<svg>1</svg>", "another"))
