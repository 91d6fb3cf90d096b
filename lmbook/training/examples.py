r"""A prompt and its answer as tokens, and the loss on the answer alone.

With a prompt x and an answer y of n tokens, the end of its line the last of them,

.. math:: L = -\frac1n \sum_{t=1}^{n} \ln \pi(y_t \mid x, y_{<t}).

The model reads the prompt, but is not taught to write it: equation (4) of Radford et
al., "Improving Language Understanding by Generative Pre-Training" (2018), with an
answer of several tokens where they have one label.  Taught in section 3.5.2.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lmbook.errors import InputError
from lmbook.models.gpt import GPT
from lmbook.text.tokenizers import AnyTokenizer, BPETokenizer, WordTokenizer

LINE_ENDS = ("<eos>", "\n")  # whichever a tokenizer has
ROWS = 64  # read at once where nothing is learned
PAD = 0  # any id would do: no token that counts sees it


@dataclass(frozen=True)
class Example:
    """The ids of a prompt and its answer; the last ``num_answer`` are the answer's."""

    ids: tuple[int, ...]
    num_answer: int


class ExampleEncoder:
    """How prompts and answers become ids.

    A prompt follows what begins a text: a token of the tokenizer's own, or the line
    end that stands between the documents of pre-training.  An answer is one line, and
    its end is taught with it: so a model knows when to stop.  The two are encoded
    apart, hence no token belongs to both.
    """

    def __init__(self, tokenizer: AnyTokenizer, context_length: int) -> None:
        self.tokenizer, self.context_length = tokenizer, context_length
        self.end = _line_end(tokenizer)
        self.start = self.end
        if isinstance(tokenizer, BPETokenizer) and tokenizer.rules.begin is not None:
            self.start = tokenizer.special_tokens[tokenizer.rules.begin]

    def prompt(self, text: str) -> list[int]:
        """What is read before an answer is written; unknown words are ``<unk>``.

        ``InputError`` if the model's context leaves no room for an answer.
        """
        return self._within([self.start, *self._encode(text)], text)

    def example(self, prompt: str, answer: str) -> Example:
        """The ids of both and of the line's end.

        ``InputError`` if the answer is empty or longer than a line, has tokens that
        the tokenizer does not know, or does not fit into the model's context.
        """
        written = self._encode(answer)
        if not written or "\n" in answer:
            raise InputError(f"an answer must be one line of text, got {answer!r}")
        if self.tokenizer.unknown_id in written:
            raise InputError(f"the tokenizer does not know all of answer {answer!r}")
        read = [self.start, *self._encode(prompt), *written]
        # The end is predicted, not read.
        return Example((*self._within(read, prompt), self.end), len(written) + 1)

    def _encode(self, text: str) -> list[int]:
        ids = self.tokenizer.encode(text)
        if isinstance(self.tokenizer, WordTokenizer) and not text.endswith("\n"):
            return ids[:-1]  # encode has ended the line; it goes on
        return ids

    def _within(self, ids: list[int], prompt: str) -> list[int]:
        if len(ids) > self.context_length:
            raise InputError(
                f"the prompt {prompt[:40]!r} and what follows have {len(ids):,} "
                f"tokens; the model sees at most {self.context_length:,}"
            )
        return ids


@dataclass(frozen=True)
class Batch:
    """Inputs and targets, both (rows, seq_len), and which targets are an answer's.

    Rows are filled up on the right.  What stands there is no target that counts, and a
    causal model sees nothing to its right: so padding changes no result.
    """

    ids: Tensor
    targets: Tensor
    counted: Tensor


def batch_of(examples: Sequence[Example], device: torch.device) -> Batch:
    """Examples side by side, as long as the longest of them."""
    longest = max(len(example.ids) for example in examples)
    rows = torch.full((len(examples), longest), PAD)
    counted = torch.zeros(len(examples), longest, dtype=torch.bool)
    for row, mask, example in zip(rows, counted, examples, strict=True):
        length = len(example.ids)
        row[:length] = torch.tensor(example.ids)
        mask[length - example.num_answer : length] = True
    rows, counted = rows.to(device), counted.to(device)
    return Batch(rows[:, :-1], rows[:, 1:], counted[:, 1:])


def answer_loss(model: GPT, batch: Batch) -> Tensor:
    """Cross-entropy in nats, the mean over all tokens of the answers."""
    hidden, _ = model.hidden(batch.ids)  # (rows, seq_len, hidden_size)
    seen, targets = hidden[batch.counted], batch.targets[batch.counted]
    return model.score(seen[None], targets[None])


def answer_log_probs(model: GPT, batch: Batch) -> Tensor:
    r""":math:`\ln \pi(y \mid x)` of every row's answer, its end included: (rows,)."""
    hidden, _ = model.hidden(batch.ids)
    log_probs = model.output(hidden[batch.counted]).log_softmax(-1)  # (tokens, vocab)
    of_targets = log_probs.gather(1, batch.targets[batch.counted][:, None])[:, 0]
    rows = batch.counted.nonzero()[:, 0]
    return of_targets.new_zeros(len(batch.ids)).index_add(0, rows, of_targets)


@torch.no_grad()
def log_probs(model: GPT, examples: Sequence[Example]) -> Tensor:
    """:func:`answer_log_probs` of any number of examples, (examples,), some at a time.

    Without dropout and gradients; the model is left in its own mode.
    """
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    parts = [
        answer_log_probs(model, batch_of(examples[start : start + ROWS], device))
        for start in range(0, len(examples), ROWS)
    ]
    model.train(was_training)
    return torch.cat(parts)


def require_texts(data: Iterable[Sequence[str]], names: str) -> list[tuple[str, ...]]:
    """``data`` as a list of tuples with a text for each of ``names``.

    ``InputError`` gives the number of the first item that is none, or says that there
    is no item at all.
    """
    items = list(data) if isinstance(data, Iterable) else []
    if not items:
        raise InputError(f"nothing to learn from: expected tuples ({names})")
    for number, item in enumerate(items):
        is_tuple = isinstance(item, tuple | list) and all(
            isinstance(text, str) for text in item
        )
        if not is_tuple or len(item) != len(names.split(", ")):
            raise InputError(
                f"item {number} must be a tuple of texts ({names}), got "
                f"{str(item)[:60]!r}"
            )
    return [tuple(item) for item in items]


def _line_end(tokenizer: AnyTokenizer) -> int:
    for token in LINE_ENDS:
        for form in (token, token.encode()):
            if form in tokenizer.tokens:
                return tokenizer.tokens.index(form)
    raise InputError(
        "the tokenizer has no line end, <eos> or a line break: an answer can't end"
    )
