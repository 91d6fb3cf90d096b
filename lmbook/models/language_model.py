"""The two kinds of language model that are trained here, told apart by their sizes.

A folder keeps a model's configuration as a dict.  That of a GPT says
``"kind": "gpt"``; one that says nothing is an LSTM's.
"""

from dataclasses import asdict
from typing import Any

from lmbook.errors import InputError
from lmbook.models.gpt import GPT, GPTConfig
from lmbook.models.lstm import LSTMConfig, LSTMLanguageModel

LanguageModel = LSTMLanguageModel | GPT
ModelConfig = LSTMConfig | GPTConfig


def build(config: ModelConfig) -> LanguageModel:
    """A model of this configuration, with new weights."""
    return GPT(config) if isinstance(config, GPTConfig) else LSTMLanguageModel(config)


def sizes_of(config: ModelConfig) -> dict[str, Any]:
    """The configuration as a dict that JSON can hold; :func:`config_from` reads it."""
    kind = {"kind": "gpt"} if isinstance(config, GPTConfig) else {}
    return {**kind, **asdict(config)}


def config_from(sizes: dict[str, Any]) -> ModelConfig:
    """The configuration that :func:`sizes_of` wrote.

    Raises ``InputError`` for another kind of model, and what the configuration's own
    checks raise.
    """
    sizes = dict(sizes)
    kind = sizes.pop("kind", "lstm")
    if kind not in ("lstm", "gpt"):
        raise InputError(f'the kind of a model is "lstm" or "gpt", got {kind!r}')
    return GPTConfig(**sizes) if kind == "gpt" else LSTMConfig(**sizes)
