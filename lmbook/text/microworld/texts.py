"""Documents of the artificial world, and how their sentences are written down."""

import re
from dataclasses import dataclass, field

from lmbook.text.microworld.grammar import Frame
from lmbook.text.microworld.lexicon import with_articles
from lmbook.text.microworld.templates import Env

Meaning = list[tuple[Frame, Env]]
SIGN = re.compile(r" ?([,.;?!])")
END = {"en": re.compile(r"[^.?!]*[.?!]"), "zh": re.compile(r"[^。？！]*[。？！]")}


@dataclass(frozen=True)
class Text:
    """A document: its sentences as tokens, and its probability in the world.

    ``log_prob`` (nats) is that of the whole document, its end included: of its meaning
    and of its wording given the meaning.
    """

    language: str
    sentences: tuple[tuple[str, ...], ...]
    log_meaning: float
    log_wording: float
    meaning: Meaning = field(repr=False, compare=False)

    @property
    def log_prob(self) -> float:
        return self.log_meaning + self.log_wording

    @property
    def tokens(self) -> list[str]:
        """Words and punctuation as written; the end of the document isn't one."""
        return [token for sentence in self.sentences for token in sentence]

    @property
    def text(self) -> str:
        """As people write it: Chinese without spaces."""
        return self._written(0, None)

    @property
    def story(self) -> str:
        """What stands before a question and its answer (stream "qa")."""
        return self._written(0, -2)

    @property
    def question(self) -> str:
        return self._written(-2, -1)

    @property
    def answer(self) -> str:
        return self._written(-1, None)

    @property
    def kind(self) -> str:
        """The last frame's name; in the stream "qa", the kind of question."""
        return self.meaning[-1][0].id

    @property
    def facts(self) -> list[tuple[str, dict[str, str]]]:
        """For each frame, its name and the words (in English) of its slots."""
        return [
            (frame.id, {slot.name: env[slot.name].en for slot in frame.slots})
            for frame, env in self.meaning
        ]

    def __add__(self, other: "Text") -> "Text":
        """A text goes on."""
        return Text(
            self.language,
            self.sentences + other.sentences,
            self.log_meaning + other.log_meaning,
            self.log_wording + other.log_wording,
            self.meaning + other.meaning,
        )

    def _written(self, first: int, last: int | None) -> str:
        sentences = self.sentences[first:last]
        if self.language == "zh":
            return "".join("".join(tokens) for tokens in sentences)
        return " ".join(SIGN.sub(r"\1", " ".join(tokens)) for tokens in sentences)


@dataclass(frozen=True)
class Pair:
    """One meaning in two languages; natural logarithms.

    Each text determines the meaning, so log p(target | source) is that of the
    target's wording alone, and ``log_prob`` (of both) = ``source.log_prob`` + it.
    """

    source: Text
    target: Text

    @property
    def log_prob(self) -> float:
        return self.source.log_prob + self.target.log_wording

    @property
    def log_prob_given_source(self) -> float:
        return self.target.log_wording


def finished(written: str, language: str) -> tuple[str, ...]:
    """The tokens of a sentence: in English with its capital, and "an" for "a"."""
    words = written.split()
    if language == "en":
        words = with_articles(words)
        words[0] = words[0][0].upper() + words[0][1:]
    return tuple(words)


def unfinished(text: str, language: str) -> list[list[str]]:
    """What templates may have written for each sentence; none if it can't be.

    An English sentence's first letter may be a capital of its own or the sentence's.
    """
    found = END[language].findall(text)
    if language == "zh":
        return [[sentence] for sentence in found] if "".join(found) == text else []
    found = [sentence.removeprefix(" ") for sentence in found]
    if " ".join(found) != text or re.search(r" [,.;?!]", text):
        return []
    sentences = []
    for sentence in found:
        words = SIGN.sub(r" \1", sentence).split(" ")
        plain = [{"an": "a", "An": "A"}.get(word, word) for word in words]
        if not sentence[0].isupper() or with_articles([*plain]) != words:
            return []
        spaced = " ".join(plain) + " "
        sentences.append([spaced, spaced[0].lower() + spaced[1:]])
    return sentences
