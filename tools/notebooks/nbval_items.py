"""nbval's collector and cell, with the book's own rules of comparison.

nbval brings the kernel and one test for each cell.  Ours add: the environment of
``execute``, the widgets' state as a browser would hold it, comparison by
:mod:`tools.notebooks.compare`, and a tally of what was compared and how long each
notebook took.
"""

import os
import re
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pytest
from nbformat.v4 import output_from_msg
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, RunningKernel, start_new_kernel
from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError

from tools.notebooks.compare import KINDS, Rule, differences, widget_differences
from tools.notebooks.execute import TIMEOUT, kernel_environment
from tools.notebooks.normalise import (
    WIDGET_STATE,
    WIDGET_VIEW,
    Widgets,
    clean_outputs,
)
from tools.notebooks.paths import first_line, read

# Set to 1 where other versions than the locked ones are installed: the notebooks
# must then run, and their own assertions hold, but no output is compared.
EXECUTE_ONLY = "LMBOOK_EXECUTE_ONLY"
# Seconds for a cell's output to arrive once it has run: nbval's own 5 are few where
# something else keeps the cores busy.
OUTPUT_TIMEOUT = 60
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def configure(config: pytest.Config) -> None:
    """nbval's options, as its plugin would set them if it were loaded."""
    options = {"nbval_lax": False, "nbdime": False, "nbval_cell_timeout": TIMEOUT}
    vars(config.option).update(options)


@dataclass
class Tally:
    """What the summary of the test run reports."""

    cells: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)

    def lines(self) -> list[str]:
        exact, close, own = (self.cells[kind] for kind in KINDS)
        counts = f"{exact} cells compared exactly, {close} within tolerance, {own} own"
        if os.environ.get(EXECUTE_ONLY):
            counts = f"{exact + close + own} cells executed, none compared"
        times = [f"{taken:7.1f} s  {name}" for name, taken in self.seconds.items()]
        return [*times, counts]


class Kernel(RunningKernel):
    """nbval's kernel, started in a given environment."""

    def __init__(self, folder: str, environment: Mapping[str, str]) -> None:
        self.km, self.kc = start_new_kernel(
            kernel_name=CURRENT_ENV_KERNEL_NAME,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=environment,
        )
        self._ensure_iopub_up()


class WidgetRecorder:
    """Keeps the state of every widget, as a browser would, from kernel messages."""

    def __init__(self) -> None:
        self.state: dict[str, dict[str, Any]] = {}

    def saw(self, message: Mapping[str, Any]) -> bool:
        """Record one message; True where it was printed into an Output widget."""
        content = message["content"]
        if message["msg_type"] in ("comm_open", "comm_msg"):
            changed = content["data"].get("state", {})
            self.state.setdefault(content["comm_id"], {}).update(changed)
        elif message["msg_type"] in ("stream", "display_data", "execute_result"):
            caller = message["parent_header"].get("msg_id")
            for model in self.state.values():
                if caller and model.get("msg_id") == caller:
                    output = output_from_msg(message)
                    model["outputs"] = [*model.get("outputs", ()), output]
                    return True
        return False

    @property
    def models(self) -> Widgets:
        """The models by id, in the form in which notebooks store them."""
        return {
            key: {"model_name": state.get("_model_name"), "state": state}
            for key, state in self.state.items()
        }


class BookNotebook(IPyNbFile):
    """A notebook of the book: one test for each of its code cells."""

    tally: Tally
    environment: Mapping[str, str] = MappingProxyType({})

    def collect(self) -> list["BookCell"]:
        notebook = read(self.path)
        self.stored_widgets = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {})
        self.stored_views: list[Any] = []
        self.fresh_views: list[Any] = []
        self.has_failed = False
        items = []
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            # nbval takes a cell without a count for one that was never run.
            cell.execution_count = index
            if not _is_own(cell):
                self.stored_views += _views(cell.outputs)
            item = BookCell.from_parent(
                self,
                name=f"cell {index}",
                cell_num=index,
                cell=cell,
                options=defaultdict(bool, check=True),
            )
            item.output_timeout = OUTPUT_TIMEOUT
            items.append(item)
        if items:
            items[-1].is_last = True
        return items

    def setup(self) -> None:
        self.resources = ExitStack()
        environment = self.resources.enter_context(kernel_environment(self.environment))
        self.recorder = WidgetRecorder()
        self.started = time.monotonic()
        self.kernel = Kernel(str(self.path.parent), environment)

    def teardown(self) -> None:
        self.tally.seconds[self.name] = time.monotonic() - self.started
        if self.kernel is not None and self.kernel.is_alive():
            self.kernel.stop()
        self.resources.close()

    def get_kernel_message(self, timeout: float | None = None, stream: str = "iopub"):
        while True:
            message = self.kernel.get_message(stream, timeout=timeout)
            if not self.recorder.saw(message):
                return message


class BookCell(IPyNbCell):
    """A code cell: run once, its outputs compared as its metadata says."""

    parent: BookNotebook

    # The widgets are compared once, as they stand after the last cell.
    is_last = False
    found: list[str] | None = None

    def runtest(self) -> None:
        if self.parent.has_failed:
            pytest.skip("an earlier cell of this notebook raised")
        self.rule = Rule.of(self.cell)
        try:
            super().runtest()
        finally:
            # Not even compared: it raised, so the cells after it can tell nothing.
            self.parent.has_failed = self.found is None

    def compare_outputs(self, test: list, ref: list, skip_compare: Any = None) -> bool:
        self.parent.tally.cells[self.rule.compare] += 1
        self.found = (
            [] if os.environ.get(EXECUTE_ONLY) else self._differences(test, ref)
        )
        self.comparison_traceback = self.found
        return not self.found

    def _differences(self, test: list, ref: list) -> list[str]:
        stored_models = self.parent.stored_widgets.get("state", {})
        models = self.parent.recorder.models
        stored, fresh = clean_outputs(ref, stored_models), clean_outputs(test, models)
        if not _is_own(self.cell):
            self.parent.fresh_views += _views(fresh)
        found = differences(stored, fresh, self.rule)
        if self.is_last:
            views = self.parent.stored_views, self.parent.fresh_views
            found += widget_differences(views[0], stored_models, views[1], models)
        return found

    def repr_failure(self, excinfo: pytest.ExceptionInfo) -> str:
        error = excinfo.value
        if not isinstance(error, NbCellError):
            return f"{self._where()}\n{type(error).__name__}: {error}"
        if self.found:
            advice = "If it is meant: python -m tools.notebooks.refresh --all FILE"
            return "\n".join([self._where(), *self.found, advice])
        traceback = COLOURS.sub("", error.inner_traceback or "")
        return "\n".join([self._where(), str(error), traceback])

    def reportinfo(self) -> tuple[Any, int, str]:
        return self.path, 0, f"{self.parent.name}: {self.name}"

    def _where(self) -> str:
        return f"{self.parent.name}, {self.name}: {first_line(self.cell.source)}"


def _is_own(cell: Any) -> bool:
    """Whether the cell's output, widgets included, isn't compared."""
    return cell.metadata.get("lmbook", {}).get("compare") == "own"


def _views(outputs: list) -> list:
    return [output for output in outputs if WIDGET_VIEW in output.get("data", {})]
