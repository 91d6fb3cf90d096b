"""A GPT that reads stories of the artificial world and answers questions on them.

A story costs more tokens than a question, so each one is asked about several times:
the story, then questions and their answers, a line each.  Every token is predicted,
as in pre-training, but what the story says counts less than an answer, and a question
for nothing: no one can know what will be asked.  Taught in section 6.3.
"""

import dataclasses
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from lmbook.errors import InputError
from lmbook.files import read_sealed, sha256, write_sealed
from lmbook.models import hf_folder
from lmbook.models.gpt import GPT, GPTConfig
from lmbook.text.microworld import MicroWorld
from lmbook.text.microworld.grammar import FRAMES, Choice
from lmbook.text.microworld.stories import Story
from lmbook.text.microworld.templates import write
from lmbook.text.microworld.texts import Text, finished
from lmbook.text.pair_words import PairWords
from lmbook.training import store
from lmbook.training.checkpoint import TOKENIZER
from lmbook.training.config import TrainConfig
from lmbook.training.devices import seeded
from lmbook.training.run_files import require_intact
from lmbook.training.tuning import learn_from

SUMS = "files.json"

QA = tuple[tuple[str, ...], tuple[str, ...]]  # a question and its answer, in words
Watch = Callable[["Reader", int], None]


class Reader(NamedTuple):
    """A model in evaluation mode and its tokenizer: one that has read stories."""

    model: GPT
    tokenizer: PairWords


@dataclass(frozen=True)
class ReaderSetup:
    """What is read and how.  ``asked``: questions drawn on each story; what is drawn
    twice counts once.  ``story_weight``: of a story's token, an answer's being 1."""

    num_stories: int
    asked: int
    story_weight: float
    model: GPTConfig
    train: TrainConfig


READER = ReaderSetup(
    num_stories=8_000,
    asked=8,
    story_weight=0.3,
    model=GPTConfig(
        context_length=512,
        hidden_size=64,
        num_layers=2,
        num_heads=4,
        feed_forward_size=128,
        position="rotary",
        norm="rmsnorm",
        qk_norm=True,
        feed_forward="swiglu",
        bias=False,
        init_std=0.06,
    ),
    train=TrainConfig(
        batch_size=16,
        optimizer="muon",
        learning_rate=5e-3,
        betas=(0.9, 0.95),
        weight_decay=0.3,
        warmup=0.05,
        final=0.02,
        epochs=4,
        device="cpu",
    ),
)


def questions(world: MicroWorld, text: Text, number: int, seed: int) -> list[QA]:
    """Questions on a story (stream "stories") and what the world answers: so many are
    drawn as it draws them in the stream "qa", equal ones kept once."""
    grammar, drawn = world.grammar, random.Random(seed).random
    story = Story(text.meaning[0][1], world.split == "full")
    for frame, env in text.meaning[1:]:
        story.after(frame, env)
    start = {"z": story.tense, "it": story.it}
    frames = Choice(
        {
            frame: frame.weight
            for frame in FRAMES["qa"]
            if grammar.choice(frame, frame.slots[0], start, story).words
        }
    )
    found: dict[QA, None] = {}
    for _ in range(number):
        frame, env = frames.draw(drawn()), dict(start)
        grammar.draw(frame, env, drawn, story)
        question, answer = (
            finished(write(node, env, drawn)[0], world.language)
            for node in frame.nodes[world.language]
        )
        found[question, answer] = None
    return list(found)


def train_reader(setup: ReaderSetup, watch: Watch | None = None) -> Reader:
    """A reader trained now and not kept; ``watch`` sees it before every step."""
    world, seed = MicroWorld("zh"), setup.train.seed
    stories = list(islice(world.texts("stories", seed), setup.num_stories))
    asked = [questions(world, t, setup.asked, i) for i, t in enumerate(stories)]
    sentences = [s for text in stories for s in text.sentences]
    sentences += [s for some in asked for pair in some for s in pair]
    tokenizer = PairWords.train([], [*sentences, ("\n",)])
    rows = [
        _row(tokenizer, text.text, some, setup.story_weight)
        for text, some in zip(stories, asked, strict=True)
    ]
    size, steps = setup.train.batch_size, 0
    rows.sort(key=lambda row: len(row[0]))  # of about equal lengths side by side
    batches = [rows[start : start + size] for start in range(0, len(rows), size)]
    with seeded(seed, torch.device("cpu")):
        model = GPT(dataclasses.replace(setup.model, vocab_size=len(tokenizer)))

    def loss(part: Sequence[list[tuple[Tensor, Tensor]]]) -> Tensor:
        nonlocal steps
        if watch is not None:
            watch(Reader(model, tokenizer), steps)
        steps += 1
        ids = pad_sequence([row[0] for row in part[0]], True)
        weights = pad_sequence([row[1] for row in part[0]], True)
        hidden, _ = model.hidden(ids[:, :-1])
        counted, weights = weights[:, 1:] > 0, weights[:, 1:]
        scores = model.output(hidden[counted])
        nats = cross_entropy(scores, ids[:, 1:][counted], reduction="none")
        return (nats * weights[counted]).sum() / weights.sum()

    config = dataclasses.replace(setup.train, batch_size=1)  # an item is a batch
    learn_from(model.train(), batches, loss, config, setup.train.epochs or 1)
    return Reader(model.eval(), tokenizer)


def trained_reader(setup: ReaderSetup = READER) -> Reader:
    """The reader of a set-up: kept beside the store's models, or trained now, which
    takes about two minutes.  A damaged one is made again."""

    def make(folder: Path) -> None:
        reader = train_reader(setup)
        reader.model.save_pretrained(folder)
        reader.tokenizer.save(folder / TOKENIZER)
        names = hf_folder.CONFIG, hf_folder.WEIGHTS, TOKENIZER
        sums = {name: sha256(folder / name) for name in names}
        write_sealed(folder / SUMS, {"files": sums})

    return store.kept("reader", dataclasses.asdict(setup), _stored, make)


def _stored(folder: Path) -> Reader | None:
    """The reader of a folder; None if it is absent or damaged."""
    try:
        require_intact(folder, read_sealed(folder / SUMS)["files"])
        tokenizer = PairWords.load(folder / TOKENIZER)
        return Reader(GPT.from_pretrained(folder).eval(), tokenizer)
    except (InputError, OSError):
        return None


def _row(
    tokenizer: PairWords, story: str, asked: list[QA], story_weight: float
) -> tuple[Tensor, Tensor]:
    """Ids and weights of a line end, the story, questions and answers, a line each."""
    parts = [("\n", 0.0), (f"{story}\n", story_weight)]
    for question, answer in asked:
        parts += [("".join(question) + "\n", 0.0), ("".join(answer) + "\n", 1.0)]
    encoded = [(tokenizer.encode(part), weight) for part, weight in parts]
    ids = [i for some, _ in encoded for i in some]
    weights = [weight for some, weight in encoded for _ in some]
    return torch.tensor(ids), torch.tensor(weights)
