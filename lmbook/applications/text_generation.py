"""Texts that a language model goes on with: the article's section 6.1."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Self

import numpy as np

from lmbook.errors import InputError
from lmbook.generation import Sampling, beam_search, stream
from lmbook.generation.sampling import whole
from lmbook.generation.streaming import TextStream
from lmbook.models import hf_folder
from lmbook.models.gpt import GPT
from lmbook.models.lstm import LSTMLanguageModel
from lmbook.text.tokenizer_base import Tokenizer
from lmbook.text.tokenizers import BPETokenizer, WordTokenizer

# What a text begins after, as far as the tokenizer has it: the end of a line.
STARTS = ("<eos>", "\n", " ")
# Small models give too much to what is hardly possible: it is left out.
DEFAULT = Sampling(temperature=0.8, min_p=0.1)

Stops = str | Iterable[str] | None


class TextGenerator:
    """A model and its tokenizer, as one that goes on writing.

    >>> generator = TextGenerator.default()
    >>> text = "The sun sets on the horizon"
    >>> print(text + generator.generate_text(text, length=50))

    All methods take, as keywords, the fields of :class:`lmbook.generation.Sampling`
    (``temperature``, by default 0.8, ``top_k``, ``top_p``, ``min_p``, by default 0.1,
    ``repetition_penalty``, ``avoid``), or ``beams`` (above 1: beam search, which
    draws nothing and so takes none of these but ``avoid``).

    ``length`` counts tokens.  The model reads a line end before every prompt, or the
    token that its tokenizer begins with; so an empty prompt begins a new line.  Words
    or characters that the tokenizer does not know are read as its ``<unk>``, which is
    never written.  ``stop``, a string or several: the text ends before the first of
    them that it would contain; at the token ``end``, if there is one, it ends too.  The
    same ``seed`` gives the same text.
    """

    def __init__(
        self,
        model: LSTMLanguageModel | GPT,
        tokenizer: Tokenizer,
        end: int | None = None,
    ) -> None:
        self.model, self.tokenizer, self.end = model, tokenizer, end
        self.start = _start(tokenizer)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """The model that ``lmbook train`` wrote into a folder, or a published one.

        That is a GPT-2, Llama or Qwen3 in the Hugging Face layout
        (:meth:`lmbook.models.gpt.GPT.from_pretrained`) with its tokenizer.json; its
        texts end at the token that its config.json calls the end.
        """
        from lmbook.training import checkpoint
        from lmbook.training.pretraining import PretrainedModel

        if not hf_folder.is_published(folder):
            return cls(*checkpoint.load(folder))
        learned = PretrainedModel.load(folder)
        return cls(learned.model, learned.tokenizer, hf_folder.end_of(folder))

    @classmethod
    def default(cls) -> Self:
        """The book's own model, which writes English and Chinese.

        It is what ``lmbook train --preset laptop --text book`` makes, trained on the
        first call, in about two minutes, and kept
        (:func:`lmbook.training.store.trained`).
        """
        from lmbook.training.store import trained

        model, tokenizer, _ = trained("laptop", "book")
        return cls(model, tokenizer)

    def generate_text(
        self,
        input_text: str,
        length: int = 50,
        *,
        beams: int = 1,
        seed: int = 0,
        stop: Stops = None,
        **options: Any,
    ) -> str:
        """What the model writes after ``input_text``: the new text alone.

        With word tokens it begins with the space that belongs between.
        """
        [text] = self.generate_texts(
            [input_text], length, beams=beams, seed=seed, stop=stop, **options
        )
        return text

    def generate_texts(
        self,
        input_texts: Sequence[str],
        length: int = 50,
        *,
        beams: int = 1,
        seed: int = 0,
        stop: Stops = None,
        **options: Any,
    ) -> list[str]:
        """The same for several prompts at once; prompt i draws from ``seed + i``."""
        steps = self._steps(input_texts, length, beams, seed, stop, options)
        texts = ["".join(pieces) for pieces in zip(*steps, strict=True)]
        return texts or [""] * len(input_texts)

    def stream(
        self,
        input_text: str,
        length: int = 50,
        *,
        beams: int = 1,
        seed: int = 0,
        stop: Stops = None,
        **options: Any,
    ) -> Iterator[str]:
        """The text of :meth:`generate_text` piece by piece, as it is written."""
        steps = self._steps([input_text], length, beams, seed, stop, options)
        return (piece for [piece] in steps if piece)

    def score(self, text: str) -> float:
        """Mean nats per token of a text that begins a line: how it surprises the
        model.  ``InputError`` for a text without tokens."""
        from lmbook.training import evaluate

        ids = self._prompt(text)
        if len(ids) < 2:
            raise InputError("a text without tokens has no score")
        return evaluate(self.model, np.array(ids))

    def _prompt(self, text: str) -> list[int]:
        ids = self.tokenizer.encode(text)
        if isinstance(self.tokenizer, WordTokenizer) and not text.endswith("\n"):
            ids = ids[:-1]  # encode has ended the line; the text goes on
        return [self.start, *ids]

    def _steps(
        self,
        texts: Sequence[str],
        length: int,
        beams: int,
        seed: int,
        stop: Stops,
        options: dict[str, Any],
    ) -> Iterator[list[str]]:
        """The new text of every row, step by step, checked before the first."""
        if isinstance(texts, str):
            raise InputError("generate_texts takes a list of texts, not one text")
        stops = [stop] if isinstance(stop, str) else list(stop or ())
        prompts = [self._prompt(text) for text in texts]
        rows = [TextStream(self.tokenizer, prompt, stops) for prompt in prompts]
        tokens = self._tokens(prompts, length, beams, seed, self._sampling(options))
        return _written(rows, tokens, self.end)

    def _sampling(self, options: dict[str, Any]) -> Sampling:
        names = [field.name for field in dataclasses.fields(Sampling)]
        unknown = options.keys() - set(names)
        if unknown:
            raise InputError(
                f"no option named {min(unknown)!r}; there are {', '.join(names)}, "
                "beams, seed and stop"
            )
        sampling = dataclasses.replace(DEFAULT, **options)
        # The tokens that <unk> stands for are not known, so it cannot be written.
        unknown_id = getattr(self.tokenizer, "unknown_id", None)
        # Published models may have room for more tokens than their tokenizer has.
        spare = range(len(self.tokenizer), self.model.config.vocab_size)
        avoid = (*spare, *([] if unknown_id is None else [unknown_id]))
        return dataclasses.replace(sampling, avoid=(*sampling.avoid, *avoid))

    def _tokens(
        self,
        prompts: list[list[int]],
        length: int,
        beams: int,
        seed: int,
        sampling: Sampling,
    ) -> Iterator[Sequence[int | None]]:
        if whole("beams", beams) == 1:
            return stream(self.model, prompts, length, sampling, seed, self.end)
        drawing = dataclasses.replace(sampling, avoid=())
        if drawing != DEFAULT:
            raise InputError("beam search draws nothing: it takes no sampling options")
        best = [
            beam_search(
                *(self.model, prompt, length, beams),
                end=self.end,
                avoid=sampling.avoid,
            )[0].ids
            for prompt in prompts
        ]
        return zip_longest(*best)


def _written(
    rows: list[TextStream], tokens: Iterator[Sequence[int | None]], end: int | None
) -> Iterator[list[str]]:
    for step in tokens:
        yield [
            "" if token is None or token == end else row.feed(token)
            for row, token in zip(rows, step, strict=True)
        ]
        if all(row.stopped for row in rows):
            break
    yield [row.finish() for row in rows]


def _start(tokenizer: Tokenizer) -> int:
    """The id that every prompt is read after: the tokenizer's own for this, or a line
    end or a space; 0 where it has none of these."""
    if isinstance(tokenizer, BPETokenizer) and tokenizer.rules.begin is not None:
        return tokenizer.special_tokens[tokenizer.rules.begin]
    for token in STARTS:
        for form in (token, token.encode()):
            if form in tokenizer.tokens:
                return tokenizer.tokens.index(form)
    return 0
