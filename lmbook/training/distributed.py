"""One model, several processes: each reads some rows of every batch.  Section 5.3.

``torchrun --nproc-per-node 2 -m lmbook train …`` starts the processes and tells each
its rank in the environment.  Every process holds the whole model.  PyTorch's
``DistributedDataParallel`` averages the gradients over the processes, so that all take
the same step: the one that a single process takes with the whole batch.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from lmbook.errors import InputError
from lmbook.training.devices import best_device

T = TypeVar("T")


def rank() -> int:
    """Number of this process, from 0; 0 where there is only one."""
    return int(os.environ.get("RANK", "0"))


def count() -> int:
    """Number of processes that torchrun started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@dataclass(frozen=True)
class Ranks:
    """The processes that train together, seen from one of them."""

    rank: int
    count: int
    device: torch.device

    def rows(self, batch_size: int) -> slice:
        """The rows of a batch that are this process's; some may have one more.

        Raises ``InputError``, in every process, if there are not enough for all.
        """
        if batch_size < self.count:
            raise InputError(
                f"batch_size must be at least the number of processes, {self.count}, "
                f"got {batch_size}"
            )
        first, last = (batch_size * r // self.count for r in (self.rank, self.rank + 1))
        return slice(first, last)

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module whose backward pass averages gradients over the processes."""
        return module if self.count == 1 else DistributedDataParallel(module)

    def waits(self, module: nn.Module) -> AbstractContextManager:
        """Inside, gradients are added up without being averaged yet."""
        no_sync = getattr(module, "no_sync", nullcontext)
        return no_sync()

    def total(self, value: float) -> float:
        """The sum of the processes' values."""
        return self._reduced([value], dist.ReduceOp.SUM)[0]

    def highest(self, *values: float) -> list[float]:
        """The highest that any process gave, for each value."""
        return self._reduced(list(values), dist.ReduceOp.MAX)

    def gather(self, part: Tensor, dim: int) -> Tensor:
        """The processes' parts, on the CPU, joined along ``dim`` in order of rank."""
        if self.count == 1:
            return part.cpu()
        parts: list[Tensor | None] = [None] * self.count
        dist.all_gather_object(parts, part.cpu())
        return torch.cat([part for part in parts if part is not None], dim)

    def on_first(self, work: Callable[[], T]) -> T:
        """What ``work`` returns on rank 0, in every process.

        An error that it raises there is raised in all: none waits for another that
        has given up.
        """
        if self.count == 1:
            return work()
        outcome: list = [None, None]
        if self.rank == 0:
            try:
                outcome[0] = work()
            except Exception as error:
                outcome[1] = error
        dist.broadcast_object_list(outcome, src=0)
        if outcome[1] is not None:
            raise outcome[1]
        return outcome[0]

    def _reduced(
        self, values: list[float], operation: dist.ReduceOp.RedOpType
    ) -> list[float]:
        if self.count == 1:
            return values
        reduced = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(reduced, operation)
        return reduced.tolist()


def join(device: str = "auto") -> Ranks:
    """Meet the other processes that torchrun started, if it did.

    Over NCCL with a GPU for each process, over gloo on CPUs.  They stay together as
    long as they live: torchrun lets processes meet only once.
    """
    chosen = best_device(device)
    if count() == 1:
        return Ranks(0, 1, chosen)
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(chosen)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    return Ranks(rank(), count(), chosen)
