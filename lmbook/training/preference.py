r"""Direct preference optimisation: of two answers, the better one becomes likelier.

Rafailov et al., "Direct Preference Optimization: Your Language Model is Secretly a
Reward Model" (2023), equation (7): with a prompt x, a chosen answer :math:`y_w` and a
rejected one :math:`y_l`,

.. math::
    L = -\mathbb{E}\,\ln \sigma(\hat r(x, y_w) - \hat r(x, y_l)), \qquad
    \hat r(x, y) = \beta \ln \frac{\pi_\theta(y \mid x)}{\pi_\mathrm{ref}(y \mid x)}.

No other model is asked for a reward: :math:`\hat r` is one, how much likelier an
answer has become than it was to the reference, which does not move.  Taught in
section 3.5.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import ClassVar, NamedTuple, Self

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from lmbook.errors import InputError
from lmbook.models.lora import LoRAConfig
from lmbook.training import finetuning
from lmbook.training.config import TrainConfig
from lmbook.training.examples import (
    Example,
    answer_log_probs,
    batch_of,
    log_probs,
    require_texts,
)
from lmbook.training.pretraining import require_fitted
from lmbook.training.tuning import Learned, TunedModel, encoder_of, learn_from

NAMES = "prompt, chosen, rejected"
# A tenth of fine-tuning's rates: it is to prefer, not to learn anew.  Small differences
# of large sums count: bfloat16 would round them away.
RECIPE = dataclasses.replace(finetuning.RECIPE, learning_rate=1e-4, precision="float32")
LORA_RECIPE = dataclasses.replace(RECIPE, learning_rate=1e-3)

Triple = tuple[str, str, str]


def dpo_loss(
    chosen: Tensor,
    rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    beta: float = 0.1,
) -> Tensor:
    r"""Equation (7), the mean over rows.

    The arguments are :math:`\ln \pi(y \mid x)` of the chosen and the rejected answers,
    (rows,), first of the model that learns, then of the reference.  The gradient
    (section 4 of the paper, "What does the DPO update do?"), the mean over rows of

    .. math::
        -\beta\,\sigma(\hat r(x, y_l) - \hat r(x, y_w))\,
        \bigl(\nabla \ln \pi(y_w \mid x) - \nabla \ln \pi(y_l \mid x)\bigr),

    is large where the rewards stand the wrong way round, and nearly 0 where they are
    far apart as they should be.
    """
    margin = (chosen - reference_chosen) - (rejected - reference_rejected)
    return -logsigmoid(beta * margin).mean()


class Preference(NamedTuple):
    """A chosen and a rejected answer, and the reference's ln π of both."""

    chosen: Example
    rejected: Example
    reference: tuple[float, float]


class DPOModel(TunedModel):
    """A fine-tuned model that has learned which of two answers is preferred.

    >>> preferred = DPOModel(finetuned, beta=0.1).fit(preferences, epochs=1)

    The reference is ``start``.  ``beta`` above 0: the larger, the less the model moves
    away from it.  ``losses`` begin near ln 2, that of two answers between which
    nothing is preferred yet; what else there is,
    :class:`lmbook.training.tuning.TunedModel` tells.
    """

    RECIPES: ClassVar = {"full": RECIPE, "lora": LORA_RECIPE}

    def __init__(
        self,
        start: Learned,
        method: str = "full",
        *,
        beta: float = 0.1,
        lora: LoRAConfig | None = None,
        train: TrainConfig | None = None,
    ) -> None:
        if not beta > 0:
            raise InputError(f"beta must be above 0, got {beta}")
        super().__init__(start, method, lora=lora, train=train)
        self.beta = beta

    def fit(self, preferences: Iterable[Triple], epochs: int = 1) -> Self:
        """Learn from (prompt, chosen, rejected), each read ``epochs`` times.

        It begins from the reference whenever it is called.  Raises ``InputError`` with
        the number of an item that is no such triple, and where
        :meth:`lmbook.training.examples.ExampleEncoder.example` does; ``Diverged`` when
        the loss is no longer finite.
        """
        pairs = self._encoded(preferences)
        model = self._begin()
        flat = [example for pair in pairs for example in pair]
        # Nothing is learned yet: the model is still the reference.
        reference = log_probs(model, flat).view(-1, 2).tolist()
        items = [
            Preference(chosen, rejected, (of_chosen, of_rejected))
            for (chosen, rejected), (of_chosen, of_rejected) in zip(
                pairs, reference, strict=True
            )
        ]

        def loss(part: Sequence[Preference]) -> Tensor:
            examples = [p.chosen for p in part] + [p.rejected for p in part]
            device = next(model.parameters()).device
            found = answer_log_probs(model, batch_of(examples, device))
            chosen, rejected = found.chunk(2)
            before = torch.tensor([p.reference for p in part]).to(found)
            return dpo_loss(chosen, rejected, before[:, 0], before[:, 1], self.beta)

        self._finish(model, learn_from(model, items, loss, self.train, epochs))
        return self

    def rewards(self, preferences: Iterable[Triple]) -> Tensor:
        r""":math:`\hat r` of the chosen and the rejected answers, (rows, 2); above 0
        where an answer has become likelier."""
        require_fitted(self)
        pairs = self._encoded(preferences)
        flat = [example for pair in pairs for example in pair]
        now, before = (log_probs(m, flat) for m in (self.model, self.start.model))
        return self.beta * (now - before.to(now)).view(-1, 2)

    def accuracy(self, preferences: Iterable[Triple]) -> float:
        """Share of the preferences in which the chosen answer has the higher reward."""
        chosen, rejected = self.rewards(preferences).unbind(1)
        return (chosen > rejected).double().mean().item()

    def _encoded(self, preferences: Iterable[Triple]) -> list[tuple[Example, Example]]:
        encoder = encoder_of(self.start)
        return [
            (encoder.example(prompt, chosen), encoder.example(prompt, rejected))
            for prompt, chosen, rejected in require_texts(preferences, NAMES)
        ]
