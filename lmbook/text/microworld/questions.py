"""What may be asked about a story, and the answers that follow from it."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

from lmbook.text.microworld import stories
from lmbook.text.microworld.grammar import NOTHING, Choice
from lmbook.text.microworld.lexicon import CLASSES, YES, Word
from lmbook.text.microworld.stories import NUMBERS, PLACES, SURE, Story, evenly
from lmbook.text.microworld.templates import Env

NEVER_NAMED = 0.1  # weight of a place that the story didn't name, in a yes/no question


def _holders(story: Story, thing: Word) -> list[Word]:
    return [p for p, things in story.held.items() if thing in things]


def _having_count(story: Story, env: Env) -> Choice:
    [holder] = _holders(story, env["o"])
    return SURE[NUMBERS[story.held[holder][env["o"]] - 1]]


def _ways(story: Story, person: Word) -> list[tuple[Word, Word]]:
    """From where to where the person went, both visited once only."""
    times = Counter(story.visits[person])
    pairs = pairwise(story.visits[person])
    return [(a, b) for a, b in pairs if times[a] == times[b] == 1]


def _gifts(story: Story) -> list[Env]:
    """Those that "who gave the cups to Anna" can mean one of only."""
    times = Counter((gift["q"], gift["o"]) for gift in story.gifts)
    return [gift for gift in story.gifts if times[gift["q"], gift["o"]] == 1]


def _given(name: str) -> Callable[[Story, Env], Choice]:
    return lambda story, env: SURE[
        next(
            gift[name]
            for gift in _gifts(story)
            if gift["q"] is env["q"] and gift["o"] is env["o"]
        )
    ]


def _feelers(kind: str) -> Callable[[Story, Env], Choice]:
    """People with one feeling in all, of this kind."""
    return lambda story, env: evenly(
        p for p, felt in story.moods.items() if [k for k, _ in felt] == [kind]
    )


def _mood(name: str) -> Callable[[Story, Env], Choice]:
    return lambda story, env: SURE[story.moods[env["p"]][0][1][name]]


def _first(story: Story, env: Env) -> Choice:
    """Who opened the story, unless that person came back to the same place."""
    person, place = story.opening["p"], story.opening["l"]
    return SURE[person] if story.visits[person].count(place) == 1 else NOTHING


def _perhaps_in(story: Story, env: Env) -> Choice:
    """Where the person is, or another place, mostly of this story."""
    here = story.place(env["p"])
    if env["y"] is YES:
        return SURE[here]
    named = {place for places in story.visits.values() for place in places}
    weights = {p: 1.0 if p in named else NEVER_NAMED for p in PLACES}
    del weights[here]
    return Choice(weights)


def _perhaps_has(story: Story, person: Word, answer: Word) -> list[Word]:
    held = story.held[person]
    return [thing for thing in story.found if (thing in held) == (answer is YES)]


def _askable(story: Story, answer: Word) -> list[Word]:
    return [p for p in story.visits if _perhaps_has(story, p, answer)]


ASKS: dict[str, Callable[[Story, Env], Choice]] = {
    **stories.ASKS,
    "left": lambda s, env: evenly(o for o in s.left if not _holders(s, o)),
    "left_at": lambda s, env: SURE[s.left[env["o"]]["l"]],
    "left_count": lambda s, env: SURE[s.left[env["o"]]["n"]],
    "having": lambda s, env: evenly(o for o in s.found if len(_holders(s, o)) == 1),
    "haver": lambda s, env: SURE[_holders(s, env["o"])[0]],
    "having_count": _having_count,
    "sole_holder": lambda s, env: evenly(p for p in s.held if len(s.held[p]) == 1),
    "traveller": lambda s, env: evenly(p for p in s.visits if _ways(s, p)),
    "visited": lambda s, env: evenly(b for _, b in _ways(s, env["p"])),
    "previous": lambda s, env: SURE[{b: a for a, b in _ways(s, env["p"])}[env["l"]]],
    "departed": lambda s, env: evenly(a for a, _ in _ways(s, env["p"])),
    "following": lambda s, env: SURE[dict(_ways(s, env["p"]))[env["m"]]],
    "given_to": lambda s, env: evenly(gift["q"] for gift in _gifts(s)),
    "given": lambda s, env: evenly(g["o"] for g in _gifts(s) if g["q"] is env["q"]),
    "given_by": _given("p"),
    "given_number": _given("n"),
    "felt_sad": _feelers("sad"),
    "felt_glad": _feelers("glad"),
    "feeling": _mood("a"),
    "cause": _mood("o"),
    "cause_number": _mood("n"),
    "causer": _mood("q"),
    "first": _first,
    "first_place": lambda s, env: SURE[s.opening["l"]],
    "time": lambda s, env: SURE[s.opening["t"]],
    "perhaps_in": _perhaps_in,
    "can_answer": lambda s, env: evenly(y for y in CLASSES["answer"] if _askable(s, y)),
    "knower": lambda s, env: evenly(_askable(s, env["y"])),
    "perhaps_has": lambda s, env: evenly(_perhaps_has(s, env["p"], env["y"])),
}
