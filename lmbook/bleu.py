r"""BLEU, the score of a translation by its n-grams; the same numbers as sacreBLEU.

BLEU is one measure only with its tokenizer named (Post 2018): "13a" is that of the
shared tasks of WMT, "zh" cuts Chinese into characters, "char" cuts everything, and
"none" at spaces alone.  Taught in section 6.4.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lmbook.errors import InputError

LONGEST = 4  # words of an n-gram
TOKENIZERS = ("13a", "zh", "char", "none")
_SEPARATE = [
    (re.compile(r"([\{-\~\[-\` -\&\(-\+\:-\@\/])"), r" \1 "),
    (re.compile(r"([^0-9])([\.,])"), r"\1 \2 "),
    (re.compile(r"([\.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
]
_ENTITIES = {"&quot;": '"', "&amp;": "&", "&lt;": "<", "&gt;": ">"}
# Chinese characters and signs as sacreBLEU has them: what it writes for a rare block
# of characters, Python reads as U+2001 to U+2A6D, so that … counts as Chinese.
_CHINESE = re.compile(
    "([\u2001-\u2a6d\u3400-\u4db5\u4e00-\u9fbb\uf900-\ufa2d\ufa30-\ufa6a"
    "\ufa70-\ufad9\uff00-\uffef"
    "\u2e80-\u2eff\u3000-\u303f\u31c0-\u31ef\u2f00-\u2fdf\u2ff0-\u2fff\u3100-\u312f"
    "\u31a0-\u31bf\ufe10-\ufe1f\ufe30-\ufe4f\u2600-\u27bf\u3200-\u33ff])"
)


@dataclass(frozen=True)
class Bleu:
    """A score from 0 to 100 and what it is made of."""

    score: float
    precisions: tuple[float, ...]  # of 1-grams to 4-grams, in percent
    brevity_penalty: float
    length: int  # tokens of what is scored
    reference_length: int


def bleu(
    texts: Sequence[str],
    references: Sequence[str | Sequence[str]],
    tokenize: str = "13a",
    by_sentence: bool = False,
) -> Bleu:
    r"""BLEU of a corpus (Papineni et al. 2002): texts against their references,

    .. math:: \text{BLEU} = 100 \min(1, e^{1 - r/c}) \Big(\prod_{n=1}^{4} p_n\Big)^{1/4}

    With c tokens in all texts, r in the references (of several for one text, the
    length nearest to the text's; the shorter one if two are), and :math:`p_n` the
    share of the texts' n-grams that their references have, no n-gram counted more
    often than in the reference that has it most.  Where no n-gram agrees, :math:`p_n`
    is :math:`1/2^k` over their number, for the k-th such n (sacreBLEU's smoothing
    "exp").  ``by_sentence`` averages over those n only for which the text has
    n-grams: for a short sentence.

    ``InputError`` if there are not as many texts as references, or none at all.
    """
    if len(texts) != len(references) or not texts:
        raise InputError(
            "as many texts as references, and at least one, are needed: got "
            f"{len(texts)} and {len(references)}"
        )
    right, total = [0] * LONGEST, [0] * LONGEST
    length = reference_length = 0
    for text, reference in zip(texts, references, strict=True):
        several = [reference] if isinstance(reference, str) else list(reference)
        if not several:
            raise InputError(f"{text[:60]!r} has no reference")
        words = tokens(text, tokenize)
        known = [tokens(one, tokenize) for one in several]
        length += len(words)
        sizes = [len(one) for one in known]
        reference_length += min(sizes, key=lambda n: (abs(n - len(words)), n))
        for n in range(1, LONGEST + 1):
            allowed: Counter[tuple[str, ...]] = Counter()
            for one in known:
                allowed |= _ngrams(one, n)
            found = _ngrams(words, n)
            right[n - 1] += (found & allowed).total()
            total[n - 1] += found.total()
    return _score(right, total, length, reference_length, by_sentence)


def tokens(text: str, tokenize: str = "13a") -> list[str]:
    """The tokens that are compared.  ``InputError`` names the tokenizers there are."""
    if tokenize not in TOKENIZERS:
        raise InputError(
            f"tokenize must be one of {', '.join(TOKENIZERS)}, got {tokenize!r}"
        )
    if tokenize == "none":
        return text.split()
    if tokenize == "char":
        return list("".join(text.split()))
    if tokenize == "zh":
        return _separated(_CHINESE.sub(r" \1 ", text.strip()))
    text = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, sign in _ENTITIES.items():
        text = text.replace(entity, sign)
    return _separated(f" {text} ")


def _separated(text: str) -> list[str]:
    """Words and signs; a full stop or comma within a number stays."""
    for pattern, spaced in _SEPARATE:
        text = pattern.sub(spaced, text)
    return text.split()


def _ngrams(words: list[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(words[i:] for i in range(n)), strict=False))


def _score(
    right: list[int], total: list[int], length: int, reference: int, by_sentence: bool
) -> Bleu:
    precisions, halved = [0.0] * LONGEST, 1.0
    for n, (agree, every) in enumerate(zip(right, total, strict=True)):
        if every == 0:
            break
        if agree == 0:
            halved *= 2
            precisions[n] = 100 / (halved * every)
        else:
            precisions[n] = 100 * agree / every
    penalty = 1.0
    if length < reference:
        penalty = math.exp(1 - reference / length) if length else 0.0
    orders = sum(every > 0 for every in total) if by_sentence else LONGEST
    used = precisions[:orders]
    score = 0.0
    if any(right) and all(used):
        score = penalty * math.exp(sum(map(math.log, used)) / orders)
    return Bleu(score, tuple(precisions), penalty, length, reference)
