"""What is the case in a story: who is where, who has what, who gave, lost and felt.

A slot ``p:$holder`` asks ``ASKS["holder"]`` for its choice of words, given the story
and the words of earlier slots; ``after`` makes true what a sentence has said.
"""

import copy
from collections.abc import Callable, Iterable

from lmbook.text.microworld.grammar import NOTHING, Choice, Frame, held_out_pair
from lmbook.text.microworld.lexicon import CLASSES, Word
from lmbook.text.microworld.templates import Env

NUMBERS, PLACES = CLASSES["num"], CLASSES["place"]
MOST_PEOPLE = 3
TOPIC = 3.0  # how much likelier it is to go on about the same person
ELSEWHERE: dict[tuple, Choice] = {}
SURE = {w: Choice({w: 1.0}) for words in CLASSES.values() for w in words}
UP_TO = [Choice({w: w.weight for w in NUMBERS[: n + 1]}) for n in range(len(NUMBERS))]


def evenly(words: Iterable[Word]) -> Choice:
    return Choice(dict.fromkeys(words, 1.0))


def value(number: Word) -> int:
    return NUMBERS.index(number) + 1


class Story:
    """The state; ``full``: combinations that training holds out may occur, too."""

    def __init__(self, opening: Env, full: bool) -> None:
        person, place = opening["p"], opening["l"]
        self.full, self.opening, self.tense = full, opening, opening["z"]
        self.topic: Word = person  # the last subject
        self.it: Word | None = person  # whom a pronoun means
        self.visits: dict[Word, list[Word]] = {person: [place]}
        self.held: dict[Word, dict[Word, int]] = {person: {}}
        self.left: dict[Word, Env] = {}  # by thing, the sentence that said so
        self.found: dict[Word, Env] = {}
        self.gifts: list[Env] = []
        self.moods: dict[Word, list[tuple[str, Env]]] = {}
        self.last: tuple[Frame | None, Env] = (None, {})

    def copy(self) -> "Story":
        """A story to go on with; words stay the same objects."""
        new = copy.copy(self)
        new.visits = {p: list(places) for p, places in self.visits.items()}
        new.held = {p: dict(things) for p, things in self.held.items()}
        new.left, new.found = dict(self.left), dict(self.found)
        new.gifts = list(self.gifts)
        new.moods = {p: list(moods) for p, moods in self.moods.items()}
        return new

    def after(self, frame: Frame, env: Env) -> None:
        """Change what a sentence changes."""
        self.last = (frame, env)
        if "p" not in env:
            return
        person, other, said = env["p"], env.get("q"), frame.id
        if said in ("go", "together"):
            for traveller in [person, other] if other else [person]:
                self.visits[traveller].append(env["l"])
        elif said == "meet":
            self.visits[person], self.held[person] = [env["l"]], {}
        elif said == "get":
            self.held[person][env["o"]] = value(env["n"])
            self.found[env["o"]] = env | {"l": self.place(person)}
        elif said in ("give", "leave", "lose", "eat"):
            self._hand_over(env, said)
        elif said in ("sad", "glad"):
            self.moods.setdefault(person, []).append((said, env))
        self.topic = person
        self.it = person if other is None or other.mark != person.mark else None

    def _hand_over(self, env: Env, said: str) -> None:
        person, thing, number = env["p"], env["o"], value(env["n"])
        self.held[person][thing] -= number
        if not self.held[person][thing]:
            del self.held[person][thing]
        if said == "give":
            theirs = self.held[env["q"]]
            theirs[thing] = theirs.get(thing, 0) + number
            self.gifts.append(env)
        elif said == "leave":
            self.left[thing] = env

    def place(self, person: Word) -> Word:
        return self.visits[person][-1]

    def beside(self, person: Word, here: bool = True) -> list[Word]:
        """Who else is at the same place, or (not here) at another."""
        place = self.place(person)
        others = [q for q in self.visits if q is not person]
        return [q for q in others if (self.place(q) is place) == here]

    def foods(self, person: Word) -> list[Word]:
        return [o for o in self.held[person] if o.cls in ("fruit", "meal")]

    def whole(self) -> list[Word]:
        """Things that are still all in one hand, as many as were found."""
        counts = {o: value(env["n"]) for o, env in self.found.items()}
        hands = self.held.values()
        return [o for o, n in counts.items() if any(h.get(o) == n for h in hands)]


def _people(story: Story, people: Iterable[Word]) -> Choice:
    return Choice({p: TOPIC if p is story.topic else 1.0 for p in people})


def _elsewhere(story: Story, env: Env) -> Choice:
    people = [env[name] for name in ("p", "q") if name in env]
    here = story.place(env["p"])
    key = (story.full, here, *people)
    if key not in ELSEWHERE:
        ELSEWHERE[key] = Choice(
            {
                place: place.weight
                for place in PLACES
                if place is not here
                and (story.full or not any(held_out_pair(p, place) for p in people))
            }
        )
    return ELSEWHERE[key]


def _newcomer(story: Story, env: Env) -> Choice:
    return Choice(
        {
            person: person.weight
            for person in CLASSES["name"]
            if person not in story.visits
            and (story.full or not held_out_pair(person, env["l"]))
        }
    )


def _meeting(story: Story, env: Env) -> Choice:
    full = len(story.visits) == MOST_PEOPLE
    return NOTHING if full else SURE[story.place(story.topic)]


def _offered(story: Story, env: Env) -> Choice:
    things = story.place(env["p"]).links["things"]
    return Choice({o: o.weight for o in things if o not in story.found})


def just(said: str, name: str) -> Callable[[Story, Env], Choice]:
    """A word of the last sentence, if that was a certain one."""

    def ask(story: Story, env: Env) -> Choice:
        frame, last = story.last
        return SURE[last[name]] if frame is not None and frame.id == said else NOTHING

    return ask


def finding(name: str) -> Callable[[Story, Env], Choice]:
    return lambda story, env: SURE[story.found[env["o"]][name]]


def number(story: Story, env: Env) -> int:
    return story.held[env["p"]][env["o"]]


ASKS: dict[str, Callable[[Story, Env], Choice]] = {
    "cast": lambda s, env: _people(s, s.visits),
    "holder": lambda s, env: _people(s, [p for p in s.held if s.held[p]]),
    "giver": lambda s, env: _people(
        s, [p for p in s.held if s.held[p] and s.beside(p)]
    ),
    "eater": lambda s, env: _people(s, [p for p in s.held if s.foods(p)]),
    "companion": lambda s, env: _people(s, [p for p in s.visits if s.beside(p)]),
    "apart": lambda s, env: _people(s, [p for p in s.visits if s.beside(p, False)]),
    "near": lambda s, env: evenly(s.beside(env["p"])),
    "far": lambda s, env: evenly(s.beside(env["p"], False)),
    "newcomer": _newcomer,
    "meeting": _meeting,
    "elsewhere": _elsewhere,
    "where": lambda s, env: SURE[s.place(env["p"])],
    "where_q": lambda s, env: SURE[s.place(env["q"])],
    "offered": _offered,
    "held": lambda s, env: evenly(s.held[env["p"]]),
    "food": lambda s, env: evenly(s.foods(env["p"])),
    "count": lambda s, env: SURE[NUMBERS[number(s, env) - 1]],
    "upto": lambda s, env: UP_TO[number(s, env) - 1],
    "owned": lambda s, env: evenly(s.whole()),
    "finder": finding("p"),
    "how": finding("v"),
    "source": finding("l"),
    "owned_count": finding("n"),
    "loser": just("lose", "p"),
    "lost": just("lose", "o"),
    "lost_count": just("lose", "n"),
    "receiver": just("give", "q"),
    "donor": just("give", "p"),
    "gift": just("give", "o"),
    "gift_count": just("give", "n"),
}
