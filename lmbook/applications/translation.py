"""Sentences in another language: the article's section 6.2."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import torch
from torch import Tensor

from lmbook.errors import InputError
from lmbook.generation import beam_search
from lmbook.generation.sampling import whole
from lmbook.models.encoder_decoder import Conditioned
from lmbook.models.padding import Padded
from lmbook.models.translation_model import Seq2Seq
from lmbook.text.pair_tokens import END, PairTokenizer, language_token, languages
from lmbook.text.tokenizer_base import checked

# Where one sentence ends and the next begins; the signs stay with the first.
BOUNDARY = re.compile(r"(?<=[。！？])(?![。！？”’」』）])\s*|(?<=[.!?])\s+")
BETWEEN = {"zh": ""}  # what stands between two sentences; else a space
MOST_TOKENS = 100  # of a piece that is translated by itself
BATCH = 64  # pieces that are translated side by side


class Alignment(NamedTuple):
    """A translation and where it came from.

    ``weights`` (num_layers, num_heads, target's tokens, source's tokens): row t says
    how much the token t of the target takes from each of the source's.  A token that
    is a part of a character is written U+FFFD.
    """

    source: list[str]
    target: list[str]
    weights: Tensor


class Translator:
    """A model and its tokenizer, as one that translates.

    >>> translator = Translator.default()
    >>> translator.translate("你好，世界！", target_language="en")
    'Hello, world!'
    >>> translator.translate("Good morning, Anna!", target_language="zh")
    '早上好，安娜！'

    A text is translated line by line and sentence by sentence, each by itself but an
    answer, which needs its question; one of more than 100 tokens is cut into pieces of
    so many.  So the time grows with the text's length, and no text is too long.  White
    space alone, and nothing, come back as the empty text (lines stay lines).

    Tokens are bytes in the end, so no character is unknown; but of one that it never
    saw in training the model knows nothing, and what it writes in its place is a
    guess.  It also never says that a sentence is in a language that it does not know.
    """

    def __init__(self, model: Seq2Seq, tokenizer: PairTokenizer) -> None:
        self.model, self.tokenizer = model.eval(), tokenizer
        self.languages = languages(tokenizer)
        sizes = model.config.source_vocab_size, model.config.target_vocab_size
        if sizes != (len(tokenizer), len(tokenizer)):
            raise InputError(
                f"the model's vocabularies have {sizes[0]:,} and {sizes[1]:,} tokens, "
                f"the tokenizer has {len(tokenizer):,}"
            )

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """The model that ``training.pair_files.save_pair_model`` wrote."""
        from lmbook.training.pair_files import load_pair_model

        return cls(*load_pair_model(folder))

    @classmethod
    def default(cls) -> Self:
        """The book's own model: English and Chinese of the artificial world.

        It is trained on the first call, in about two minutes, and kept
        (:func:`lmbook.training.pair_store.trained_pairs`).
        """
        from lmbook.training.pair_store import trained_pairs

        model, tokenizer, _ = trained_pairs()
        return cls(model, tokenizer)

    def translate(
        self, sentence: str, target_language: str = "en", *, beams: int = 1
    ) -> str:
        """The sentence, or the text, in the other language.

        With one of ``beams`` each token is the most probable one; with more, the best
        translation is searched for, by log-probability over length
        (:func:`lmbook.generation.beam_search`).  ``InputError`` for a language that
        the model does not write, or what is no text.
        """
        [found] = self.translate_all([sentence], target_language, beams=beams)
        return found

    def translate_all(
        self,
        sentences: Sequence[str],
        target_language: str = "en",
        *,
        beams: int = 1,
    ) -> list[str]:
        """The same for several at once, which is quicker."""
        if isinstance(sentences, str):
            raise InputError("translate_all takes a list of texts, not one text")
        first = self._begin(target_language)
        if (beams := whole("beams", beams)) < 1:
            raise InputError(f"beams must be at least 1, got {beams}")
        texts = [[_sentences(x) for x in checked(s).split("\n")] for s in sentences]
        pieces = [
            piece
            for text in texts
            for line in text
            for sentence in line
            for piece in self._pieces(sentence)
        ]
        # Of about equal lengths side by side.
        order = sorted(range(len(pieces)), key=lambda i: len(pieces[i]))
        found: dict[int, str] = {}
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            batch = [pieces[i] for i in rows]
            found.update(zip(rows, self._written(batch, first, beams), strict=True))
        written = iter([found[i] for i in range(len(pieces))])
        between = BETWEEN.get(target_language, " ")
        return [
            "\n".join(
                between.join(next(written) for part in line for _ in self._pieces(part))
                for line in text
            )
            for text in texts
        ]

    def align(self, sentence: str, target_language: str = "en") -> Alignment:
        """A translation of one sentence, and what attention looked at for each token.

        ``InputError`` for a model without attention, and for anything but one
        sentence of at most 100 tokens.
        """
        first = self._begin(target_language)
        pieces = [p for s in _sentences(checked(sentence)) for p in self._pieces(s)]
        if len(pieces) != 1:
            raise InputError(
                f"one sentence of at most {MOST_TOKENS} tokens can be aligned, got "
                f"{len(pieces)} pieces"
            )
        encoded = self.model.encoder.encode(pieces[0])
        ids = self.model.decoder.decode(encoded, _most(pieces[0]), first, self._end)
        given = torch.tensor([[first, *ids]], device=encoded.memory.device)
        with torch.no_grad():
            weights = self.model.decoder.attention_weights(given, encoded)[0]
        source, target = (
            [*map(_shown, self.tokenizer.pieces_of(row))]
            for row in (pieces[0], [*ids, self._end])
        )
        return Alignment(source, target, weights)

    @property
    def _end(self) -> int:
        return self.tokenizer.special_tokens[END]

    def _begin(self, language: str) -> int:
        """The token that a target in this language begins with."""
        if language not in self.languages:
            raise InputError(
                f"target_language must be one of {', '.join(self.languages)}; "
                f"got {language!r}"
            )
        return self.tokenizer.special_tokens[language_token(language)]

    def _pieces(self, sentence: str) -> list[list[int]]:
        """A sentence's tokens, in pieces where there are too many."""
        ids = self.tokenizer.encode(sentence)
        return [ids[i : i + MOST_TOKENS] for i in range(0, len(ids), MOST_TOKENS)]

    @torch.no_grad()
    def _written(self, pieces: list[list[int]], first: int, beams: int) -> list[str]:
        """What the model writes for each piece."""
        model, lengths = self.model, [*map(_most, pieces)]
        rows: Sequence[Sequence[int]]
        if beams == 1:
            device = model.decoder.output.weight.device
            encoded = model.encode(Padded.of(pieces, device))
            rows = model.decoder.decode_batch(encoded, max(lengths), first, self._end)
            rows = [row[:most] for row, most in zip(rows, lengths, strict=True)]
        else:
            rows = []
            for piece, most in zip(pieces, lengths, strict=True):
                given = Conditioned(model.decoder, model.encoder.encode(piece))
                best = beam_search(given, [first], most, beams, end=self._end)[0]
                rows.append(best.ids)
        special = set(self.tokenizer.special_tokens.values())
        texts = ([i for i in row if i not in special] for row in rows)
        return [self.tokenizer.decode(ids).strip() for ids in texts]


def _sentences(line: str) -> list[str]:
    """The sentences of a line, white space around them gone; what follows a question
    stays with it."""
    found: list[str] = []
    for part in BOUNDARY.split(line):
        if found and found[-1].endswith(("?", "？")):
            between = " " if found[-1].endswith("?") else ""
            found[-1] += between + part.strip()
        elif part.strip():
            found.append(part.strip())
    return found


def _shown(token: bytes | str) -> str:
    return token if isinstance(token, str) else token.decode(errors="replace")


def _most(piece: Sequence[int]) -> int:
    """Tokens that a translation may have: a model that has lost itself is stopped."""
    return 2 * len(piece) + 10
