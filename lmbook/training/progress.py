"""What a training run records and shows while it goes on."""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from tqdm import tqdm

from lmbook import metrics


@dataclass
class History:
    """What was measured on the way: one record an evaluation, the last at the end.

    A record holds ``step``, ``epoch`` (how often the text was read), ``tokens``
    (trained on so far), ``seconds`` (evaluations included), ``tokens_per_second`` (of
    training alone, without evaluations), ``learning_rate``, ``train_nats`` (mean
    since the record before) and ``valid_nats``, both in nats per token.
    """

    records: list[dict[str, float]] = field(default_factory=list)

    @property
    def last(self) -> dict[str, float]:
        return self.records[-1]

    @property
    def best(self) -> dict[str, float]:
        """The record of the lowest ``valid_nats``: that of the weights kept."""
        return min(self.records, key=lambda record: record["valid_nats"])

    def column(self, name: str) -> list[float]:
        return [record[name] for record in self.records]


class Bar:
    """A progress bar: share done, time left, loss, perplexity, tokens per second.

    The loss shown is a running mean over about the last 20 steps.
    """

    def __init__(self, start: float, shown: bool) -> None:
        look = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
        self._bar = tqdm(
            total=1.0,
            initial=start,
            desc="train",
            bar_format=look,
            leave=False,
            disable=not shown,
        )
        self._nats: float | None = None
        self._shown: dict[str, str] = {}

    def __enter__(self) -> "Bar":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()

    def step(self, progress: float, nats: float, tokens_per_second: float) -> None:
        """Move on to ``progress``; ``nats`` is the loss of the step just made."""
        self._nats = nats if self._nats is None else 0.95 * self._nats + 0.05 * nats
        self._show(
            loss=f"{self._nats:.3f}",
            perplexity=f"{metrics.perplexity(self._nats):.1f}",
            tokens_per_s=f"{tokens_per_second:,.0f}",
        )
        self._bar.update(progress - self._bar.n)

    def evaluated(self, record: dict[str, Any]) -> None:
        """Show what the last evaluation gave."""
        self._show(valid_perplexity=f"{metrics.perplexity(record['valid_nats']):.1f}")

    def _show(self, **values: str) -> None:
        self._shown |= values
        self._bar.set_postfix(self._shown, refresh=False)
