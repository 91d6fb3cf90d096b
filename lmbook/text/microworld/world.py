"""The artificial world's texts, written from a seed, with exact log-probabilities."""

import copy
import math
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice

from lmbook.errors import InputError
from lmbook.text.microworld import scoring
from lmbook.text.microworld.grammar import FRAMES, LANGUAGES, Choice, Frame, Grammar
from lmbook.text.microworld.questions import ASKS
from lmbook.text.microworld.stories import Story
from lmbook.text.microworld.templates import Env, read, write
from lmbook.text.microworld.texts import Meaning, Pair, Text, finished, unfinished

STREAMS = ("sentences", "stories", "qa", "mixed")
FEWEST_STEPS, MOST_STEPS = 3, 12  # sentences of a story after its opening
STORY_ENDS = 0.15  # after each sentence between these
STORY_SHARE = 0.1  # of the documents of the stream "mixed"
Random = Callable[[], float]


class MicroWorld:
    r"""A small world in Chinese ("zh") or English ("en"); sections 3.3, 3.4, 5.2, 6.

    A document's meaning is drawn frame by frame and slot by slot, its wording in a
    language variant by variant, so that

    .. math:: \log p(\text{text}) = \sum_i \log p(f_i | s_i)
        + \sum_{i,j} \log p(w_{ij} | f_i, w_{i1} \ldots w_{i,j-1}, s_i)
        + \log p(\text{wording} | \text{meaning}) + \log p(\text{length})

    with :math:`s_i` what is the case before sentence i.  No model's expected
    cross-entropy on this world's texts is below the world's own: the floor.

    Streams: "sentences" (one frame a document), "stories", "qa" (a story, a question,
    its answer) and "mixed" (sentences and, one in ten, stories).

    Splits: "train" never shows one in eight of the combinations of two words in a
    frame's marked slot, nor one in eight of the words in that slot.  In
    "unseen_combinations" every sentence (of a story, its opening) has such a
    combination, in "unseen_frames" such a word; the rest of a story is as in
    training.  "full" has all.  What is held out depends on the words alone.  Each
    split is a world with probabilities of its own: the floor of a test set is that
    of the split that wrote it.
    """

    def __init__(self, language: str = "zh", split: str = "train") -> None:
        if language not in LANGUAGES:
            raise InputError(f'language must be "zh" or "en", got {language!r}')
        self.language, self.split = language, split
        self.grammar = Grammar(split, ASKS)

    # ---- writing ------------------------------------------------------------------

    def texts(self, stream: str, seed: int) -> Iterator[Text]:
        """Endless documents of a stream, the same for the same seed."""
        _check(stream)
        drawn = random.Random(seed).random
        while True:
            meaning, log_prob = self._meaning(stream, drawn)
            yield _written(meaning, log_prob, self.language, drawn)

    def pairs(self, stream: str, seed: int) -> Iterator[Pair]:
        """Endless documents in this language with their translations."""
        _check(stream)
        other = self._translated().language
        drawn = random.Random(seed).random
        while True:
            meaning, log_prob = self._meaning(stream, drawn)
            source = _written(meaning, log_prob, self.language, drawn)
            yield Pair(source, _written(meaning, log_prob, other, drawn))

    def _translated(self) -> "MicroWorld":
        """The same world in the other language."""
        other = copy.copy(self)
        other.language = LANGUAGES[1 - LANGUAGES.index(self.language)]
        return other

    def documents(self, stream: str, seed: int, num_tokens: int) -> Iterator[Text]:
        """The same, until there are at least ``num_tokens`` tokens."""
        texts = self.texts(stream, seed)
        while num_tokens > 0:
            text = next(texts)
            num_tokens -= len(text.tokens)
            yield text

    def token_lists(
        self, stream: str, seed: int, num_tokens: int
    ) -> Iterator[list[str]]:
        """The tokens of these documents: a corpus for word vectors."""
        return (text.tokens for text in self.documents(stream, seed, num_tokens))

    def _meaning(self, stream: str, drawn: Random) -> tuple[Meaning, float]:
        log_prob = 0.0
        if stream == "mixed":
            stream = "stories" if drawn() < STORY_SHARE else "sentences"
            log_prob = _log_share(stream)
        meaning: Meaning = []

        def say(frames: Choice[Frame], env: Env, story: Story | None = None) -> float:
            frame = frames.draw(drawn())
            meaning.append((frame, env))
            style = self.grammar.draw(frame, env, drawn, story)
            return frames.log_prob[frame] + style

        if stream == "sentences":
            return meaning, log_prob + say(self.grammar.sentences, {})
        log_prob += say(self.grammar.openings, {})
        story = self._story(meaning)
        steps = 0
        while steps < FEWEST_STEPS or (steps < MOST_STEPS and drawn() >= STORY_ENDS):
            log_prob += say(self._available("steps", story), _start(story), story)
            story.after(*meaning[-1])
            steps += 1
        if stream == "qa":
            log_prob += say(self._available("qa", story), _start(story), story)
        return meaning, log_prob + _log_length(steps)

    def _story(self, meaning: Meaning) -> Story:
        return Story(meaning[0][1], self.split == "full")

    def _available(self, stream: str, story: Story) -> Choice[Frame]:
        """The frames whose first slot has something to say; none twice running."""
        start, last = _start(story), story.last[0]
        return Choice(
            {
                frame: frame.weight
                for frame in FRAMES[stream]
                if frame is not last
                and self.grammar.choice(frame, frame.slots[0], start, story).words
            }
        )

    # ---- reading ------------------------------------------------------------------

    def derivations(self, stream: str, text: str) -> list[Text]:
        """Every way in which the world can say the text: one at most, tests find."""
        _check(stream)
        if stream == "mixed":
            return [
                replace(found, log_meaning=found.log_meaning + _log_share(part))
                for part in ("sentences", "stories")
                for found in self.derivations(part, text)
            ]
        sentences = unfinished(text, self.language)
        if stream == "sentences":
            return list(self._read(sentences, self.grammar.sentences, {}))
        return list(self._read_story(sentences, asked=stream == "qa"))

    def log_prob(self, stream: str, text: str) -> float:
        """Natural logarithm of the probability that a document of the stream is this
        text; -inf where the world (in this split) can't say it."""
        return _log_sum([found.log_prob for found in self.derivations(stream, text)])

    def translation_log_prob(self, stream: str, source: str, target: str) -> float:
        """log p(target | source), the target in the other language; -inf where it
        says something else.  ``InputError`` if the world can't say the source."""
        sources = self.derivations(stream, source)
        if not sources:
            raise InputError(f"the world can't say {source[:60]!r} (stream {stream})")
        targets = self._translated().derivations(stream, target)
        both = [
            a.log_prob + b.log_wording
            for a in sources
            for b in targets
            if a.facts == b.facts
        ]
        return _log_sum(both) - _log_sum([a.log_prob for a in sources])

    def _read(
        self,
        sentences: list[list[str]],
        frames: Choice[Frame],
        start: Env,
        story: Story | None = None,
    ) -> Iterator[Text]:
        """Every frame that says just these sentences."""
        for frame in frames.words:
            nodes = frame.nodes[self.language]
            if len(nodes) != len(sentences):
                continue
            found: list[tuple[Env, float, list[str]]] = [(start, 0.0, [])]
            for node, spellings in zip(nodes, sentences, strict=True):
                found = [
                    (new, style + more, [*written, words])
                    for env, style, written in found
                    for spelling in spellings
                    for new, more, words in read(node, spelling, env)
                ]
            for env, style, written in found:
                said = tuple(finished(words, self.language) for words in written)
                for full, chosen in self.grammar.score(frame, env, start, story):
                    chosen += frames.log_prob[frame]
                    yield Text(self.language, said, chosen, style, [(frame, full)])

    def _read_story(self, sentences: list[list[str]], asked: bool) -> Iterator[Text]:
        told = sentences[:-2] if asked else sentences
        if not FEWEST_STEPS <= len(told) - 1 <= MOST_STEPS:
            return
        length = Text(self.language, (), _log_length(len(told) - 1), 0.0, [])
        found = [
            (length + opening, self._story(opening.meaning))
            for opening in self._read(told[:1], self.grammar.openings, {})
        ]
        for sentence in told[1:]:
            longer = []
            for text, story in found:
                for step in self._read_on([sentence], "steps", story):
                    new = story.copy()
                    new.after(*step.meaning[0])
                    longer.append((text + step, new))
            found = longer
        for text, story in found:
            if asked:
                for question in self._read_on(sentences[-2:], "qa", story):
                    yield text + question
            else:
                yield text

    def _read_on(
        self, sentences: list[list[str]], stream: str, story: Story
    ) -> Iterator[Text]:
        frames = self._available(stream, story)
        return self._read(sentences, frames, _start(story), story)

    # ---- the floor ----------------------------------------------------------------

    def floor(self, stream: str, texts: Iterable[str | Text]) -> scoring.Floor:
        """The lowest loss that a model can expect on these documents of a stream.

        A ``Text`` must be of this world, split and stream; a ``str`` is parsed.
        Raises ``InputError`` with the first text that the world can't say.
        """
        return scoring.floor(self._scored(stream, text) for text in texts)

    def entropy_rate(self, stream: str, samples: int, seed: int) -> scoring.Floor:
        """The rates, with their errors, estimated from so many documents."""
        if samples < 2:
            raise InputError(f"an error needs at least 2 samples, got {samples}")
        return self.floor(stream, islice(self.texts(stream, seed), samples))

    def _scored(self, stream: str, text: str | Text) -> scoring.Scored:
        if isinstance(text, Text):
            return text.log_prob, len(text.tokens), len(text.text)
        found = self.derivations(stream, text)
        if not found:
            raise InputError(f"the world can't say {text[:60]!r} (stream {stream})")
        log_prob = _log_sum([one.log_prob for one in found])
        return log_prob, len(found[0].tokens), len(text)


def microworld_text(
    language: str = "zh", num_tokens: int = 1_000_000, seed: int = 0
) -> str:
    """Sentences and stories of the training world (stream "mixed"), a document a
    line, until there are at least ``num_tokens`` tokens, line ends not counted."""
    texts = MicroWorld(language).documents("mixed", seed, num_tokens)
    return "".join(text.text + "\n" for text in texts)


def _written(
    meaning: Meaning, log_meaning: float, language: str, drawn: Random
) -> Text:
    sentences, log_wording = [], 0.0
    for frame, env in meaning:
        for node in frame.nodes[language]:
            written, style = write(node, env, drawn)
            log_wording += style
            sentences.append(finished(written, language))
    return Text(language, tuple(sentences), log_meaning, log_wording, meaning)


def _check(stream: str) -> None:
    if stream not in STREAMS:
        raise InputError(f"stream must be one of {', '.join(STREAMS)}, got {stream!r}")


def _log_share(stream: str) -> float:
    return math.log(STORY_SHARE if stream == "stories" else 1 - STORY_SHARE)


def _log_length(steps: int) -> float:
    """log p(so many sentences after the opening): geometric, cut at the most."""
    went_on = (steps - FEWEST_STEPS) * math.log(1 - STORY_ENDS)
    return went_on + (math.log(STORY_ENDS) if steps < MOST_STEPS else 0.0)


def _start(story: Story) -> Env:
    return {"z": story.tense, "it": story.it}


def _log_sum(logs: list[float]) -> float:
    top = max(logs, default=-math.inf)
    if top == -math.inf:
        return top
    return top + math.log(math.fsum(math.exp(x - top) for x in logs))
