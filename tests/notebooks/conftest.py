"""Every notebook of the book as tests: each code cell is run once and compared."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from tools.notebooks import nbval_items
from tools.notebooks.paths import BOOK, ROOT, book_notebooks

TALLIES = pytest.StashKey[dict[str, nbval_items.Tally]]()
# Another machine: no AVX-512 in any library, one thread. Set before the kernel starts.
SECOND_MACHINE = MappingProxyType(
    {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4,AVX512_ICL",
        "NUMBA_CPU_NAME": "haswell",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "NUMBA_NUM_THREADS": "1",
    }
)


def pytest_configure(config: pytest.Config) -> None:
    nbval_items.configure(config)
    config.stash[TALLIES] = {}


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    if module_path.name != "test_outputs.py":
        return None
    return Book.from_parent(parent, path=module_path)


class Book(pytest.Module):
    """``test_outputs.py`` and, below it, a collector for each notebook."""

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        yield from super().collect()
        for path in book_notebooks(BOOK):
            yield self._notebook(path, "this machine", {})
        for path in book_notebooks(BOOK):
            notebook = self._notebook(path, "a second machine", SECOND_MACHINE)
            notebook.add_marker(pytest.mark.full)
            yield notebook

    def _notebook(
        self, path: Path, machine: str, environment: Mapping[str, str]
    ) -> nbval_items.BookNotebook:
        name = path.relative_to(ROOT).as_posix()
        if environment:
            name += f" on {machine}"
        notebook = nbval_items.BookNotebook.from_parent(
            self, path=path, name=name, nodeid=name
        )
        notebook.environment = environment
        tallies = self.config.stash[TALLIES]
        notebook.tally = tallies.setdefault(machine, nbval_items.Tally())
        return notebook


@pytest.fixture(scope="session")
def second_machine() -> MappingProxyType[str, str]:
    """Environment variables that make this machine compute like another."""
    return SECOND_MACHINE


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for machine, tally in config.stash[TALLIES].items():
        if tally.seconds:
            terminalreporter.section(f"notebooks on {machine}")
            for line in tally.lines():
                terminalreporter.write_line(line)
