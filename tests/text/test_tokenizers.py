"""Tokenizers against Hugging Face's library: same merges, same ids, same files."""

import json
import random

import numpy as np
import pytest
import tokenizers as hf
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, pre_tokenizers, trainers

from lmbook.errors import InputError
from lmbook.text import bpe, pieces
from lmbook.text.bpe import BPETokenizer, apply_merges
from lmbook.text.corpora import read_corpus
from lmbook.text.pretokenization import pretokenize
from lmbook.text.tokenizers import (
    CharTokenizer,
    WhitespaceTokenizer,
    WordTokenizer,
    load_tokenizer,
)
from lmbook.text.vocabulary import split_words

BYTE_LEVEL = pre_tokenizers.ByteLevel(add_prefix_space=False)
CHINESE = (
    "语言模型把一个词元接着一个词元地写下去，分词器决定词元是什么。分词不等于分字。"
)
STRANGE = [
    "",
    "I'LL say we've don't 'tis 's",
    "a\r\nb\t\tc   d\n\n\n  e \u3000全角",
    "\0\x01\x1c\x7f\x85\u180e\u2028\ufeff\uffff\U0010ffff",
    "👩‍👩‍👧‍👦🇨🇳 é e\u0301 \u0301x ﷽ สวัสดีครับ مرحبا بالعالم ½ Ⅷ ٣",
    "1234567890 12,345.67 x" + " " * 999 + "y",
    "a" * 2501,
    CHINESE * 30,
]


def library(texts, vocab_size, special_tokens=()):
    peer = hf.Tokenizer(models.BPE())
    peer.pre_tokenizer, peer.decoder = BYTE_LEVEL, decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        initial_alphabet=BYTE_LEVEL.alphabet(),
        special_tokens=list(special_tokens),
        show_progress=False,
    )
    peer.train_from_iterator(texts, trainer)
    return peer


def model_of(tokenizer):
    if isinstance(tokenizer, BPETokenizer):
        return tokenizer.to_json()["model"]
    return json.loads(tokenizer.to_str())["model"]


def same_model(ours, peer):
    ours, peer = model_of(ours), model_of(peer)
    return (
        ours["vocab"] == peer["vocab"]
        and [list(pair) for pair in ours["merges"]] == peer["merges"]
    )


@pytest.fixture(scope="module")
def english():
    return read_corpus("docstrings")


@pytest.fixture(scope="module")
def pair(english):
    """Ours and the library's, trained on the same English and Chinese."""
    text = english[:300_000] + CHINESE * 3
    return BPETokenizer.train(text, 1500), library([text], 1500)


def test_the_merges_of_real_text_are_the_library_s(pair):
    assert same_model(*pair)


@pytest.mark.parametrize("seed", range(60))
def test_the_merges_of_repetitive_text_are_the_library_s(seed):
    """Few letters: overlaps, ties, tokens that arise twice, pairs that run out."""
    draw = random.Random(seed)
    letters = draw.choice(["a", "ab", "abc", "ab ", "abcd ", "中文汉"])
    size = draw.choice([3, 50, 400, 2000])
    texts = ["".join(draw.choices(letters, k=size)) for _ in range(draw.randint(1, 3))]
    vocab_size = 256 + draw.choice([0, 1, 20, 200, 3000])
    ours, peer = BPETokenizer.train(texts, vocab_size), library(texts, vocab_size)
    assert same_model(ours, peer)
    assert ours.vocab_size == len(ours) == peer.get_vocab_size() <= vocab_size


def test_counts_tell_how_often_each_pair_stood():
    ours = BPETokenizer.train("low low lower lowest", 259)
    assert ours.merges == [(b"l", b"o"), (b"lo", b"w"), (b" ", b"low")]
    assert ours.counts == [4, 4, 3]
    assert ours.tokens[256:] == [b"lo", b"low", b" low"]


def test_ids_are_the_library_s_and_the_text_comes_back(pair, english):
    ours, peer = pair
    for text in [*STRANGE, english[-400_000:], "".join(STRANGE)]:
        ids = ours.encode(text)
        assert ids == peer.encode(text).ids
        assert ours.decode(ids) == text
        assert ours.decode(np.array(ids, np.int32)) == text


def check_round_trip(pair, text):
    ours, peer = pair
    ids = ours.encode(text)
    assert ids == peer.encode(text).ids
    assert ours.decode(ids) == text
    assert b"".join(ours.pieces(text)) == text.encode()


ANY_TEXT = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from("etaoin '’s\t\r\n\0\u0301\u200d的词一👍0"),
        st.characters(min_codepoint=0x3400, max_codepoint=0x9FFF),
    )
)


@settings(max_examples=300, deadline=None)
@given(text=ANY_TEXT)
def test_any_text_comes_back_and_has_the_library_s_ids(pair, text):
    check_round_trip(pair, text)


@pytest.mark.full
@settings(max_examples=10_000, deadline=None)
@given(text=ANY_TEXT)
def test_ten_thousand_texts_come_back(pair, text):
    check_round_trip(pair, text)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_ids_that_cut_characters_decode_as_in_the_library(pair, data):
    ours, peer = pair
    ids = data.draw(st.lists(st.integers(0, len(ours) - 1), max_size=9))
    assert ours.decode(ids) == peer.decode(ids)


def test_machine_code_and_python_agree(pair, monkeypatch):
    ours, _ = pair
    text = "".join(random.Random(0).choices("aaabcde 词元", k=3000))
    by_python = [
        i
        for word in pretokenize(text)
        for i in apply_merges(
            [ours._byte_ids[byte] for byte in word.encode()], ours._ranks
        )
    ]
    for threshold in (0, 10**9):
        monkeypatch.setattr(bpe, "SLOW", ours._steps + threshold)
        ours._known.clear()
        assert ours.encode(text) == by_python


def test_a_word_of_a_million_letters_is_no_trap(pair):
    ours, peer = pair
    text = "".join(random.Random(1).choices("etaoinshrd", k=1_000_000))
    assert ours.encode(text) == peer.encode(text).ids
    ours.encode("a" * 1_000_000)
    assert sum(map(len, ours._known)) <= bpe.CACHED_CHARACTERS


@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.full)])
def test_every_code_point_is_cut_as_the_library_cuts_it(step):
    """Beside a letter, a digit, a sign and a space, for all of Unicode."""
    codes = [*range(0xD800), *range(0xE000, 0x110000, step)]
    for start in range(0, len(codes), 100):
        some = map(chr, codes[start : start + 100])
        text = "\n".join(f"a{c}a1{c}1!{c}! {c}x" for c in some)
        cut = [text[a:b] for _, (a, b) in BYTE_LEVEL.pre_tokenize_str(text)]
        assert pretokenize(text) == cut, f"from U+{codes[start]:04X} on"


def test_special_tokens_are_kept_whole_and_have_the_library_s_ids(tmp_path):
    special = ["<|endoftext|>", "<|end", "the", " x", "\n"]
    texts = ["the cat and the hat <|endoftext|> the end", "other x theatre"]
    ours = BPETokenizer.train(texts, 290, special)
    peer = library(texts, 290, special)
    assert same_model(ours, peer)
    text = "the<|endoftext|> <|end of x\n\nother<|endoftext"
    assert ours.encode(text) == peer.encode(text).ids
    assert ours.decode(ours.encode(text)) == text
    ours.save(tmp_path / "ours.json")
    again = BPETokenizer.load(tmp_path / "ours.json")
    assert again.special_tokens == {token: i for i, token in enumerate(special)}
    assert again.encode(text) == ours.encode(text)
    assert hf.Tokenizer.from_file(str(tmp_path / "ours.json")).encode(
        text
    ).ids == ours.encode(text)


def test_files_are_exchanged_with_the_library(pair, tmp_path):
    ours, peer = pair
    ours.save(tmp_path / "ours.json")
    peer.save(str(tmp_path / "peer.json"))
    theirs = hf.Tokenizer.from_file(str(tmp_path / "ours.json"))
    loaded = load_tokenizer(tmp_path / "peer.json")
    assert isinstance(loaded, BPETokenizer)
    assert loaded.tokens == ours.tokens
    assert loaded.merges == ours.merges
    assert (loaded.counts, ours.counts[0] > ours.counts[-1]) == ([], True)
    for text in STRANGE:
        assert theirs.encode(text).ids == loaded.encode(text) == ours.encode(text)
        assert theirs.decode(theirs.encode(text).ids) == text


def test_a_vocabulary_without_all_bytes_is_refused():
    with pytest.raises(InputError, match="lacks 255 of the 256 bytes"):
        BPETokenizer(["a"], [])


def gpt2_layout(ours):
    """The layout of GPT-2's published file: old merges, options as empty strings."""
    content = ours.to_json()
    model = content["model"]
    del model["type"], model["byte_fallback"], model["ignore_merges"]
    model |= {"continuing_subword_prefix": "", "end_of_word_suffix": ""}
    model["merges"] = [" ".join(pair) for pair in model["merges"]]
    model["vocab"]["<|endoftext|>"] = len(ours)
    token = {"id": len(ours), "content": "<|endoftext|>", "special": True}
    off = dict.fromkeys(["single_word", "lstrip", "rstrip"], False)
    content["added_tokens"] = [token | off | {"normalized": True}]
    content["post_processor"] = content["pre_tokenizer"]
    return json.loads(json.dumps(content))


def test_gpt2_s_layout_is_read(pair, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(gpt2_layout(pair[0])), "utf-8")
    ours, peer = BPETokenizer.load(path), hf.Tokenizer.from_file(str(path))
    text = "One text.<|endoftext|>Another <|endoftext|>\n"
    assert ours.encode(text) == peer.encode(text).ids
    assert ours.encode("<|endoftext|>") == [len(ours) - 1]
    assert ours.decode(ours.encode(text)) == text


def set_field(content, field, value):
    *parents, last = field.split(".")
    for name in parents:
        content = content[int(name) if name.isdigit() else name]
    content[int(last) if last.isdigit() else last] = value


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("normalizer", {"type": "NFKC"}, "normalizer"),
        ("truncation", {"max_length": 7}, "truncation"),
        ("padding", {"pad_id": 0}, "padding"),
        ("pre_tokenizer", None, "pre_tokenizer"),
        ("pre_tokenizer", {"type": "Whitespace"}, "pre_tokenizer.type"),
        ("pre_tokenizer.add_prefix_space", True, "add_prefix_space"),
        ("pre_tokenizer.use_regex", False, "use_regex"),
        ("post_processor", {"type": "TemplateProcessing"}, "post_processor"),
        ("decoder", {"type": "WordPiece"}, "decoder.type"),
        ("model", [], "model"),
        ("model.type", "Unigram", "model.type"),
        ("model.dropout", 0.1, "model.dropout"),
        ("model.continuing_subword_prefix", "##", "continuing_subword_prefix"),
        ("model.end_of_word_suffix", "</w>", "end_of_word_suffix"),
        ("model.byte_fallback", True, "byte_fallback"),
        ("model.ignore_merges", "yes", "ignore_merges"),
        ("model.never_heard_of", 1, "never_heard_of"),
        ("model.vocab", {"a": 0, "<|endoftext|>": 1500}, "no token of id 1"),
        ("model.vocab", ["a"], "model.vocab"),
        ("model.vocab.a", 5_000, "no token of id 64"),
        ("model.merges", None, "model.merges"),
        ("model.merges.2", "a b c", r"merges\[2\]"),
        ("model.merges.2", ["a", 7], r"merges\[2\]"),
        ("model.merges.2", "q zz", r"merges\[2\]' needs 'zz'"),
        ("added_tokens", {"id": 0}, "added_tokens"),
        ("added_tokens.0.lstrip", True, r"added_tokens\[0\].lstrip"),
        ("added_tokens.0.id", 3, r"added_tokens\[0\].id"),
        ("added_tokens.0.content", "", r"added_tokens\[0\].content"),
        ("added_tokens.0.content", "Ã©", "cannot be told"),
    ],
)
def test_what_would_change_the_ids_is_refused_by_name(
    pair, tmp_path, field, value, named
):
    content = gpt2_layout(pair[0])
    set_field(content, field, value)
    if value == "Ã©":
        content["added_tokens"][0]["id"] = content["model"]["vocab"].get("Ã©", 1501)
    (tmp_path / "t.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(InputError, match=named):
        BPETokenizer.load(tmp_path / "t.json")


@pytest.mark.parametrize("content", ["", "[1]", '{"model": 1}', "{", "\ud800"])
def test_files_that_are_no_tokenizer(tmp_path, content):
    path = tmp_path / "t.json"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    for load in (BPETokenizer.load, CharTokenizer.load, load_tokenizer):
        with pytest.raises(InputError, match=r"t\.json"):
            load(path)
        with pytest.raises(InputError, match="missing"):
            load(tmp_path / "missing.json")


@pytest.mark.parametrize("kind", [BPETokenizer, CharTokenizer, WordTokenizer])
def test_input_that_is_refused(kind):
    ours = kind.train("abc abc x", 262 if kind is BPETokenizer else 2)
    with pytest.raises(InputError, match=r"position 3 .* U\+DC80"):
        ours.encode("abc\udc80")
    with pytest.raises(InputError, match=r"position 0 .* U\+D800"):
        kind.train(["fine", "\ud800"], 300)
    for wrong in (b"abc", 7, None):
        with pytest.raises((InputError, TypeError)):
            ours.encode(wrong)
    with pytest.raises(InputError, match="bytes"):
        kind.train(b"abc", 300)
    for unknown in (-1, len(ours), 10**30):
        with pytest.raises(InputError, match=f"id {unknown} .* 0 to {len(ours) - 1}$"):
            ours.decode([0, unknown])
    with pytest.raises(TypeError):
        ours.decode([0.5])
    assert ours.encode("") == []
    assert ours.decode([]) == ""


def test_training_arguments_that_are_refused():
    with pytest.raises(InputError, match="at least 256"):
        BPETokenizer.train("abc", 255)
    with pytest.raises(InputError, match="at least 258.*got 257"):
        BPETokenizer.train("abc", 257, ["<a>", "<b>"])
    for special in (["<a>", "<a>"], [""]):
        with pytest.raises(InputError, match="distinct"):
            BPETokenizer.train("abc", 300, special)
    assert len(BPETokenizer.train([], 300)) == 256
    with pytest.raises(InputError, match="between 2 and 4"):
        CharTokenizer.train("abc", 5)


def test_saving_leaves_the_old_file_when_it_fails(tmp_path, monkeypatch):
    path = tmp_path / "t.json"
    CharTokenizer.train("abc").save(path)
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        CharTokenizer.train("xyz").save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_characters(tmp_path):
    text = "人之初，性本善。\r\nA 👍\t人 人之"
    ours = CharTokenizer.train(text)
    assert ours.tokens[:4] == ["<unk>", "人", "之", " "]
    assert ours.decode(ours.encode(text)) == text
    assert ours.encode("人Z之") == [1, 0, 2]
    assert ours.pieces("人Z之") == ["人", "<unk>", "之"]
    assert CharTokenizer.train(text, 3).tokens == ["<unk>", "人", "之"]
    ours.save(tmp_path / "t.json")
    again, peer = (
        load_tokenizer(tmp_path / "t.json"),
        hf.Tokenizer.from_file(str(tmp_path / "t.json")),
    )
    assert isinstance(again, CharTokenizer)
    for sample in (text, "性 Z\n\n  ", "e\u0301\0", ""):
        ids = ours.encode(sample)
        assert again.encode(sample) == ids == peer.encode(sample).ids
        assert peer.decode(ids) == ours.decode(ids)


def test_words(tmp_path):
    text = "Don't use x_0, 用 NumPy!\n\nUse 42 arrays"
    ours = WordTokenizer.train(text)
    assert ours.tokens[:3] == ["<unk>", "use", "<eos>"]
    assert (
        ours.decode(ours.encode(text)) == "don't use x_0 , 用 numpy !\nuse 42 arrays\n"
    )
    assert ours.pieces("use torch") == ["use", "<unk>", "<eos>"]
    ours.save(tmp_path / "t.json")
    again, peer = (
        load_tokenizer(tmp_path / "t.json"),
        hf.Tokenizer.from_file(str(tmp_path / "t.json")),
    )
    assert isinstance(again, WordTokenizer)
    for sample in (text, "never seen, use 42", ""):
        ids = ours.encode(sample)
        split = split_words(sample)
        assert again.encode(sample) == ids
        assert peer.encode(split, is_pretokenized=True).ids == ids


@settings(max_examples=300, deadline=None)
@given(text=ANY_TEXT)
def test_words_of_a_decoded_text_are_the_same_words(text):
    ours = WordTokenizer.train(text + "\nx")
    ids = ours.encode(text)
    assert ours.encode(ours.decode(ids)) == ids


PUBLISHED = """ no it was n't black monday
 but while the <unk> stock market N N did n't <unk> apart

 = Robert <unk> =
 Senjō no Valkyria 3 : 戦場 @-@ time , 1 @,@ 000  's
"""


def test_published_tokens_stay_as_they_are(tmp_path):
    ours = WhitespaceTokenizer.train(PUBLISHED)
    lines = [[*line.split(), "<eos>"] for line in PUBLISHED.splitlines()]
    expected = [token for line in lines for token in line]
    assert ours.pieces(PUBLISHED) == expected
    assert ours.tokens[:3] == ["<unk>", "<eos>", "no"]
    assert len(ours) == len(set(expected))
    assert ours.pieces("no it was") == ["no", "it", "was"]
    assert ours.pieces("\n\nNo it") == ["<eos>", "<eos>", "<unk>", "it"]
    text = ours.decode(ours.encode(PUBLISHED))
    assert text.splitlines() == [
        " ".join(line.split()) for line in PUBLISHED.splitlines()
    ]
    ours.save(tmp_path / "t.json")
    again, peer = (
        load_tokenizer(tmp_path / "t.json"),
        hf.Tokenizer.from_file(str(tmp_path / "t.json")),
    )
    assert isinstance(again, WhitespaceTokenizer)
    for sample in (PUBLISHED, "N\u3000't\n <unk> <eos>\n\n", "no it", ""):
        ids = ours.encode(sample)
        assert again.encode(sample) == ids == peer.encode(sample).ids
    for kind in (WordTokenizer, CharTokenizer):
        with pytest.raises(InputError, match=r"t\.json: field"):
            kind.load(tmp_path / "t.json")


@settings(max_examples=300, deadline=None)
@given(text=ANY_TEXT)
def test_published_tokens_come_back(text):
    ours = WhitespaceTokenizer.train(text + " x\n")
    ids = ours.encode(text)
    assert ours.encode(ours.decode(ids)) == ids


KINDS = [CharTokenizer, WordTokenizer, WhitespaceTokenizer, BPETokenizer]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=200, deadline=None)
@given(text=ANY_TEXT, size=st.integers(1, 20))
def test_a_text_in_pieces_has_the_same_tokens(kind, size, text):
    text = text * 2 + "I'LL Σ ΑΣ ΑΣ, 词 词元\r\n\n \n x  y" + text
    whole = kind.train(text, 280 if kind is BPETokenizer else None)
    ids = whole.encode(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces.pieces, "__defaults__", (size,))
        assert "".join(pieces.pieces(text, kind.BOUNDARY)) == text
        cut = kind.train(text, 280 if kind is BPETokenizer else None)
        found = whole.encode_array(text)
    assert found.tolist() == ids
    assert found.dtype == np.int64
    assert cut.tokens == whole.tokens


def test_a_long_text_is_really_cut(english):
    for kind in KINDS:
        for text in (english, english.replace("\n", " ")):
            if kind is not BPETokenizer or "\n" in text:
                cut = list(pieces.pieces(text, kind.BOUNDARY, 1000))
                assert max(map(len, cut)) < 2500
    chinese = list(pieces.pieces("语言模型，" * 999, WordTokenizer.BOUNDARY, 1000))
    assert max(map(len, chinese)) < 1005


def test_special_tokens_are_never_cut(monkeypatch):
    ours = BPETokenizer.train("a b c a b c", 260, [" b c"])
    monkeypatch.setattr(pieces.pieces, "__defaults__", (1,))
    text = "a b c a b c b"
    assert ours.encode_array(text).tolist() == ours.encode(text)


def test_the_share_of_unknown_tokens():
    ours = CharTokenizer.train("abc")
    assert ours.unknown_share(ours.encode_array("abxc")) == 0.25
    assert ours.unknown_share(ours.encode_array("")) == 0
    bpe = BPETokenizer.train("abc", 257)
    assert bpe.unknown_share(bpe.encode_array("never seen: 词")) == 0


def test_a_file_of_another_kind_is_refused(tmp_path):
    CharTokenizer.train("abc").save(tmp_path / "char.json")
    for kind in (BPETokenizer, WordTokenizer):
        with pytest.raises(InputError, match=r"char\.json: field"):
            kind.load(tmp_path / "char.json")
    (tmp_path / "w.json").write_text('{"model": {}, "pre_tokenizer": {"type": "X"}}')
    with pytest.raises(InputError, match=r"\(None, 'X'\); accepted: \(None, 'Byte"):
        load_tokenizer(tmp_path / "w.json")
