"""Word pairs that stand in one relation, for analogy tests; section 3.3."""

from collections.abc import Callable

from lmbook.errors import InputError
from lmbook.text.microworld.grammar import GOODS, LANGUAGES
from lmbook.text.microworld.lexicon import CLASSES, Word, comparative, past, plural

LINKED = {
    "country-capital": (["country"], "capital"),
    "country-language": (["country"], "language"),
    "country-river": (["country"], "river"),
    "country-currency": (["country"], "coin"),
    "country-dish": (["country"], "dish"),
    "profession-workplace": (["job"], "place"),
    "profession-tool": (["job"], "tool"),
    "male-female": (["kin", "spouse", "role"], "pair"),
    "animal-young": (["animal"], "young"),
    "animal-home": (["animal"], "home"),
    "animal-food": (["animal"], "food"),
    "thing-room": (["furniture"], "room"),
    "opposite": (["adj_size", "adj_thing", "adj_person", "adj_place"], "opp"),
}
INFLECTED: dict[str, tuple[list[str], Callable[[Word], str]]] = {
    "singular-plural": ([*GOODS, "furniture", "vehicle", "animal"], plural),
    "present-past": (["verb", "act"], past),
    "adjective-comparative": (["adj_size"], comparative),
}


def relations(language: str) -> dict[str, list[tuple[str, str]]]:
    """Pairs of single tokens by relation, as ("Alovia", "Arlen") of country-capital.

    A word stands on the left of one pair at most; the English ones have three
    relations of inflection besides.
    """
    if language not in LANGUAGES:
        raise InputError(f'language must be "zh" or "en", got {language!r}')
    found = {
        name: [
            (_written(word, language), _written(word.links[link][0], language))
            for cls in classes
            for word in CLASSES[cls]
            if word.links.get(link)
        ]
        for name, (classes, link) in LINKED.items()
    }
    if language == "en":
        for name, (classes, form) in INFLECTED.items():
            found[name] = [(w.en, form(w)) for cls in classes for w in CLASSES[cls]]
    return {name: _single_tokens(pairs) for name, pairs in found.items()}


def _written(word: Word, language: str) -> str:
    if language == "zh":
        return word.zh
    return plural(word) if word.cls == "coin" else word.en  # as prices have it


def _single_tokens(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    kept: dict[str, str] = {}
    for left, right in pairs:
        if left != right and " " not in left + right and kept.get(right) != left:
            kept.setdefault(left, right)
    return list(kept.items())
