"""Translators that are trained once and kept, beside the models of the store.

What :mod:`lmbook.training.store` does for language models, for pairs of the artificial
world: a name ends in a hash of all that the model depends on.  Training takes two
minutes and is not resumed: interrupted, it begins again.
"""

import dataclasses
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lmbook.errors import InputError
from lmbook.models.translation_model import Seq2Seq, Seq2SeqConfig
from lmbook.text.bpe import BPETokenizer
from lmbook.text.microworld import MicroWorld
from lmbook.text.pair_batches import PairData
from lmbook.text.pair_tokens import encode_pairs, pair_tokenizer
from lmbook.text.pairs import Pairs
from lmbook.training import checkpoint, store
from lmbook.training.config import TrainConfig
from lmbook.training.pair_files import load_pair_model, save_pair_model
from lmbook.training.pairs import train_pairs
from lmbook.training.progress import History

VERSIONS = (*store.VERSIONS, "jieba")  # jieba's words shape the vocabulary


@dataclass(frozen=True)
class PairSetup:
    """How many sentences of the artificial world a translator reads, and how.

    The world's split "train" writes them from the seed of ``train``.  ``valid_pairs``
    further ones are held out.  ``vocab_size`` is the most tokens there may be; the
    sizes of the model's vocabularies follow from it.
    """

    num_pairs: int
    valid_pairs: int
    vocab_size: int
    model: Seq2SeqConfig
    train: TrainConfig


TRANSLATOR = PairSetup(
    num_pairs=25_000,
    valid_pairs=400,
    vocab_size=4200,
    model=Seq2SeqConfig(
        4200,
        4200,
        architecture="attention",
        size=128,
        bidirectional=True,
        residual=True,
        tied=True,
    ),
    train=TrainConfig(
        batch_size=64,
        optimizer="adamw",
        learning_rate=1e-2,
        betas=(0.9, 0.98),
        weight_decay=0.01,
        schedule="linear",
        warmup=0.05,
        final=0.0,
        epochs=1,
        evaluations=2,
    ),
)


class TrainedPairs(NamedTuple):
    """A model in evaluation mode on the CPU, its tokenizer, how it was trained."""

    model: Seq2Seq
    tokenizer: BPETokenizer
    history: History


def microworld_pairs(number: int, seed: int, split: str = "train") -> Pairs:
    """So many sentences (English, Chinese) of the artificial world, no pair twice."""
    found: dict[tuple[str, str], None] = {}
    stream = MicroWorld("en", split).pairs("sentences", seed)
    while len(found) < number:
        pair = next(stream)
        found[pair.source.text, pair.target.text] = None
    return list(found)


def trained_pairs(setup: PairSetup = TRANSLATOR) -> TrainedPairs:
    """The model of a set-up: stored, or trained now, which shows its progress.

    If another process is just training the same model, this one waits for it.  A
    damaged model is made again.
    """
    folder = store.models_folder() / f"translator-{_key(setup)[:16]}"
    found = _stored(folder)
    if found is None:
        with store._held(folder):
            found = _stored(folder)  # made while this process waited?
            if found is None:
                print(
                    f"lmbook: training a translator, to be kept in {folder}",
                    file=sys.stderr,
                )
                found = train_setup(setup)
                model, tokenizer, history = found
                about = dataclasses.asdict(setup)
                save_pair_model(folder, model, tokenizer, history.records, setup=about)
    return found


def train_setup(setup: PairSetup) -> TrainedPairs:
    """The same, trained now and not kept."""
    seed = setup.train.seed
    pairs = microworld_pairs(setup.num_pairs + setup.valid_pairs, seed)
    tokenizer = pair_tokenizer(pairs[setup.valid_pairs :], setup.vocab_size)
    valid = encode_pairs(tokenizer, pairs[: setup.valid_pairs])
    train = encode_pairs(tokenizer, pairs[setup.valid_pairs :])
    size = len(tokenizer)
    sizes = dataclasses.replace(
        setup.model, source_vocab_size=size, target_vocab_size=size
    )
    model = Seq2Seq.seeded(sizes, seed)
    history = train_pairs(model, PairData(train, valid), setup.train)
    return TrainedPairs(model.cpu(), tokenizer, history)


def _stored(folder: Path) -> TrainedPairs | None:
    """The finished model of a folder; None if it is absent or damaged."""
    try:
        model, tokenizer = load_pair_model(folder)
        history = History(checkpoint.read_records(folder))
    except (InputError, OSError):
        return None
    return TrainedPairs(model, tokenizer, history)


def _key(setup: PairSetup) -> str:
    """SHA-256 of what the model depends on."""
    about = dataclasses.asdict(setup)
    for name in store.NOT_HASHED:
        del about["train"][name]
    versions = {name: store._version(name) for name in VERSIONS}
    content = {"code": store._code(), "versions": versions, "setup": about}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
