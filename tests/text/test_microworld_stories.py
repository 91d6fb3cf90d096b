"""Stories and answers against a reader of its own, which sees the English text only."""

import re
from collections import Counter
from dataclasses import replace
from itertools import islice

import pytest

from lmbook.text.microworld import MicroWorld
from lmbook.text.microworld.lexicon import CLASSES, plural

SEX = {word.en: word.mark for word in CLASSES["name"]}
NUMBERS = {word.en: n for n, word in enumerate(CLASSES["num"], 1)} | {"an": 1, "one": 1}
SINGULAR = {plural(w): w.en for words in CLASSES.values() for w in words if w.zh}
NAME = f"({'|'.join(SEX)})"
WHO = f"({'|'.join(SEX)}|he|she|He|She)"
COUNT = f"({'|'.join(NUMBERS)})"
AT = r"(?:in|at|on) the ([\w ]+?)"
THING = r"([\w\- ]+?)"


def verb(past, third, base):
    return f"(?:{past}|{third}|will {base})"


GO, COME = verb("went", "goes", "go"), verb("came", "comes", "come")
GET = rf"(?:{verb('found', 'finds', 'find')}|{verb('took', 'takes', 'take')}"
GET += rf"|{verb('discovered', 'discovers', 'discover')})"
GIVE, LEAVE = verb("gave", "gives", "give"), verb("left", "leaves", "leave")
EAT, LOSE = verb("ate", "eats", "eat"), verb("lost", "loses", "lose")
BE = r"(?:was|were|is|are|will be)"
FIRST = "(?:Then |After that, |Soon after, |Unfortunately, )?"
SENTENCES = {
    "meet": rf"{FIRST}{NAME} {COME} to the ([\w ]+?) too\.",
    "together": rf"{WHO} {GO} to the ([\w ]+?) together with {NAME}\.",
    "go": rf"{FIRST}{WHO} {GO} to the ([\w ]+?)\.",
    "get": rf"{WHO} {GET} {COUNT} {THING}(?: there)?\.",
    "give_to": rf"{WHO} {GIVE} {COUNT} {THING} to {NAME}\.",
    "give": rf"{WHO} {GIVE} {NAME} {COUNT} {THING}\.",
    "leave": rf"{WHO} {LEAVE} the {THING} {AT}\.",
    "eat": rf"{WHO} {EAT} {COUNT} {THING}\.",
    "lose": rf"{FIRST}{WHO} {LOSE} the {THING}\.",
    "still": rf"{WHO} (?:was still|is still|will still be) {AT}\.",
    "count": rf"At that point {WHO} (?:had|has|will have) {COUNT} {THING}\.",
    "relative": rf"The {THING} that {NAME} {GET} {AT} {BE} (?:very|really) .*\.",
    "sad": rf"{WHO} {BE} (?:very|really) (\w+) because (he|she) .* lost the {THING}\.",
    "glad": rf"{WHO} {BE} (?:very|really) (\w+) because {NAME} .* given (him|her) "
    rf"the {THING}\.",
    "talk": rf"{WHO} {verb('talked', 'talks', 'talk')} with {NAME} about .*\.",
    "apart": rf"At that time {NAME} {BE} {AT}, (?:while|but) {NAME} {BE} {AT}\.",
    "weather": rf"The weather (?:there|outside) {BE} .*\.",
    "other": rf"{WHO} .*\.",
}
OPENING = [
    rf"(?:(?P<when>[\w ]+), )?{NAME} {BE} {AT}(?: (?P<then>{{times}}))?\.",
    rf"(?:(?P<when>[\w ]+), )?{NAME} {COME} \w+ to the ([\w ]+?)"
    rf"(?: (?P<then>{{times}}))?\.",
]
TIMES = "|".join(w.en for c in ("past", "pres", "fut") for w in CLASSES[f"time_{c}"])
QUESTIONS = {
    "where": rf"Where (?:was|is|will) {NAME} (?:be )?in the end\?",
    "where_thing": rf"Where (?:was|were|is|are|will) the {THING} (?:be )?in the end\?",
    "who_has": rf"Who (?:had|has|will have) the {THING} in the end\?",
    "how_many": rf"How many {THING} (?:did|does|will) {NAME} have in the end\?",
    "what": rf"What (?:did|does|will) {NAME} have in the end\?",
    "before": rf"Where (?:was|is|will) {NAME} (?:be )?before the ([\w ]+)\?",
    "after": rf"Where (?:did|does|will) {NAME} go after the ([\w ]+)\?",
    "who_gave": rf"Who {GIVE} {NAME} the {THING}\?",
    "found_at": rf"Where (?:did|does|will) {NAME} (?:find|take|discover) the {THING}\?",
    "why_sad": rf"Why (?:was|is|will) {NAME} (?:be )?(\w+)\?",
    "when": rf"When (?:was|is|will) {NAME} (?:be )?{AT}\?",
    "is_in": rf"(?:Was|Is|Will) {NAME} (?:be )?{AT} in the end\?",
    "has": rf"(?:Did|Does|Will) {NAME} have any {THING} in the end\?",
}


def one(things):
    return SINGULAR.get(things, things)


class Reader:
    """Remembers what a story says; contradictions are assertion errors."""

    def __init__(self, story):
        self.sentences = re.findall(r"[^.]+\.", story)
        self.sentences = [sentence.strip() for sentence in self.sentences]
        self.gifts, self.found, self.left, self.moods = [], {}, {}, {}
        self.learnt, self.place_in = {}, {}  # token at which a place was told
        self.tokens = 0
        for pattern in OPENING:
            match = re.fullmatch(pattern.format(times=TIMES), self.sentences[0])
            if match:
                break
        assert match, self.sentences[0]
        self.time = match["when"] or match["then"]
        person, place = [g for g in match.groups() if g and g != self.time]
        self.way, self.has = {person: [place]}, {person: Counter()}
        self.opening, self.subject, self.spoken = (person, place), person, {person}
        self.told(person)
        self.tokens += len(self.sentences[0].split()) + 1
        for sentence in self.sentences[1:]:
            for kind, pattern in SENTENCES.items():
                match = re.fullmatch(pattern, sentence)
                if match:
                    self.read(kind, match.groups())
                    break
            else:
                raise AssertionError(f"not understood: {sentence}")
            self.tokens += len(sentence.split()) + 1

    def told(self, person):
        self.learnt[person] = self.tokens

    def who(self, word):
        if word in SEX:
            return word
        sex = {"he": "m", "she": "f"}[word.lower()]
        candidates = [name for name in self.spoken if SEX[name] == sex]
        assert candidates == [self.subject]  # only where nobody else can be meant
        return self.subject

    def here(self, person):
        return self.way[person][-1]

    def take(self, person, thing, number):
        assert self.has[person][thing] >= number
        self.has[person] -= Counter({thing: number})

    def read(self, kind, found):
        person, rest, other = None, found[1:], None
        if kind not in ("weather", "relative", "apart"):
            person = self.who(found[0])
        if kind == "meet":
            assert rest[0] == self.here(self.subject)
            assert person not in self.way
            self.way[person], self.has[person] = [rest[0]], Counter()
            self.told(person)
        elif kind in ("go", "together"):
            for goer in [person, *rest[1:]]:
                assert self.here(goer) == self.here(person) != rest[0] or goer != person
                self.told(goer)
            other = rest[1] if kind == "together" else None
            for goer in [person, *rest[1:]]:
                self.way[goer].append(rest[0])
        elif kind == "get":
            thing = one(rest[1])
            assert thing not in self.found
            self.found[thing] = (person, self.here(person), NUMBERS[rest[0]])
            self.has[person][thing] = NUMBERS[rest[0]]
        elif kind in ("give", "give_to"):
            other = rest[0] if kind == "give" else rest[2]
            number, thing = rest[1:] if kind == "give" else rest[:2]
            assert self.here(other) == self.here(person)
            self.take(person, one(thing), NUMBERS[number])
            self.has[other][one(thing)] += NUMBERS[number]
            self.gifts.append((person, other, one(thing)))
        elif kind == "leave":
            number = self.has[person][one(rest[0])]
            assert (one(rest[0]) == rest[0]) == (number == 1) or rest[0] in SAME
            assert rest[1] == self.here(person)
            self.take(person, one(rest[0]), number)
            self.left[one(rest[0])] = rest[1]
        elif kind == "eat":
            self.take(person, one(rest[1]), NUMBERS[rest[0]])
        elif kind == "lose":
            self.take(person, one(rest[0]), max(1, self.has[person][one(rest[0])]))
        elif kind == "still":
            assert rest[0] == self.here(person)
        elif kind == "count":
            assert self.has[person][one(rest[1])] == NUMBERS[rest[0]]
        elif kind == "relative":
            person = found[1]
            finder, place, _ = self.found[one(found[0])]
            assert (finder, place) == (person, found[2])
        elif kind == "sad":
            assert {"he": "m", "she": "f"}[rest[1]] == SEX[person]
            self.moods.setdefault(person, []).append((rest[0], "lost", one(rest[2])))
        elif kind == "glad":
            other = rest[1]
            assert self.gifts[-1] == (other, person, one(rest[3]))
            assert {"him": "m", "her": "f"}[rest[2]] == SEX[person]
            self.moods.setdefault(person, []).append((rest[0], other, one(rest[3])))
        elif kind == "talk":
            other = rest[0]
            assert self.here(other) == self.here(person)
        elif kind == "apart":
            assert self.here(found[0]) == found[1]
            assert self.here(found[2]) == found[3]
            person, other = found[0], found[2]
        if person:
            self.subject, self.spoken = person, {person, other} - {None}

    def answer(self, kind, found):
        """The facts that the answer must hold, as words."""
        first, second = [*found, None][:2]
        if kind == "where":
            return [self.here(first)]
        if kind == "where_thing":
            return [self.left[one(first)]]
        if kind == "who_has":
            [person] = [p for p in self.has if self.has[p][one(first)]]
            return [person]
        if kind == "how_many":
            [number] = [
                n for n in NUMBERS if NUMBERS[n] == self.has[second][one(first)]
            ][-1:]
            return [number]
        if kind == "what":
            [(thing, number)] = self.has[first].items()
            return [thing if number == 1 else plural_of(thing)]
        if kind == "before":
            return [self.way[first][self.way[first].index(second) - 1]]
        if kind == "after":
            return [self.way[first][self.way[first].index(second) + 1]]
        if kind == "who_gave":
            [giver] = [g for g, q, o in self.gifts if (q, o) == (first, one(second))]
            return [giver]
        if kind == "found_at":
            return [self.found[one(second)][1]]
        if kind == "why_sad":
            [(mood, cause, thing)] = self.moods[first]
            assert mood == second
            return [cause, thing]
        if kind == "when":
            assert (first, second) == self.opening
            return [self.time]
        if kind == "is_in":
            return ["Yes," if self.here(first) == second else "No,"]
        return ["Yes," if self.has[first][one(second)] else "No,"]


SAME = {
    word.en for words in CLASSES.values() for word in words if plural(word) == word.en
}


PLURAL = {single: many for many, single in SINGULAR.items()}


def plural_of(word):
    return PLURAL.get(word, word)


def check(text):
    reader = Reader(text.story)
    for kind, pattern in QUESTIONS.items():
        match = re.fullmatch(pattern, text.question)
        if match:
            answer = text.answer.lower()
            for fact in reader.answer(kind, match.groups()):
                said = {fact.lower(), plural_of(fact).lower()}
                assert any(words in answer for words in said), text
            return kind, reader
    raise AssertionError(f"not understood: {text.question}")


@pytest.mark.parametrize(
    "split", ["train", "unseen_combinations", "unseen_frames", "full"]
)
def test_stories_are_consistent_and_answers_follow(split):
    texts = islice(MicroWorld("en", split).texts("qa", 17), 1200)
    kinds = Counter(check(text)[0] for text in texts)
    assert set(kinds) == set(QUESTIONS)
    assert min(kinds.values()) >= 10


@pytest.mark.full
def test_many_stories_are_consistent():
    for text in islice(MicroWorld("en").texts("qa", 18), 30_000):
        check(text)


def test_the_reader_sees_what_is_wrong():
    """A wrong place, owner or number in a story or an answer is noticed."""
    noticed = Counter()
    for text in islice(MicroWorld("en").texts("qa", 19), 400):
        if text.kind == "is_in":
            swapped = text.sentences[-1]
            swapped = ("Yes" if swapped[0] == "No" else "No", *swapped[1:])
            changed = replace(text, sentences=(*text.sentences[:-1], swapped))
            with pytest.raises(AssertionError):
                check(changed)
            noticed["answer"] += 1
        for number, sentence in enumerate(text.sentences[:-2]):
            if "still" in sentence:
                wrong = ("moon" if w == sentence[-2] else w for w in sentence)
                sentences = list(text.sentences)
                sentences[number] = tuple(wrong)
                changed = replace(text, sentences=tuple(sentences))
                with pytest.raises(AssertionError):
                    check(changed)
                noticed["still"] += 1
    assert min(noticed.values()) > 20
    assert len(noticed) == 2


def test_yes_and_no_are_balanced():
    answers = Counter()
    for text in islice(MicroWorld("zh").texts("qa", 20), 4000):
        if text.kind in ("is_in", "has"):
            answers[text.kind, text.sentences[-1][0]] += 1
    assert {answer for _, answer in answers} == {"是", "不"}
    for kind in ("is_in", "has"):
        yes, no = answers[kind, "是"], answers[kind, "不"]
        assert abs(yes - no) < 4 * (yes + no) ** 0.5 + 0.25 * (kind == "has") * (
            yes + no
        )


def test_answers_are_no_foregone_conclusion():
    """Nobody can do well by the question's kind alone."""
    answers = {}
    for text in islice(MicroWorld("en").texts("qa", 21), 3000):
        answers.setdefault(text.kind, Counter())[text.answer] += 1
    assert len(answers) >= 12
    for kind, counts in answers.items():
        share = counts.most_common(1)[0][1] / counts.total()
        assert share < (0.6 if kind in ("is_in", "has", "how_many", "what") else 0.2), (
            kind
        )


@pytest.mark.parametrize("language", ["zh", "en"])
def test_answers_need_memory(language):
    """The place to be told at the end was named 20 tokens before, or more."""
    distances = []
    pairs = islice(MicroWorld("en").pairs("qa", 22), 1500)
    for pair in pairs:
        kind = check(pair.source)[0]
        if kind == "where":
            person = re.search(NAME, pair.source.question)[1]
            told = next(
                number
                for number in range(len(pair.source.meaning) - 2, -1, -1)
                for frame, env in [pair.source.meaning[number]]
                if frame.id in ("open", "arrive", "go", "together", "meet")
                and person in {env["p"].en, getattr(env.get("q"), "en", None)}
            )
            text = pair.source if language == "en" else pair.target
            between = sum(map(len, text.sentences[told + 1 : -1]))
            distances.append(between)
    assert len(distances) > 100
    share = sum(distance >= 20 for distance in distances) / len(distances)
    assert share > 0.4
