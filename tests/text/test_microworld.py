"""The artificial world: exact probabilities, one derivation a text, splits."""

import hashlib
import math
from collections import Counter
from itertools import islice

import pytest
from scipy import stats

from lmbook.errors import InputError
from lmbook.text.microworld import MicroWorld, microworld_text, relations
from lmbook.text.microworld.grammar import (
    FRAMES,
    LANGUAGES,
    SPLITS,
    held_out_frame,
    held_out_pair,
)
from lmbook.text.microworld.templates import Literal, Piece, Variants, Who
from lmbook.text.microworld.texts import Text, finished
from lmbook.text.microworld.world import FEWEST_STEPS, MOST_STEPS, _log_length

STREAMS = ("sentences", "stories", "qa")
EVERY = [(lang, split) for lang in LANGUAGES for split in SPLITS]


def sample(language, stream, number, seed=0, split="train"):
    return list(islice(MicroWorld(language, split).texts(stream, seed), number))


def pieces(node):
    """All pieces of a template, and its variants' shares."""
    waiting, seen = [node], set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, Variants):
            waiting += node.options
        elif isinstance(node, Who):
            waiting += [node.name, node.pronoun]
        else:
            waiting.append(node.next)


# ---- texts ---------------------------------------------------------------------------

SHA256 = {
    "zh": "fad9b5d41e9a1e8d35c7317084038b2d945b2b040cbfba232fb13d04231a1c61",
    "en": "c78e56ed0261c6a30e5d2a128bb85da44c035b1b3df2908b6db0ce1a814b3d6c",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_seed_gives_the_same_text_on_every_machine(language):
    found = "\n".join(
        f"{text.text}"
        for stream in STREAMS
        for text in sample(language, stream, 300, 7)
    )
    assert hashlib.sha256(found.encode()).hexdigest() == SHA256[language]
    assert sample(language, "qa", 5, 7) != sample(language, "qa", 5, 8)


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_no_toy(language):
    tokens = MicroWorld(language).token_lists("mixed", 3, 150_000)
    counts = Counter(token.lower() for document in tokens for token in document)
    assert len(counts) >= 1000
    assert sum(count >= 5 for count in counts.values()) >= 950


def test_how_people_write_it():
    for text in sample("zh", "mixed", 500):
        assert not set(text.text) & set(" .,!?;")
        assert "".join(text.tokens) == text.text
        assert not any(wrong in text.text for wrong in ("二个", "二本", "会了"))
    vowels = {"a": set("bcdfghjklmnpqrstvwxyzu"), "an": set("aeiou")}
    for text in sample("en", "mixed", 2000):
        assert text.text[0].isupper()
        assert "  " not in text.text
        assert " ." not in text.text
        for word, following in zip(text.tokens, text.tokens[1:], strict=False):
            if word.lower() in vowels and following[0].islower():
                assert following[0] in vowels[word.lower()], (word, following)


def test_greetings_are_translated():
    pairs = islice(MicroWorld("zh").pairs("sentences", 1), 20_000)
    found = {pair.source.text: pair.target.text for pair in pairs}
    assert found["你好，世界！"] == "Hello, world!"
    assert MicroWorld("en").log_prob("sentences", "Hello, world!") > -9


def test_a_corpus_is_a_document_a_line():
    text = microworld_text("en", 3_001, seed=4)
    tokens = list(MicroWorld("en").token_lists("mixed", 4, 3_001))
    assert text.count("\n") == len(tokens)
    assert text[-1] == "\n"
    total = sum(map(len, tokens))
    assert 3_001 <= total < 3_001 + len(tokens[-1])
    world = MicroWorld("en")
    assert all(world.log_prob("mixed", line) > -1e4 for line in text.splitlines()[:40])


# ---- probabilities -------------------------------------------------------------------


@pytest.mark.parametrize("stream", [*STREAMS, "mixed"])
@pytest.mark.parametrize(("language", "split"), EVERY)
def test_reading_finds_one_derivation_with_the_same_probability(
    language, split, stream
):
    world = MicroWorld(language, split)
    number = {"sentences": 400, "mixed": 60}.get(stream, 30)
    for text in sample(language, stream, number, 5, split):
        [found] = world.derivations(stream, text.text)
        assert found.log_prob == pytest.approx(text.log_prob, abs=1e-9)
        assert found.tokens == text.tokens
        assert found.facts == text.facts
        assert world.log_prob(stream, text.text) == found.log_prob


@pytest.mark.full
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_has_two_derivations(language):
    world = MicroWorld(language, "full")
    for stream, number in [("sentences", 60_000), ("qa", 6_000)]:
        for text in islice(world.texts(stream, 6), number):
            assert len(world.derivations(stream, text.text)) == 1, text.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_words_of_a_choice_look_alike(language):
    world = MicroWorld(language, "full")
    list(islice(world.texts("sentences", 2), 20_000))
    choices = list(world.grammar._choices.values())
    assert len(choices) > 2000
    for choice in choices:
        for surfaces in ([w.zh for w in choice.words], [w.en for w in choice.words]):
            assert len(surfaces) == len({*surfaces}), choice.words


def test_variants_and_lengths_sum_to_one():
    for frame in (frame for frames in FRAMES.values() for frame in frames):
        for node in (n for nodes in frame.nodes.values() for n in nodes):
            for part in pieces(node):
                assert part is None or isinstance(
                    part, Literal | Piece | Who | Variants
                )
                if isinstance(part, Variants):
                    assert math.fsum(map(math.exp, part.log_weights)) == pytest.approx(
                        1
                    )
    lengths = range(FEWEST_STEPS, MOST_STEPS + 1)
    assert math.fsum(math.exp(_log_length(n)) for n in lengths) == pytest.approx(1)


@pytest.mark.parametrize(("language", "split"), EVERY)
def test_every_choice_sums_to_one(language, split):
    world = MicroWorld(language, split)
    for stream, number in [("sentences", 1500), ("qa", 100)]:
        for _ in islice(world.texts(stream, 2), number):
            pass
    choices = [*world.grammar._choices.values(), world.grammar.sentences]
    assert len(choices) > 100
    for choice in choices:
        if choice.words:
            total = math.fsum(map(math.exp, choice.log_prob.values()))
            assert total == pytest.approx(1, abs=1e-12)


def wordings(node, env):
    """All texts of a template without pronouns (spaced)."""
    if node is None:
        return [""]
    if isinstance(node, Variants):
        return [text for option in node.options for text in wordings(option, env)]
    first = node.written if isinstance(node, Literal) else node.write(env)
    return [first + rest for rest in wordings(node.next, env)]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("name", "split"),
    [("hello", "full"), ("speak", "train"), ("lives", "full"), ("job_needs", "train")],
)
def test_all_texts_of_a_frame_sum_to_its_probability(name, split, language):
    world = MicroWorld(language, split)
    frames = world.grammar.sentences
    [frame] = [frame for frame in frames.words if frame.id == name]
    meanings = [{}]
    for slot in frame.slots:
        meanings = [
            env | {slot.name: word}
            for env in meanings
            for word in world.grammar.choice(frame, slot, env).words[:9]
        ]
    [node] = frame.nodes[language]
    written = [text for env in meanings for text in wordings(node, env)]
    texts = {Text(language, (finished(w, language),), 0, 0, []).text for w in written}
    assert len(texts) == len(written)
    # What the nine commonest words of each slot leave out.
    kept = [
        math.exp(log_prob)
        for env in meanings
        for _, log_prob in world.grammar.score(frame, env, {})
    ]
    total = math.fsum(math.exp(world.log_prob("sentences", text)) for text in texts)
    expected = math.exp(frames.log_prob[frame]) * math.fsum(kept)
    assert total == pytest.approx(expected, rel=1e-9)
    assert math.fsum(kept) > 0.3
    if name == "lives":
        assert math.fsum(kept) < 1


def chi_square(number):
    world = MicroWorld("en")
    chosen = {
        text.text: text.log_prob for text in islice(world.texts("sentences", 1), 40_000)
    }
    commonest = sorted(chosen, key=chosen.get)[-200:]
    counts = Counter(text.text for text in islice(world.texts("sentences", 2), number))
    expected = [number * math.exp(chosen[text]) for text in commonest]
    observed = [counts[text] for text in commonest]
    assert min(expected) > 5
    rest = number - sum(expected), number - sum(observed)
    return stats.chisquare([*observed, rest[1]], [*expected, rest[0]]).pvalue


def test_frequencies_are_the_probabilities():
    assert chi_square(100_000) > 1e-4


@pytest.mark.full
def test_frequencies_are_the_probabilities_in_a_million():
    assert chi_square(1_000_000) > 1e-4


@pytest.mark.parametrize(
    ("language", "right", "wrong"),
    [
        ("zh", "安娜有两顶红色的帽子。", "安娜有两本红色的帽子。"),
        ("zh", "安娜有两顶红色的帽子。", "安娜有二顶红色的帽子。"),
        ("zh", "你好，世界！", "你好,世界！"),
        ("zh", "你好，世界！", "你好，世界"),
        ("zh", "你好，世界！", "你好， 世界！"),
        ("en", "Anna has two red hats.", "Anna has two red hat."),
        ("en", "Anna has two red hats.", "Anna have two red hats."),
        ("en", "Anna has two red hats.", "anna has two red hats."),
        ("en", "Anna has two red hats.", "Anna  has two red hats."),
        ("en", "Anna has two red hats.", "Anna has two red hats. "),
        ("en", "Anna has two red hats.", "Anna has two red hats"),
        ("en", "Anna has a red hat.", "Anna has an red hat."),
        ("en", "The king keeps his crown in the palace.",
         "The king keeps her crown in the palace."),
        ("en", "Hello, world!", "Hello, World!"),
        ("en", "Hello, world!", "Hello , world!"),
        ("en", "Hello, world!", "Hello, world! Hello, world!"),
    ],
)  # fmt: skip
def test_what_is_wrong_has_no_probability(language, right, wrong):
    world = MicroWorld(language, "full")
    assert world.log_prob("sentences", right) > -25
    assert world.log_prob("sentences", wrong) == -math.inf


@pytest.mark.parametrize(
    "text", ["", " ", "\n", "。", ".", "A", "你", "...", "a" * 9999]
)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("stream", [*STREAMS, "mixed"])
def test_strange_texts_have_no_probability(language, stream, text):
    assert MicroWorld(language).log_prob(stream, text) == -math.inf


# ---- translations --------------------------------------------------------------------


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_pairs_say_the_same_and_their_probabilities_agree(language, stream):
    other = MicroWorld("en" if language == "zh" else "zh")
    world = MicroWorld(language)
    given = Counter()
    for pair in islice(world.pairs(stream, 3), 200 if stream == "sentences" else 30):
        [source] = world.derivations(stream, pair.source.text)
        [target] = other.derivations(stream, pair.target.text)
        assert source.facts == target.facts == pair.source.facts
        assert source.log_prob == pytest.approx(pair.source.log_prob, abs=1e-9)
        assert target.log_prob == pytest.approx(pair.target.log_prob, abs=1e-9)
        assert pair.log_prob <= pair.source.log_prob + 1e-12
        found = world.translation_log_prob(stream, pair.source.text, pair.target.text)
        assert found == pytest.approx(pair.log_prob - pair.source.log_prob, abs=1e-9)
        assert found == pytest.approx(pair.log_prob_given_source, abs=1e-9)
        given[round(math.exp(found), 6)] += 1
    assert len(given) > 2


def test_what_is_no_translation_has_no_probability():
    world = MicroWorld("zh")
    same = world.translation_log_prob("sentences", "你好，世界！", "Hello, world!")
    assert same == 0
    for target in ("Goodbye, world!", "Hello, world", "你好，世界！", ""):
        found = world.translation_log_prob("sentences", "你好，世界！", target)
        assert found == -math.inf
    with pytest.raises(InputError, match="can't say 'Hi!'"):
        world.translation_log_prob("sentences", "Hi!", "Hello, world!")


def test_the_wordings_of_a_translation_sum_to_one():
    world, meanings = MicroWorld("zh"), {}
    for pair in islice(world.pairs("sentences", 4), 60_000):
        if pair.source.kind in {"person", "speak", "lives", "hello"}:
            said = meanings.setdefault(str(pair.source.facts), {})
            said[pair.target.text] = math.exp(pair.log_prob_given_source)
    sums = [sum(said.values()) for said in meanings.values()]
    assert max(sums) == pytest.approx(1)
    assert sum(total > 1 - 1e-9 for total in sums) > 50


# ---- splits --------------------------------------------------------------------------


def marked(text):
    """(held-out combination, held-out word) of the first sentence's marked slot."""
    frame, env = text.meaning[0]
    slot = frame.marked
    if slot is None:
        return False, False
    word = env[slot.name]
    return held_out_pair(env[slot.partner], word), held_out_frame(frame, word)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("stream", STREAMS)
def test_held_out_is_what_training_never_shows(language, stream):
    expected = {
        "train": {(False, False)},
        "unseen_combinations": {(True, False)},
        "unseen_frames": {(False, True)},
    }
    train, full = MicroWorld(language), MicroWorld(language, "full")
    for split, found in expected.items():
        texts = sample(
            language, stream, 100 if stream != "sentences" else 1000, 1, split
        )
        assert {marked(text) for text in texts} == found
        for text in texts[:40]:
            assert (train.log_prob(stream, text.text) > -math.inf) == (split == "train")
            assert full.log_prob(stream, text.text) > -math.inf
    everything = {marked(text) for text in sample(language, stream, 600, 1, "full")}
    assert len(everything) >= 3


def test_stories_of_training_take_nobody_to_a_held_out_place():
    for split in ("train", "unseen_combinations", "unseen_frames"):
        for text in sample("en", "stories", 400, 2, split):
            for frame, env in text.meaning[1:]:
                if frame.id in {"go", "meet", "together"}:
                    for person in (env["p"], env.get("q", env["p"])):
                        if frame.id == "together" or person is env["p"]:
                            assert not held_out_pair(person, env["l"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_held_out_is_made_of_known_words(language):
    tokens = MicroWorld(language).token_lists("mixed", 5, 200_000)
    known = {token.lower() for document in tokens for token in document}
    for split in ("unseen_combinations", "unseen_frames"):
        counts = Counter(
            token.lower()
            for text in sample(language, "mixed", 4000, 6, split)
            for token in text.tokens
        )
        unknown = sum(number for token, number in counts.items() if token not in known)
        assert unknown <= 2e-4 * counts.total()


# ---- floors --------------------------------------------------------------------------


def test_a_floor_counts_the_end_of_a_document():
    world = MicroWorld("en", "full")
    floor = world.floor("sentences", ["Hello, world!", "Anna has a red hat."])
    assert floor.tokens == (4 + 1) + (6 + 1)
    assert floor.chars == (13 + 1) + (19 + 1)
    nats = -world.log_prob("sentences", "Hello, world!")
    nats -= world.log_prob("sentences", "Anna has a red hat.")
    assert floor.nats == pytest.approx(nats)
    assert floor.nats_per_token == pytest.approx(nats / 12)
    assert floor.nats_per_char == pytest.approx(nats / 34)
    texts = sample("en", "qa", 30, 9)
    strings = MicroWorld("en").floor("qa", [text.text for text in texts])
    objects = MicroWorld("en").floor("qa", texts)
    assert strings.nats == pytest.approx(objects.nats)
    assert (strings.tokens, strings.chars) == (objects.tokens, objects.chars)


@pytest.mark.parametrize("stream", STREAMS)
def test_the_error_of_an_entropy_rate_is_its_spread(stream):
    world = MicroWorld("zh")
    rates = [world.entropy_rate(stream, 300, seed) for seed in range(12)]
    for name in ("token", "char"):
        found = [getattr(rate, f"nats_per_{name}") for rate in rates]
        errors = [getattr(rate, f"{name}_error") for rate in rates]
        spread = stats.tstd(found)
        assert 0.4 < spread / (sum(errors) / len(errors)) < 2


def test_relations():
    for language, least in [("zh", 12), ("en", 15)]:
        found = relations(language)
        assert len(found) >= least
        assert all(len(pairs) >= 10 for pairs in found.values())
        lists = MicroWorld(language).token_lists("mixed", 1, 200_000)
        known = {token for document in lists for token in document}
        for name, pairs in found.items():
            missing = [pair for pair in pairs if not {*pair} <= known]
            assert len(missing) <= 0.1 * len(pairs), (name, missing)
    assert ("Alovia", "Arlen") in found["country-capital"]
    assert ("mouse", "mice") not in found["singular-plural"]
    assert ("knife", "knives") in found["singular-plural"]
    assert ("buy", "bought") in found["present-past"]


def test_bad_input():
    with pytest.raises(InputError, match='"zh" or "en".*\'fr\''):
        MicroWorld("fr")
    with pytest.raises(InputError, match="unseen_frames.*'test'"):
        MicroWorld("zh", "test")
    with pytest.raises(InputError, match="sentences.*'poems'"):
        next(MicroWorld("zh").texts("poems", 0))
    with pytest.raises(InputError, match="can't say 'Hi!'"):
        MicroWorld("en").floor("sentences", ["Hello, world!", "Hi!"])
    with pytest.raises(InputError, match="at least one"):
        MicroWorld("en").floor("sentences", [])
    with pytest.raises(InputError, match="2 samples, got 1"):
        MicroWorld("en").entropy_rate("sentences", 1, 0)
    with pytest.raises(InputError, match="'fr'"):
        relations("fr")
