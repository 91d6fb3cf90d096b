"""Two languages in one vocabulary, and their pairs as token numbers.  Section 6.2.

A vocabulary of byte pairs for any text (:func:`pair_tokenizer`), or of whole words
(:mod:`lmbook.text.pair_words`).  One model translates in both directions: the first
token of a target says which language it is in (after Johnson et al. 2017, who say it
in the source).
"""

import logging
from collections.abc import Iterable

from lmbook.errors import InputError
from lmbook.text.bpe import BPETokenizer
from lmbook.text.pair_batches import IdPair
from lmbook.text.pair_words import PairWords
from lmbook.text.pairs import Pairs

PairTokenizer = BPETokenizer | PairWords

LANGUAGES = ("en", "zh")  # in the order of a pair
END = "<|end|>"  # the last token of every target


def language_token(language: str) -> str:
    """The token that a target in this language begins with.

    >>> language_token("en")
    '<|en|>'
    """
    return f"<|{language}|>"


SPECIAL = [END, *map(language_token, LANGUAGES)]


def pair_tokenizer(pairs: Pairs, vocab_size: int) -> BPETokenizer:
    """Byte pairs of both languages, at most ``vocab_size`` tokens.

    Chinese writes no spaces, and what often stands together there need not be a word
    (上周那位 is two).  So it merges within words alone, as jieba finds them; a text
    that is encoded needs no jieba.  What ``pairs`` do not have is read byte by byte.
    """
    import jieba

    jieba.setLogLevel(logging.WARNING)  # not that it has loaded its dictionary
    english = "\n".join(one for one, _ in pairs)
    chinese = "\n".join(word for _, other in pairs for word in jieba.cut(other))
    return BPETokenizer.train([english, chinese], vocab_size, SPECIAL)


def languages(tokenizer: PairTokenizer) -> tuple[str, ...]:
    """The languages that targets can be in; ``InputError`` unless there are some."""
    names = tokenizer.special_tokens
    found = tuple(
        inner
        for name in names
        if name != END and language_token(inner := name[2:-2]) == name
    )
    if END not in names or not found:
        raise InputError(
            f"the tokenizer of a translator has the special tokens {END} and, for each "
            f"language, one such as {language_token('en')}; "
            f"got {', '.join(names) or 'none'}"
        )
    return found


def encode_pairs(
    tokenizer: PairTokenizer, pairs: Iterable[tuple[str, str]]
) -> list[IdPair]:
    """Every pair (English, Chinese) twice: to Chinese, and to English.

    A target's ids begin with its language and end with ``<|end|>``.
    """
    special = tokenizer.special_tokens
    found: list[IdPair] = []
    for pair in pairs:
        english, chinese = map(tokenizer.encode, pair)
        found.append((english, [special[language_token("zh")], *chinese, special[END]]))
        found.append((chinese, [special[language_token("en")], *english, special[END]]))
    return found
