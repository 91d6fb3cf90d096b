"""Fine-tuning: a pre-trained model learns from prompts and their answers.

It starts from the pre-trained weights, and only the answers count
(:mod:`lmbook.training.examples`).  The article calls ``FineTunedModel().fit(task_data,
epochs=5)`` without defining it, on an object that knows nothing of the pre-trained
one; taught in section 3.5.2.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import ClassVar, Self

from torch import Tensor

from lmbook.training.config import TrainConfig
from lmbook.training.examples import (
    Example,
    answer_loss,
    batch_of,
    log_probs,
    require_texts,
)
from lmbook.training.tuning import Learned, TunedModel, encoder_of, learn_from

NAMES = "prompt, answer"

# Of a small model; those that are published move by about a hundredth of this.
RECIPE = TrainConfig(
    batch_size=16,
    optimizer="adamw",
    learning_rate=1e-3,
    betas=(0.9, 0.95),
    warmup=0.05,
)
# B begins at 0, and what it is multiplied with is small: larger steps.
LORA_RECIPE = dataclasses.replace(RECIPE, learning_rate=1e-2)

Pair = tuple[str, str]


class FineTunedModel(TunedModel):
    """A pre-trained model that has learned to answer prompts.

    >>> finetuned = FineTunedModel(pretrained, method="lora").fit(task_data, epochs=5)

    ``losses`` are in nats per token of the answers; what else there is,
    :class:`lmbook.training.tuning.TunedModel` tells.
    """

    RECIPES: ClassVar = {"full": RECIPE, "lora": LORA_RECIPE}

    def fit(self, task_data: Iterable[Pair], epochs: int = 5) -> Self:
        """Learn from (prompt, answer) pairs, each read ``epochs`` times.

        It begins from the pre-trained weights whenever it is called.  Raises
        ``InputError`` with the number of an item that is no pair, and where
        :meth:`lmbook.training.examples.ExampleEncoder.example` does; ``Diverged`` when
        the loss is no longer finite.
        """
        examples = encoded(self.start, task_data)
        model = self._begin()
        device = next(model.parameters()).device

        def loss(part: Sequence[Example]) -> Tensor:
            return answer_loss(model, batch_of(part, device))

        self._finish(model, learn_from(model, examples, loss, self.train, epochs))
        return self


def encoded(learned: Learned, task_data: Iterable[Pair]) -> list[Example]:
    """Pairs as ids for this model; ``InputError`` where :meth:`FineTunedModel.fit`."""
    encoder = encoder_of(learned)
    pairs = require_texts(task_data, NAMES)
    return [encoder.example(prompt, answer) for prompt, answer in pairs]


def answer_nats(learned: Learned, task_data: Iterable[Pair]) -> float:
    """Mean nats per token of the answers, their ends included: what fine-tuning
    lowers, to be measured on pairs that it has not seen."""
    examples = encoded(learned, task_data)
    tokens = sum(example.num_answer for example in examples)
    return -log_probs(learned.model, examples).double().sum().item() / tokens
