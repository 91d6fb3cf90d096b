"""Run a notebook from top to bottom in a fresh kernel of the project's Python.

What could differ from one run to the next is fixed: the hash seed, the number of
threads (a float32 sum is split among them), where matplotlib draws, and the
user's own IPython settings, which are left out.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from types import MappingProxyType

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from tools.notebooks.paths import ROOT, first_line

# Seconds for a whole notebook: a guard against hanging, not the budget.
TIMEOUT = 600.0
# As many as the smallest machine that the book is timed on.
THREADS = 2
THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
    *("NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
)


class NotebookFailed(Exception):
    """A cell raised, or the notebook took too long; the message is a few lines."""


@contextmanager
def kernel_environment(extra: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Environment variables for a kernel that runs this project's own lmbook.

    ``extra`` is added last.  MPLBACKEND is unset: with it, figures would not come
    back to the notebook.  Threads that wait sleep instead of spinning: on a machine
    that has other work, training is several times faster so.
    """
    environment = dict(os.environ, PYTHONHASHSEED="0", PYTHONPATH=str(ROOT))
    environment.pop("MPLBACKEND", None)
    environment.update(dict.fromkeys(THREAD_VARIABLES, str(THREADS)))
    environment["OMP_WAIT_POLICY"] = "PASSIVE"
    with tempfile.TemporaryDirectory(prefix="lmbook-ipython-") as folder:
        yield environment | {"IPYTHONDIR": folder, **extra}


class _ProjectKernel(AsyncKernelManager):
    """The Python that runs this, whatever kernels the user has installed."""

    def __init__(self, **options):
        super().__init__(**options)
        self.kernel_spec_manager = KernelSpecManager(kernel_dirs=[])


def execute(
    notebook: NotebookNode,
    folder: Path,
    timeout: float = TIMEOUT,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> tuple[NotebookNode, float]:
    """A copy of the notebook with fresh outputs, and the seconds that it took.

    The kernel works in ``folder``, the notebook's own, with the variables of
    ``environment`` added to its own.  Raises :class:`NotebookFailed`.
    """
    notebook = deepcopy(notebook)
    notebook.metadata.pop("widgets", None)
    started = time.monotonic()
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        kernel_manager_class=_ProjectKernel,
        resources={"metadata": {"path": str(folder)}},
        timeout_func=lambda _: max(1, int(started + timeout - time.monotonic())),
        record_timing=False,
    )
    try:
        with kernel_environment(environment) as variables:
            client.execute(env=variables, stderr=subprocess.DEVNULL)
    except CellTimeoutError as error:
        raise NotebookFailed(f"took longer than {timeout:.0f} s") from error
    except DeadKernelError as error:
        raise NotebookFailed("the kernel died (out of memory, most often)") from error
    except CellExecutionError as error:
        raise NotebookFailed(_where_it_failed(notebook, error)) from error
    return notebook, time.monotonic() - started


def _where_it_failed(notebook: NotebookNode, error: CellExecutionError) -> str:
    for index, cell in enumerate(notebook.cells):
        outputs = cell.get("outputs", [])
        if any(output.output_type == "error" for output in outputs):
            where = f"cell {index} ({first_line(cell.source)})"
            return f"{where}:\n  {error.ename}: {error.evalue}"
    return f"{error.ename}: {error.evalue}"
