"""What can be said, and how likely: frames whose slots are filled one after another.

frames.csv has a row a frame.  Its probability is that of the frame times, slot by
slot, that of the word given the words of earlier slots.  A slot is ``name:where``
with ``where`` some classes ("fruit,meal"), a link of an earlier word ("c.capital") or
a question to the story ("$held"); ``-x`` leaves out the word of x, and ``#x`` marks
the slot that splits are made with.
"""

import csv
import math
import re
import zlib
from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Generic, TypeVar

from lmbook.errors import InputError
from lmbook.text.microworld.lexicon import CLASSES, FOLDER, Word
from lmbook.text.microworld.templates import Domains, Env, Node, compile_template

SPLITS = ("train", "unseen_combinations", "unseen_frames", "full")
LANGUAGES = ("zh", "en")
T = TypeVar("T")
HELD_OUT = 8  # one combination in eight
SLOT = re.compile(r"(\w+):(\$?)([\w,.]+)(?:-(\w+))?(?:#(\w+))?")
# What a variable can be where its words depend on the story.
GOODS = [
    *("dishware", "reading", "stationery", "toy", "clothes", "plant", "device"),
    *("fruit", "vegetable", "meal", "drink", "instrument"),
]
TIMES = ["time_past", "time_pres", "time_fut"]
BY_VARIABLE = {
    **{"p": ["name"], "q": ["name"], "l": ["place"], "m": ["place"]},
    **{"o": GOODS, "n": ["num"], "t": TIMES, "v": ["get"], "y": ["answer"]},
    "a": ["mood_bad", "mood_good"],
}


class Choice(Generic[T]):
    """A distribution: ``log_prob[word]``, and drawing by a number in [0, 1)."""

    def __init__(self, weights: dict[T, float]) -> None:
        total = math.fsum(weights.values())
        shares = [weight / total for weight in weights.values()]
        self.words = list(weights)
        self.log_prob = dict(zip(weights, map(math.log, shares), strict=True))
        self.cumulative = list(accumulate(shares))

    def draw(self, number: float) -> T:
        return self.words[min(bisect(self.cumulative, number), len(self.words) - 1)]


NOTHING: Choice = Choice({})


@dataclass(frozen=True, eq=False)
class Slot:
    name: str
    ask: str  # what it asks the story, or ""
    classes: tuple[str, ...]
    of: str  # whose link, or ""
    link: str
    minus: str
    partner: str

    @property
    def needs(self) -> list[str]:
        return [name for name in (self.of, self.minus, self.partner) if name]


@dataclass(frozen=True, eq=False)
class Frame:
    id: str
    weight: float
    slots: list[Slot]
    nodes: dict[str, list[Node]]  # of each language, one a sentence

    @property
    def marked(self) -> Slot | None:
        return next((slot for slot in self.slots if slot.partner), None)


def _slot(text: str) -> Slot:
    match = SLOT.fullmatch(text)
    assert match, text
    name, asks, where, minus, partner = match.groups("")
    of, _, link = where.rpartition(".")
    classes = () if asks or of else tuple(where.split(","))
    return Slot(name, where if asks else "", classes, of, link, minus, partner)


def _domains(slots: list[Slot]) -> Domains:
    """The words that a slot can hold at all, in any split and story."""
    found: Domains = {"z": CLASSES["tense"]}
    for slot in slots:
        if slot.of:
            words = [w for v in found[slot.of] for w in v.links.get(slot.link, ())]
        else:
            classes = BY_VARIABLE[slot.name] if slot.ask else slot.classes
            words = [w for cls in classes for w in CLASSES[cls]]
        found[slot.name] = list(dict.fromkeys(words))
    return found


def _read() -> dict[str, list[Frame]]:
    frames: dict[str, list[Frame]] = {}
    with (FOLDER / "frames.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            slots = [_slot(text) for text in row["slots"].split()]
            domains = _domains(slots)
            nodes = {
                lang: [
                    compile_template(t, domains, lang) for t in row[lang].split("||")
                ]
                for lang in LANGUAGES
            }
            frame = Frame(row["id"], float(row["weight"]), slots, nodes)
            frames.setdefault(row["stream"], []).append(frame)
    return frames


FRAMES = _read()


def held_out_pair(first: Word, second: Word) -> bool:
    """Whether the training world never combines these words in a marked slot."""
    return zlib.crc32(f"{first.en} & {second.en}".encode()) % HELD_OUT == 0


def held_out_frame(frame: Frame, word: Word) -> bool:
    """Whether the training world never puts the word into the frame's marked slot."""
    return zlib.crc32(f"{frame.id}: {word.en}".encode()) % HELD_OUT == 0


class Grammar:
    """The frames of one split, each choice renormalised over what the split allows."""

    def __init__(self, split: str, asks: dict[str, Callable[..., Choice]]) -> None:
        if split not in SPLITS:
            raise InputError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
        self.split, self.asks = split, asks
        self._choices: dict[tuple, Choice] = {}
        self.sentences = self._frames("sentences")
        self.openings = self._frames("stories")

    def _frames(self, stream: str) -> "Choice[Frame]":
        frames = FRAMES[stream]
        if self.split.startswith("unseen"):
            frames = [f for f in frames if f.marked and self._sayable(f)]
        return Choice({frame: frame.weight for frame in frames})

    def _sayable(self, frame: Frame) -> bool:
        env: Env = {}
        for slot in frame.slots:
            words = self.choice(frame, slot, env).words
            if not words:
                return False
            env[slot.name] = words[0]
        return True

    def choice(self, frame: Frame, slot: Slot, env: Env, story: Any = None) -> Choice:
        if slot.ask:
            return self.asks[slot.ask](story, env)
        key = (slot, *[env[name] for name in slot.needs])
        found = self._choices.get(key)
        if found is None:
            found = self._choices[key] = self._choice(frame, slot, key[1:])
        return found

    def _choice(self, frame: Frame, slot: Slot, needed: tuple[Word, ...]) -> Choice:
        env = dict(zip(slot.needs, needed, strict=True))
        words = (
            env[slot.of].links.get(slot.link, [])
            if slot.of
            else [w for cls in slot.classes for w in CLASSES[cls]]
        )
        keep = [word for word in words if self._allowed(frame, slot, env, word)]
        return Choice({word: word.weight for word in keep})

    def _allowed(self, frame: Frame, slot: Slot, env: Env, word: Word) -> bool:
        """Whether the split has the word here, with some way to go on after it."""
        if slot.minus and env[slot.minus] is word:
            return False
        if slot.partner and self.split != "full":
            pair = held_out_pair(env[slot.partner], word)
            single = held_out_frame(frame, word)
            if pair != (self.split == "unseen_combinations"):
                return False
            if single != (self.split == "unseen_frames"):
                return False
        return all(
            self.choice(frame, later, {slot.name: word}).words
            for later in frame.slots
            if {*later.needs} == {slot.name}
        )

    def draw(
        self, frame: Frame, env: Env, random: Callable[[], float], story: Any = None
    ) -> float:
        """Fill the frame's slots in env; the log-probability of what was drawn."""
        log_prob = 0.0
        for slot in frame.slots:
            choice = self.choice(frame, slot, env, story)
            word = choice.draw(random())
            env[slot.name] = word
            log_prob += choice.log_prob[word]
        return log_prob

    def score(
        self, frame: Frame, found: Env, env: Env, story: Any = None
    ) -> Iterator[tuple[Env, float]]:
        """Log-probability of the words found; those not in the text in every way."""
        filled: list[tuple[Env, float]] = [(env, 0.0)]
        for slot in frame.slots:
            after = []
            for values, log_prob in filled:
                choice = self.choice(frame, slot, values, story)
                known = slot.name in found
                for word in [found[slot.name]] if known else choice.words:
                    if word in choice.log_prob:
                        new = values | {slot.name: word}
                        after.append((new, log_prob + choice.log_prob[word]))
            filled = after
        yield from filled
