"""Everything that changes while a model trains, so that it can be saved whole."""

import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lmbook.errors import InputError
from lmbook.models.language_model import LanguageModel
from lmbook.models.losses import activation_penalty
from lmbook.models.lstm import State
from lmbook.text import ContiguousBatches
from lmbook.training.config import TrainConfig
from lmbook.training.devices import best_device, uses_bf16
from lmbook.training.distributed import Ranks, count, rank
from lmbook.training.optimizers import Average, build_optimizer, copy_of, put
from lmbook.training.progress import History


class Texts(Protocol):
    """What is trained on and what is held out, as token numbers."""

    @property
    def train(self) -> NDArray[np.int64]: ...
    @property
    def valid(self) -> NDArray[np.int64]: ...


@dataclass
class Place:
    """How far a run has come."""

    step: int = 0
    epoch: int = 0
    window: int = 0  # of the epoch
    tokens: int = 0
    seconds: float = 0.0  # when this was saved
    evaluating: float = 0.0  # seconds of them
    nats: float = 0.0  # sum over the tokens since the last record
    since: int = 0  # how many tokens these are
    rate: float = 0.0  # the learning rate of the last step
    evaluated: float = 0.0  # progress at the last evaluation
    waited: int = 0  # evaluations since the best one
    averaging: bool = False


class Objective(nn.Module):
    """The loss of a window, as one module that several processes can share."""

    def __init__(self, model: LanguageModel, config: TrainConfig, bf16: bool) -> None:
        super().__init__()
        self.model, self.config, self.bf16 = model, config, bf16

    def forward(
        self, ids: Tensor, targets: Tensor, state: Any
    ) -> tuple[Tensor, Tensor, Any]:
        """What is minimised, the nats per token in it, and the state afterwards: of
        the model's own kind."""
        config = self.config
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=self.bf16):
            hidden, state = self.model.hidden(ids, state)
            dropped = self.model.dropped(hidden)
            nats = self.model.score(dropped, targets)
        loss = nats
        if config.activation or config.slowness:
            loss = loss + activation_penalty(
                hidden, dropped, config.activation, config.slowness
            )
        return loss, nats, state


class Run:
    """A model, its text, its optimiser, and how far they have come.

    Raises ``InputError`` where :func:`check` does.
    """

    def __init__(
        self, model: LanguageModel, data: Texts, config: TrainConfig, ranks: Ranks
    ) -> None:
        self.model, self.data, self.config, self.ranks = model, data, config, ranks
        self.batches = _batches(data, config)
        self.parts = _parts(ranks, config)  # rows of the batch, each with a state
        bf16 = uses_bf16(config.precision, ranks.device)
        model.to(ranks.device).train()
        self.objective = ranks.wrap(Objective(model, config, bf16))
        self.optimizer = build_optimizer(model, config)
        self.average = Average(
            model, config.horizon if config.average == "ema" else None
        )
        self.best: dict[str, Tensor] = {}  # weights of the best evaluation
        self.place = Place(averaging=config.average == "ema")
        self.history = History()
        self._began = time.perf_counter()
        self.states: list[State | None]  # of each part; None where the text begins
        self._begin_epoch()

    @property
    def seconds(self) -> float:
        """Spent so far; those before it was resumed count too."""
        return time.perf_counter() - self._began

    @property
    def epochs(self) -> float:
        """How often the text has been read."""
        return self.place.epoch + self.window[0] / self.batches.steps

    @property
    def progress(self) -> float:
        return self.config.progress(self.epochs, self.place.step, self.seconds)

    @property
    def tokens_per_second(self) -> float:
        """Of training alone, without evaluations."""
        return self.place.tokens / (self.seconds - self.place.evaluating)

    @property
    def window(self) -> tuple[int, int]:
        """Columns of the text that come next, from and to."""
        return self._windows[self.place.window]

    @property
    def is_patience_over(self) -> bool:
        patience = self.config.patience
        return patience is not None and self.place.waited >= patience

    def read(self, part: slice) -> tuple[Tensor, Tensor]:
        """Inputs and targets, (rows, columns), of some rows of the window."""
        ids, targets = self.batches.window(*self.window, part)
        device = self.ranks.device
        return torch.from_numpy(ids).to(device), torch.from_numpy(targets).to(device)

    def advance(self, nats: float, rate: float) -> None:
        """The window is done; ``nats`` was its loss per token."""
        place, (start, stop) = self.place, self.window
        tokens = (stop - start) * self.config.batch_size
        place.step += 1
        place.window += 1
        place.rate = rate
        place.tokens += tokens
        place.nats += nats * tokens
        place.since += tokens
        if place.window == len(self._windows):
            place.epoch, place.window = place.epoch + 1, 0
            self._begin_epoch()
        if place.averaging:
            self.average.update()

    def record(
        self, progress: float, valid_nats: float, began: float
    ) -> dict[str, Any]:
        """Note an evaluation of the model as it is, begun after ``began`` seconds."""
        place, seconds = self.place, self.seconds
        record = {
            "step": place.step,
            "epoch": self.epochs,
            "tokens": place.tokens,
            "seconds": seconds,
            "tokens_per_second": place.tokens / (began - place.evaluating),
            "learning_rate": place.rate,
            "train_nats": place.nats / place.since,
            "valid_nats": valid_nats,
        }
        place.nats, place.since, place.evaluated = 0.0, 0, progress
        place.evaluating += seconds - began

        earlier = self.history.column("valid_nats")
        self.history.records.append(record)
        place.waited += 1
        if not earlier or valid_nats < min(earlier):
            self.best, place.waited = copy_of(self.model), 0
        n = self.config.non_monotone
        if self.config.average == "nt-asgd" and len(earlier) > n:
            # No better than before the last n evaluations: from now on, the mean.
            place.averaging |= valid_nats > min(earlier[:-n])
        return record

    def tensors(self) -> dict[str, Tensor]:
        """Weights, the optimiser's memory and the model's; all processes must call it.

        Weights stand under the names of ``named_parameters`` after "model.", "best."
        and "average."; the memory of layer l under "state.l.h" and "state.l.c".
        """
        tensors = {f"model.{n}": w.detach() for n, w in self.model.named_parameters()}
        tensors |= {f"best.{name}": w for name, w in self.best.items()}
        tensors |= {f"average.{name}": w for name, w in self.average.weights.items()}
        for number, memory in self.optimizer.state_dict()["state"].items():
            for name, value in memory.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{number}.{name}"] = value
        states = [state for state in self.states if state is not None]
        for layer, parts in enumerate(zip(*states, strict=True)):
            for name, rows in zip("hc", zip(*parts, strict=True), strict=True):
                joined = self.ranks.gather(torch.cat(rows, dim=1), dim=1)
                tensors[f"state.{layer}.{name}"] = joined
        return tensors

    def facts(self) -> dict[str, Any]:
        """Everything else, as JSON has it."""
        self.place.seconds = self.seconds
        return {
            "processes": self.ranks.count,
            "step": self.place.step,
            "weights": "best" if self.best else "model",  # those to use
            "place": asdict(self.place),
            "average_steps": self.average.steps,
            "records": self.history.records,
        }

    def restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Go back to where :meth:`tensors` and :meth:`facts` were taken.

        Raises ``InputError`` if the processes were more or fewer.
        """
        if facts["processes"] != self.ranks.count:
            raise InputError(
                f"the run had {facts['processes']} processes, now it has "
                f"{self.ranks.count}: its batches would be divided in another way"
            )
        groups: dict[str, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            kind, rest = name.split(".", 1)
            groups.setdefault(kind, {})[rest] = value.to(self.ranks.device)
        put(self.model, groups["model"])
        self.best = groups.get("best", {})
        self.average.weights = groups.get("average", {})
        self.average.steps = facts["average_steps"]
        memories: dict[int, dict[str, Tensor]] = {}
        for name, value in groups.get("optimizer", {}).items():
            number, key = name.split(".")
            memories.setdefault(int(number), {})[key] = value
        state = self.optimizer.state_dict() | {"state": memories}
        self.optimizer.load_state_dict(state)

        self.place = Place(**facts["place"])
        self.history = History(facts["records"])
        self._began = time.perf_counter() - self.place.seconds
        self._begin_epoch()
        memory = groups.get("state", {})
        pairs = [
            (memory[f"{layer}.h"], memory[f"{layer}.c"])
            for layer in range(len(memory) // 2)
        ]
        if pairs:
            self.states = [
                tuple((h[:, part], c[:, part]) for h, c in pairs) for part in self.parts
            ]

    def _begin_epoch(self) -> None:
        """Cut the text into windows; it begins again, and so does the memory."""
        cuts = self.batches.cuts()
        if self.config.seq_jitter:
            rng = np.random.default_rng((self.config.seed, self.place.epoch))
            cuts = self.batches.jittered_cuts(rng)
        self._windows = list(pairwise(cuts))
        self.states = [None] * len(self.parts)


def check(data: Texts, config: TrainConfig) -> None:
    """``InputError`` if a :class:`Run` cannot begin: now, and not after an hour.

    The text is too short to train on or to validate with, the batch too small to
    divide, or the device missing, or it does not compute in this precision.
    """
    _batches(data, config)
    device = best_device(config.device)
    _parts(Ranks(rank(), count(), device), config)
    uses_bf16(config.precision, device)


def _batches(data: Texts, config: TrainConfig) -> ContiguousBatches:
    if len(data.valid) < 2:
        raise InputError(
            "the validation part needs at least 2 tokens; "
            f"the text leaves {len(data.valid)} for it"
        )
    return ContiguousBatches(data.train, config.batch_size, config.seq_len)


def _parts(ranks: Ranks, config: TrainConfig) -> list[slice]:
    """This process's rows, divided into ``config.accumulate`` parts."""
    rows, parts = ranks.rows(config.batch_size), config.accumulate
    if config.batch_size // ranks.count < parts:
        raise InputError(
            "accumulate must be at most the rows of a process, "
            f"{config.batch_size // ranks.count}, got {parts}"
        )
    size = rows.stop - rows.start
    cuts = [rows.start + size * number // parts for number in range(parts + 1)]
    return [slice(start, stop) for start, stop in pairwise(cuts)]
