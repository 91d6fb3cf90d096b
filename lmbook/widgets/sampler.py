"""A language model that runs in the page, and the choice of each token (6.1)."""

import base64
import copy
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import torch
import traitlets
from torch import Tensor

from lmbook.errors import InputError
from lmbook.models.lstm import LSTMLanguageModel
from lmbook.text.tokenizers import BPETokenizer, CharTokenizer

HERE = Path(__file__).parent
LARGEST = 127  # of the whole numbers that eight bits hold on either side of zero
MOST_NUMBERS = 600_000  # 800 KB in the page
OPTIONS = ("prompt", "temperature", "top_k", "top_p", "min_p", "seed", "written")


class Sampler(anywidget.AnyWidget):
    """``model`` goes on with whatever the reader types, token by token.

    Bars show the next token's distribution before and after temperature, top-k,
    top-p and min-p (:mod:`lmbook.generation`), and how often each token is drawn;
    touching a token of the text shows the distribution that it was drawn from.  No
    kernel is needed: the page has the weights, rounded by :func:`rounded`, and runs
    the LSTM itself.  The text begins after a line end, if the model knows one; 0 of
    ``top_k`` and ``min_p`` and 1 of ``top_p`` cut nothing; temperature 0 is greedy.
    Options: ``prompt``, ``temperature``, ``top_k``, ``top_p``, ``min_p``, ``seed``,
    ``written`` (ids that go on after the prompt).

    Raises ``InputError`` for another model than an LSTM language model of as many
    tokens as the tokenizer (of characters or byte pairs, no special tokens) has, for
    weights that are not finite or more than 600,000, and for an unknown option or a
    value out of range.
    """

    _esm = "\n".join(
        (HERE / name).read_text("utf-8") for name in ("sampler_model.js", "sampler.js")
    )
    _css = "\n".join(
        (HERE / name).read_text("utf-8") for name in ("explorer.css", "sampler.css")
    )

    # Characters; of a BPE tokenizer one letter (U+0000 to U+00FF) a byte.
    tokens = traitlets.List(traitlets.Unicode()).tag(sync=True)
    # Of a BPE tokenizer: ids of left, right and result, in the order of learning.
    merges: traitlets.List = traitlets.List(None, allow_none=True).tag(sync=True)
    # {vocab, embedding, hidden: [one a layer], tied}
    sizes = traitlets.Dict().tag(sync=True)
    # Base64.  Embedding, then for each layer its input and recurrent matrix and bias,
    # then output matrix (unless tied) and bias.  A matrix: a float32 scale for each
    # row, then rows of int8; a bias: float32; the low byte first.
    weights = traitlets.Unicode().tag(sync=True)
    banned = traitlets.List(traitlets.Int()).tag(sync=True)  # ids never drawn
    prompt = traitlets.Unicode().tag(sync=True)
    temperature = traitlets.Float(1.0, min=0, max=2).tag(sync=True)
    top_k = traitlets.Int(0, min=0, max=50).tag(sync=True)
    top_p = traitlets.Float(1.0, min=0.05, max=1).tag(sync=True)
    min_p = traitlets.Float(0.0, min=0, max=0.5).tag(sync=True)
    seed = traitlets.Int(1, min=0, max=999_999).tag(sync=True)
    written = traitlets.List(traitlets.Int()).tag(sync=True)  # ids after the prompt

    def __init__(
        self,
        model: LSTMLanguageModel,
        tokenizer: CharTokenizer | BPETokenizer,
        **options: Any,
    ) -> None:
        if not isinstance(model, LSTMLanguageModel):
            raise InputError(
                f"model must be an LSTMLanguageModel, got {type(model).__name__}"
            )
        if not isinstance(tokenizer, CharTokenizer | BPETokenizer):
            raise InputError(
                "tokenizer must be a CharTokenizer or a BPETokenizer, "
                f"got {type(tokenizer).__name__}"
            )
        vocab_size = model.embedding.num_embeddings
        if len(tokenizer) != vocab_size:
            raise InputError(
                f"the tokenizer has {len(tokenizer)} tokens, the model {vocab_size}"
            )
        parts, sizes = _parts(model)
        numbers = sum(part.numel() for part in parts)
        if numbers > MOST_NUMBERS:
            raise InputError(
                f"the page takes up to {MOST_NUMBERS:,} weights, got {numbers:,}"
            )
        for name in options:
            if name not in OPTIONS:
                raise InputError(f"no option {name!r}; options: {', '.join(OPTIONS)}")
        for i in options.get("written", ()):
            tokenizer.pieces_of([i])
        tokens, merges = _written_out(tokenizer)
        try:
            super().__init__(
                tokens=tokens,
                merges=merges,
                sizes=sizes,
                weights=base64.b64encode(b"".join(map(_packed, parts))).decode(),
                banned=[tokenizer.unknown_id] if merges is None else [],
                **options,
            )
        except traitlets.TraitError as error:
            raise InputError(str(error)) from None


def rounded(model: LSTMLanguageModel) -> LSTMLanguageModel:
    r"""A copy with the weights that the page has, eight bits each.

    Row r of a matrix becomes :math:`s_r \operatorname{round}(W_r / s_r)` with
    :math:`s_r = \max_k |W_{rk}| / 127`; biases stay as they are.
    """
    copied = copy.deepcopy(model).eval()
    with torch.no_grad():
        for parameter in copied.parameters():
            if parameter.dim() == 2:
                scales, whole = _eight_bits(parameter)
                parameter.copy_(scales * whole)
    return copied


def _written_out(
    tokenizer: CharTokenizer | BPETokenizer,
) -> tuple[list[str], list[list[int]] | None]:
    """The traits ``tokens`` and ``merges``."""
    if isinstance(tokenizer, CharTokenizer):
        return list(tokenizer.tokens), None
    if tokenizer.special_tokens:
        first = next(iter(tokenizer.special_tokens))
        raise InputError(f"the page knows no special tokens; there is {first!r}")
    id_of = {token: i for i, token in enumerate(tokenizer.tokens)}
    merges = [
        [id_of[left], id_of[right], id_of[left + right]]
        for left, right in tokenizer.merges
    ]
    return [token.decode("latin-1") for token in tokenizer.tokens], merges


def _parts(model: LSTMLanguageModel) -> tuple[list[Tensor], dict[str, Any]]:
    """The weights in the page's order, and the sizes that tell them apart."""
    parts, hidden = [model.embedding.weight.detach()], []
    for number, (_, units) in enumerate(model.config.layer_sizes):
        weight_ih, weight_hh, bias_ih, bias_hh = (
            model.get_parameter(f"layers.{number}.{name}_l0").detach()
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        parts += [weight_ih, weight_hh, bias_ih + bias_hh]
        hidden.append(units)
    if not model.config.tied:
        parts.append(model.output.weight.detach())
    parts.append(model.output.bias.detach())
    if not all(bool(part.isfinite().all()) for part in parts):
        raise InputError("the model has weights that are not finite")
    vocab, embedding = model.embedding.weight.shape
    sizes = {"vocab": vocab, "embedding": embedding, "hidden": hidden}
    return parts, sizes | {"tied": model.config.tied}


def _eight_bits(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """A scale for each row (rows, 1), and the whole numbers (rows, columns)."""
    scales = matrix.abs().amax(dim=1, keepdim=True) / LARGEST
    scales[scales == 0] = 1.0
    return scales, (matrix / scales).round()


def _packed(part: Tensor) -> bytes:
    if part.dim() == 1:
        return part.cpu().numpy().astype("<f4").tobytes()
    scales, whole = _eight_bits(part.cpu())
    return scales.numpy().astype("<f4").tobytes() + np.int8(whole).tobytes()
