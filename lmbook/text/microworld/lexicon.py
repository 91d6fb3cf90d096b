"""The words of the artificial world, in Chinese and English, and their forms.

lexicon.csv has a row a word: its class, both languages (tokens separated by spaces),
irregular English forms, the Chinese classifier (of a person the sex, of a place the
preposition and the Chinese suffix), and links to other words or classes ("capital=
Arlen;river=Ambra").  Within a class the words come by rank: weight 1/(rank + 5).
"""

import csv
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

FOLDER = Path(__file__).parent
FLATTENING = 5  # rank + 5: Zipf's law with a flatter head
VOWELS = tuple("aeiou")
NOT_AN = ("uniform", "useful")  # begin with the sound of "you"
ADJECTIVES = {"fruit": "food", "vegetable": "food", "meal": "food", "drink": "drink"}
ADJECTIVES |= {"plant": "plant", "animal": "animal", "young": "animal"}
ARTICLES = {"kin": ("my", "我"), "spouse": ("my", "我"), "mount": ("Mount", "")}
ARTICLES |= {"role": ("the", "那 位"), "job": ("the", "那 位")}
SUBJECTS = {"m": ("he", "him", "his", "他"), "f": ("she", "her", "her", "她")}


class Word:
    """A lexeme.  Identity is equality: there is one object for each row."""

    def __init__(self, row: dict[str, str], rank: int) -> None:
        self.cls, self.zh, self.en = row["class"], row["zh"], row["en"]
        self.forms = row["forms"].split("/") if row["forms"] else []
        self.mark = row["mark"]
        steepest = {"num": 1 / (rank + 1), "answer": 1.0, "tense": 1.0}
        self.weight = steepest.get(self.cls, 1 / (rank + FLATTENING))
        self.link_names = {
            name: ends.split(",")
            for name, ends in (x.split("=") for x in row["links"].split(";") if x)
        }
        self.links: dict[str, list[Word]] = {}

    def __repr__(self) -> str:
        return f"<{self.cls} {self.en}>"


def _read() -> dict[str, list[Word]]:
    classes: dict[str, list[Word]] = {}
    with (FOLDER / "lexicon.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            words = classes.setdefault(row["class"], [])
            words.append(Word(row, len(words)))
    by_name = {w.en: w for words in classes.values() for w in words if w.cls != "act"}
    for words in classes.values():
        own = {w.en: w for w in words}  # 薄 is thin, and so is 瘦, of another class
        for word in words:
            for name, ends in word.link_names.items():
                word.links[name] = [
                    w
                    for end in ends
                    for w in classes.get(end) or [own.get(end) or by_name[end]]
                ]
            word.links["same"] = words
            word.links["adj"] = classes["adj_" + ADJECTIVES.get(word.cls, "thing")]
    return classes


CLASSES = _read()
VERBS = {w.en: w for cls in ("act", "verb", "aux") for w in CLASSES[cls]}
MANY, YES = CLASSES["num"][1], CLASSES["answer"][0]


# ---- English ----------------------------------------------------------------------


def _plus_s(word: str) -> str:
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def plural(word: Word) -> str:
    return word.forms[0] if word.forms else _plus_s(word.en)


def _verb_form(verb: Word, place: int, regular: str) -> str:
    """Irregular forms: past/participle/-ing/-s/plural of the past, the present."""
    return (verb.forms[place] if len(verb.forms) > place else "") or regular


def past(verb: Word) -> str:
    en = verb.en
    regular = en[:-1] + "ied" if en.endswith("y") and en[-2] not in "aeiou" else ""
    return _verb_form(verb, 0, regular or en + ("d" if en.endswith("e") else "ed"))


def _ing(verb: Word) -> str:
    en = verb.en
    return _verb_form(verb, 2, (en[:-1] if en.endswith("e") else en) + "ing")


def _conjugated(verb: Word, tense: Word, number: Word | None = None) -> str:
    many = number is not None and number.en != "a"
    if tense.en == "fut":
        return f"will {verb.en}"
    if tense.en == "past":
        return _verb_form(verb, 4, past(verb)) if many else past(verb)
    if tense.en == "now":
        return f"{'are' if many else 'is'} {_ing(verb)}"
    if many:
        return _verb_form(verb, 5, verb.en)
    return _verb_form(verb, 3, _plus_s(verb.en + ("e" if verb.en == "go" else "")))


def comparative(word: Word) -> str:
    return word.forms[0] if word.forms else word.en + "er"


def _whole(word: Word, language: int) -> str:
    """A word with what always stands before it."""
    article = ARTICLES.get(word.cls, ("", ""))[language]
    return f"{article} {word.zh if language else word.en}".strip()


def _in(place: Word) -> str:
    return f"{place.mark.split()[0]} the {place.en}"


def _was(tense: Word, number: Word | None = None) -> str:
    if tense.en == "fut":
        return "will"
    many = number is not None and number.en != "a"
    return {"past": "were" if many else "was"}.get(tense.en, "are" if many else "is")


def _noun(noun: Word, number: Word) -> str:
    return noun.en if number.en == "a" else plural(noun)


def _had(tense: Word) -> str:
    return {"past": "had", "fut": "will have"}.get(tense.en, "has")


def _did(answer: Word, tense: Word | None = None) -> str:
    word = {"pres": "does", "fut": "will"}.get(tense.en, "did") if tense else "did"
    return word if answer.en == "yes" else f"{word} not"


ENGLISH: dict[str, Callable[..., str]] = {
    "": lambda x: _whole(x, 0),
    "bare": lambda x: x.en,
    "of": lambda noun, number: f"{number.en} {_noun(noun, number)}",
    "noun": _noun,
    "s": plural,
    "do": _conjugated,
    "both": lambda verb, tense: _conjugated(verb, tense, MANY),
    "past": past,
    "inf": lambda verb: verb.en,
    "er": comparative,
    "in": _in,
    "he": lambda x: SUBJECTS[x.mark][0],
    "him": lambda x: SUBJECTS[x.mark][1],
    "his": lambda x: SUBJECTS[x.mark][2],
    "the": lambda number: "the" if number.en == "a" else f"the {number.en}",
    "one": lambda number: "one" if number.en == "a" else number.en,
    "are": lambda number: "is" if number.en == "a" else "are",
    "was": _was,
    "be": lambda tense: "be" if tense.en == "fut" else "",
    "did": lambda tense: _did(YES, tense),
    "had": _had,
    "wereall": lambda tense: _conjugated(VERBS["be"], tense, MANY),
    "didit": _did,
    "wasit": lambda tense, answer: _was(tense) + (" not" if answer is not YES else ""),
}


def with_articles(words: list[str]) -> list[str]:
    """``a`` becomes ``an`` before a vowel."""
    if "a" in words or "A" in words:
        for place, (word, following) in enumerate(pairwise(words)):
            if word in ("a", "A") and _begins_with_vowel(following):
                words[place] = word + "n"
    return words


def _begins_with_vowel(word: str) -> bool:
    return word.startswith(VOWELS) and word not in NOT_AN


# ---- Chinese ----------------------------------------------------------------------


def _aspect(verb: Word, tense: Word) -> str:
    before = {"fut": "会 ", "now": "正在 "}.get(tense.en, "")
    return before + verb.zh + (" 了" if tense.en == "past" else "")


def _within(place: Word) -> str:
    return " ".join([place.zh, *place.mark.split()[1:]])


def _not(answer: Word, word: str) -> str:
    return word if answer is YES else f"不 {word}"


def _will(tense: Word) -> str:
    return "会" if tense.en == "fut" else ""


CHINESE: dict[str, Callable[..., str]] = {
    "": lambda x: _whole(x, 1),
    "bare": lambda x: x.zh,
    "cl": lambda noun: noun.mark,
    "do": _aspect,
    "in": _within,
    "he": lambda x: SUBJECTS[x.mark][3],
    "they": lambda *people: "她们" if {p.mark for p in people} == {"f"} else "他们",
    "that": lambda number: "那" if number.en == "a" else f"那 {number.zh}",
    "all": lambda number: "" if number.en == "a" else "都",
    "will": _will,
    "le": lambda tense: "了" if tense.en == "past" else "",
    "aux": lambda tense: {"fut": "会", "now": "正"}.get(tense.en, ""),
    "yesno": lambda verb, answer: f"{verb.zh} 了" if answer is YES else f"没 {verb.zh}",
    "isin": lambda answer, tense: _not(answer, f"{_will(tense)} 在".strip()),
    "hasit": lambda answer, tense: (
        _not(answer, "会 有") if _will(tense) else "有" if answer is YES else "没有"
    ),
}
