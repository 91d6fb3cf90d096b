"""Tokenizers in the layouts of Llama 3 and Qwen against Hugging Face's library."""

import json
import unicodedata

import pytest
import tokenizers as hf
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from lmbook.errors import InputError
from lmbook.text import pieces
from lmbook.text.bpe import BPETokenizer
from lmbook.text.bpe_rules import Rules
from lmbook.text.pretokenization import BOUNDARIES, PATTERNS, pretokenize
from lmbook.text.tokenizers import load_tokenizer

TEXT = (
    "It's 2,345 kg of tea, they'LL say: I'VE 1234567 reasons!\r\n\n"
    "  def f(x):\n\treturn x  # naïve café\n"
    "语言模型把一个词元接着一个词元地写下去。\n\n分词不等于分字，1998年！ (end)\n"
)
STRANGE = [
    "",
    " ",
    "\n",
    "a\r\nb\t\tc   d\n\n\n  e \u3000全角 \n x",
    "'S 's 'ſ I'll I'LL 'Ll 'vE 're",
    "e\u0301 \u0301x \n\u0301 a\u0308\u0301 \u212b \u1e9b\u0323 >\u0338 가",
    "<|begin|>one<|end|>\n\n<think>two</think> <|end",
    "👩‍👩‍👧‍👦🇨🇳 é ﷽ สวัสดีครับ مرحبا ½ Ⅷ ٣ 12345678 1½",
    "...\n\n!!\r\nx ?\n y",
    TEXT,
    TEXT * 3,
]
SPECIAL = ["<|begin|>", "<|end|>"]


def peer_of(kind):
    """A library tokenizer as the model's folder has it, with few merges."""
    trained = BPETokenizer.train(TEXT * 5, 400)
    content = trained.to_json()["model"]
    vocab = content["vocab"]
    # A token that no merges lead to: what is read depends on ignore_merges.
    vocab["Ġreasons!"] = len(vocab)
    vocab["ĠÃ©tÃ©"] = len(vocab)
    model = models.BPE(
        vocab,
        [tuple(pair) for pair in content["merges"]],
        ignore_merges=kind == "llama3",
    )
    peer = hf.Tokenizer(model)
    regex = hf.Regex(PATTERNS[kind].pattern)
    peer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(regex, behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    peer.decoder = decoders.ByteLevel()
    peer.add_special_tokens(SPECIAL)
    if kind == "qwen":
        peer.normalizer = normalizers.NFC()
        peer.post_processor = processors.ByteLevel(trim_offsets=False)
        seen = [
            hf.AddedToken(text, normalized=False, special=False)
            for text in ("<think>", "</think>")
        ]
        peer.add_tokens(seen)
    else:
        template = processors.TemplateProcessing(
            single="<|begin|> $A",
            pair="<|begin|> $A <|begin|> $B",
            special_tokens=[("<|begin|>", peer.token_to_id("<|begin|>"))],
        )
        peer.post_processor = processors.Sequence(
            [processors.ByteLevel(trim_offsets=False), template]
        )
    return peer


KINDS = ["llama3", "qwen"]


@pytest.fixture(scope="module", params=KINDS)
def pair(request, tmp_path_factory):
    """Ours, read from the library's file, and the library's."""
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    peer = peer_of(request.param)
    peer.save(str(path))
    return load_tokenizer(path), peer


def ids_of(peer, text):
    return peer.encode(text, add_special_tokens=False).ids


def expected_text(ours, text):
    return unicodedata.normalize("NFC", text) if ours.rules.nfc else text


def test_rules_are_read(pair):
    ours, peer = pair
    assert isinstance(ours, BPETokenizer)
    assert len(ours) == peer.get_vocab_size()
    if ours.rules.pattern == "qwen":
        assert ours.rules == Rules(
            "qwen", nfc=True, unmarked=frozenset({"<think>", "</think>"})
        )
    else:
        assert ours.rules == Rules("llama3", ignore_merges=True, begin="<|begin|>")
        begin = ours.special_tokens["<|begin|>"]
        assert peer.encode("tea").ids == [begin, *ours.encode("tea")]


@pytest.mark.parametrize("text", STRANGE)
def test_ids_are_the_library_s(pair, text):
    ours, peer = pair
    ids = ours.encode(text)
    assert ids == ids_of(peer, text)
    assert ours.encode_array(text).tolist() == ids
    assert ours.decode(ids) == expected_text(ours, text)
    assert ours.decode(ids) == peer.decode(ids, skip_special_tokens=False)


ANY_TEXT = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from("etaoin '’sSſLl\t\r\n\0\u0301\u0308\u200d的词一👍01½<|>!."),
    )
)


@settings(max_examples=150, deadline=None)
@given(text=ANY_TEXT)
def test_any_text_has_the_library_s_ids(pair, text):
    ours, peer = pair
    assert ours.encode(text) == ids_of(peer, text)


def test_a_word_that_is_a_token_needs_no_merges(pair):
    ours, peer = pair
    whole = peer.token_to_id("ĠÃ©tÃ©")
    assert (ours.encode(" été") == [whole]) is ours.rules.ignore_merges
    assert ours.encode(" été") == ids_of(peer, " été")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [97, pytest.param(1, marks=pytest.mark.full)])
def test_every_code_point_is_cut_as_the_library_cuts_it(kind, step):
    """Beside a letter, a digit, a sign, a quote and white space."""
    peer = pre_tokenizers.Split(
        hf.Regex(PATTERNS[kind].pattern), behavior="isolated", invert=False
    )
    codes = [*range(0x250), *range(0x250, 0xD800, step), *range(0xE000, 0x110000, step)]
    for start in range(0, len(codes), 100):
        some = map(chr, codes[start : start + 100])
        text = "\n".join(f"a{c}a1{c}1!{c}! {c}x'{c}\n{c}\t'{c}l" for c in some)
        cut = [word for word, _ in peer.pre_tokenize_str(text)]
        assert pretokenize(text, kind) == cut, f"from U+{codes[start]:04X} on"


@pytest.mark.parametrize("kind", PATTERNS)
@settings(max_examples=150, deadline=None)
@given(text=ANY_TEXT, size=st.integers(1, 12))
def test_where_a_text_may_be_cut_no_word_is(kind, text, size):
    text = text + TEXT + text
    cut = list(pieces.pieces(text, BOUNDARIES[kind], size))
    words = [word for piece in cut for word in pretokenize(piece, kind)]
    assert words == pretokenize(text, kind)


def test_a_long_text_is_really_cut():
    for kind in PATTERNS:
        cut = list(pieces.pieces(TEXT * 50, BOUNDARIES[kind], 100))
        assert max(map(len, cut)) < 300


def test_what_is_read_is_written(pair, tmp_path):
    ours, peer = pair
    path = tmp_path / "again.json"
    ours.save(path)
    again, theirs = load_tokenizer(path), hf.Tokenizer.from_file(str(path))
    assert again.rules == ours.rules
    assert again.special_tokens == ours.special_tokens
    for text in STRANGE:
        assert ids_of(theirs, text) == again.encode(text) == ours.encode(text)
        # What a template puts before it, and what is skipped in decoding.
        ids = peer.encode(text).ids
        assert theirs.encode(text).ids == ids
        assert theirs.encode(text, "x").ids == peer.encode(text, "x").ids
        assert theirs.decode(ids) == peer.decode(ids)


def field_of(content, field):
    for name in field.split("."):
        content = content[int(name) if name.isdigit() else name]
    return content


@pytest.mark.parametrize(
    ("kind", "field", "change", "named"),
    [
        ("qwen", "pre_tokenizer.pretokenizers.0.pattern", {"Regex": "x"}, "Regex"),
        ("qwen", "pre_tokenizer.pretokenizers.0", {"behavior": "Removed"}, "behavior"),
        ("qwen", "pre_tokenizer.pretokenizers.0", {"invert": True}, "split.invert"),
        ("qwen", "pre_tokenizer.pretokenizers.1", {"use_regex": True}, "use_regex"),
        ("qwen", "pre_tokenizer", {"pretokenizers": []}, "ByteLevel, or Split"),
        ("qwen", "added_tokens.1", {"normalized": True}, r"\[1\].normalized"),
        ("qwen", "normalizer", {"type": "NFKC"}, "'NFKC'"),
        ("qwen", "normalizer", {"more": 1}, "'normalizer' is"),
        ("llama3", "post_processor.processors.1", {"single": []}, "before a text"),
        (
            "llama3",
            "post_processor.processors.1.single.0.SpecialToken",
            {"id": "never"},
            "before a text",
        ),
    ],
)
def test_what_is_refused(tmp_path, kind, field, change, named):
    content = json.loads(peer_of(kind).to_str())
    field_of(content, field).update(change)
    path = tmp_path / "t.json"
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(InputError, match=named):
        load_tokenizer(path)
