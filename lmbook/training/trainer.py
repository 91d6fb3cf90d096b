"""Train a language model on one long text.  Taught in section 5.2."""

import math
from contextlib import nullcontext
from typing import Any

import numpy as np
from torch import nn

from lmbook.models.language_model import LanguageModel
from lmbook.models.lstm import detach
from lmbook.training.config import TrainConfig
from lmbook.training.devices import exact_float32, seed_generators, seeded
from lmbook.training.distributed import join
from lmbook.training.evaluation import Diverged, evaluate
from lmbook.training.optimizers import put
from lmbook.training.progress import Bar, History
from lmbook.training.run import Run, Texts
from lmbook.training.saving import Folder, Saver
from lmbook.training.schedules import learning_rate
from lmbook.training.signals import Interrupted, Stop, stop_signals


def train(
    model: LanguageModel,
    data: Texts,
    config: TrainConfig | None = None,
    *,
    folder: Folder | None = None,
) -> History:
    """Train ``model`` in place on ``data.train``; return what was measured.

    Truncated back-propagation through time: the text is read window by window; the
    state goes on from window to window, the gradient does not.  (A Transformer has no
    state in training: it sees each window alone.)  In the end the model has the
    weights of the best evaluation.  Under torchrun all processes call this
    alike (:mod:`lmbook.training.distributed`).

    With a ``folder`` (:class:`lmbook.training.run_folder.RunFolder`, held open by
    the first process alone) the run goes on from what was saved there; it is saved
    every ``config.save_minutes``, when it is interrupted (Ctrl-C or SIGTERM: the step
    is finished, then ``Interrupted`` raised) and at the end.  On a CPU the weights
    end up the same to the bit, however often a run was stopped.

    Raises ``Diverged`` when the loss is no longer finite, and ``InputError`` where
    :func:`lmbook.training.run.check` does.
    """
    config = config or TrainConfig()
    ranks = join(config.device)
    with (
        seeded(config.seed, ranks.device),
        exact_float32(),
        stop_signals() as stop,
    ):
        run = Run(model, data, config, ranks)
        saver = Saver(run, folder)
        saver.restore()
        try:
            _loop(run, saver, stop)
        except Diverged as error:
            raise Diverged(f"{error}{saver.where()}") from None
        put(model, run.best)
        return run.history


def _loop(run: Run, saver: Saver, stop: Stop) -> None:
    """Step after step until the end, evaluating and saving on the way."""
    config, ranks = run.config, run.ranks
    (progress,) = ranks.highest(run.progress)
    with Bar(progress, shown=ranks.rank == 0) as bar:
        while True:
            is_due = progress >= 1 or config.is_due(run.place.evaluated, progress)
            if is_due and run.place.since:
                bar.evaluated(_evaluate(run, progress, saver))
            if progress >= 1 or run.is_patience_over:
                break
            start, end = run.window
            rate = learning_rate(config, progress, run.place.epoch)
            # A shorter window has less to say.
            nats = train_step(run, rate * (end - start) / config.seq_len)
            run.advance(nats, rate)

            # All processes must agree on when to evaluate, save and stop.
            progress, minutes, signal = ranks.highest(
                run.progress, saver.minutes, stop.signal or 0
            )
            bar.step(progress, nats, run.tokens_per_second)
            if minutes >= config.save_minutes or signal:
                saver.save()
            if signal:
                raise Interrupted(int(signal), run.place.step)
        saver.finish()


def train_step(run: Run, rate: float) -> float:
    """Predict every next token of a window, and let the weights learn from it.

    Returns the loss in nats per token.
    """
    model, config, ranks = run.model, run.config, run.ranks
    # Dropout's masks depend on the step, not on what was drawn before it.
    entropy = np.random.SeedSequence((config.seed, run.place.step, ranks.rank))
    seed_generators(int(entropy.generate_state(1)[0]), ranks.device)

    run.optimizer.zero_grad()
    nats = 0.0
    for number, part in enumerate(run.parts):
        ids, targets = run.read(part)  # (rows, columns)
        share = len(ids) / config.batch_size
        is_last = number == len(run.parts) - 1
        with nullcontext() if is_last else ranks.waits(run.objective):
            loss, part_nats, state = run.objective(ids, targets, run.states[number])
            # The processes' gradients are averaged: times their count, added up.
            (loss * share * ranks.count).backward()
        # Detached: the memory goes on, the gradient stops here.
        run.states[number] = detach(state)
        nats += share * part_nats.item()
    nats = ranks.total(nats)

    norm = nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm).item()
    if not math.isfinite(nats) or not math.isfinite(norm):
        raise Diverged(
            f"the loss became {nats:g}, its gradient {norm:g} at step "
            f"{run.place.step + 1}; a learning rate below {config.learning_rate:g} "
            "may help"
        )
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    run.optimizer.step()
    return nats


def _evaluate(run: Run, progress: float, saver: Saver) -> dict[str, Any]:
    """Read the validation part, with the mean of the weights if there is one."""
    began = run.seconds
    with run.average.applied():
        nats = run.ranks.on_first(lambda: evaluate(run.model, run.data.valid))
        record = run.record(progress, nats, began)
    saver.log()
    return record
