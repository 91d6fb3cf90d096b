"""Bring an executed notebook into the one form that is committed.

Nothing in it changes from run to run: no execution counts, times, warnings or
progress bars, and identifiers that follow from the content.  What the page needs
is written where Jupyter Book and JupyterLab look for it: alt text of figures,
folded solutions, the state of the widgets shown and no other.  Doing it twice is
doing it once.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import nbformat
from nbformat import NotebookNode

NOTEBOOK_METADATA = ("lmbook", "mystnb")
CELL_METADATA = ("lmbook", "mystnb", "tags")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
PROGRESS_BARS = {"FloatProgressModel", "IntProgressModel"}
REFERENCE = re.compile(r'(?:IPY_MODEL_|"model_id": ")(\w+)')
# How Python prints a widget that does not say how: with its address in memory.
WIDGET_REPR = re.compile(r"<(?:\w+\.)*(\w+) object at 0x[0-9a-f]+>")
# A line that was drawn over by what follows its carriage return.
OVERDRAWN = re.compile(r"^[^\n]*\r(?=[^\n])", re.MULTILINE)

Widgets = dict[str, Any]


def normalise(notebook: NotebookNode) -> NotebookNode:
    """The committed form of a notebook; the argument is left as it is."""
    notebook = deepcopy(notebook)
    widgets = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {})
    for cell in notebook.cells:
        _clean_cell(cell, widgets.get("state", {}))
    _name_cells(notebook.cells)
    notebook.metadata = _clean_metadata(notebook.metadata)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return _keep_shown_widgets(notebook, widgets)


def clean_outputs(
    outputs: Iterable[NotebookNode], widgets: Widgets
) -> list[NotebookNode]:
    """Outputs without what differs from run to run; ``widgets``: state by model id.

    Standard error and progress bars go, neighbouring prints become one.
    """
    kept: list[NotebookNode] = []
    for output in outputs:
        output = nbformat.from_dict(output)
        if output.output_type == "stream":
            if output.name != "stdout":
                continue
            if kept and kept[-1].output_type == "stream":
                kept[-1].text += output.text
                continue
        elif output.output_type in ("display_data", "execute_result"):
            view = output.data.get(WIDGET_VIEW)
            if view and _is_progress_bar(view["model_id"], widgets):
                continue
            if view:
                shown = WIDGET_REPR.sub(r"\1()", output.data.get("text/plain", ""))
                output.data["text/plain"] = shown
            output.pop("transient", None)
            if "execution_count" in output:
                output.execution_count = None
        kept.append(output)
    for output in kept:
        if output.output_type == "stream":
            output.text = OVERDRAWN.sub("", output.text)
    return [output for output in kept if output.get("text", "…")]


def shown_widgets(outputs: Iterable[NotebookNode], widgets: Widgets) -> Widgets:
    """The widget models that ``outputs`` show, cleaned like any output.

    A model is needed when it is shown, when one that is needed refers to it, or
    when it links two that are needed.  They are numbered in the order of showing.
    """
    widgets = {key: _clean_model(model, widgets) for key, model in widgets.items()}
    needed: dict[str, Any] = {}

    def need(model_ids: Iterable[str]) -> None:
        for model_id in model_ids:
            if model_id in widgets and model_id not in needed:
                needed[model_id] = widgets[model_id]
                need(_references(widgets[model_id]))

    need(_views(outputs))
    for model_id, model in widgets.items():
        ends = [_references(model["state"].get(end)) for end in ("source", "target")]
        if all(ends) and needed.keys() >= {*ends[0], *ends[1]}:
            need([model_id])
    return needed


def rename_widgets(value: Any, models: Iterable[str]) -> Any:
    """``value`` (JSON) with the ids of ``models`` numbered, wherever they stand."""
    names = {model_id: f"{i:032x}" for i, model_id in enumerate(models, start=1)}
    if not names:
        return value
    text = json.dumps(value, ensure_ascii=False)
    pattern = re.compile("|".join(map(re.escape, names)))
    return json.loads(pattern.sub(lambda match: names[match[0]], text))


def _clean_cell(cell: NotebookNode, widgets: Widgets) -> None:
    kept = {key: cell.metadata[key] for key in CELL_METADATA if key in cell.metadata}
    cell.metadata = nbformat.from_dict(kept)
    tags = list(dict.fromkeys(kept.get("tags", [])))
    if cell.cell_type == "code":
        cell.execution_count = None
        cell.outputs = clean_outputs(cell.outputs, widgets)
        _write_alt_text(cell)
        if "solution" in tags:
            tags = [*tags, *({"hide-cell"} - {*tags})]
            hidden = {"source_hidden": True, "outputs_hidden": True}
            cell.metadata.jupyter = nbformat.from_dict(hidden)
    cell.metadata.pop("tags", None)
    if tags:
        cell.metadata.tags = tags


def _write_alt_text(cell: NotebookNode) -> None:
    """Copy the figure's alt text to where the built page takes it from."""
    alts = [
        details["alt"]
        for output in cell.outputs
        for mime, details in output.get("metadata", {}).items()
        if mime.startswith("image/") and "alt" in details
    ]
    page = cell.metadata.pop("mystnb", nbformat.from_dict({}))
    image = {key: value for key, value in page.get("image", {}).items() if key != "alt"}
    page.pop("image", None)
    if alts:
        image["alt"] = " ".join(dict.fromkeys(alts))
    if image:
        page.image = nbformat.from_dict(image)
    if page:
        cell.metadata.mystnb = page


def _name_cells(cells: list[NotebookNode]) -> None:
    """Ids from the content: the same cell has the same id wherever it stands."""
    seen: dict[str, int] = {}
    for cell in cells:
        text = f"{cell.cell_type}\n{cell.source}"
        name = hashlib.sha256(text.encode("utf-8")).hexdigest()[:12]
        seen[name] = seen.get(name, 0) + 1
        cell.id = name if seen[name] == 1 else f"{name}-{seen[name]}"


def _clean_metadata(metadata: NotebookNode) -> NotebookNode:
    kept = {key: metadata[key] for key in NOTEBOOK_METADATA if key in metadata}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    kept |= {"kernelspec": kernel, "language_info": {"name": "python"}}
    return nbformat.from_dict(kept)


def _keep_shown_widgets(notebook: NotebookNode, widgets: Widgets) -> NotebookNode:
    state = widgets.get("state", {})
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    models = shown_widgets(outputs, state)
    if models:
        version = {"version_major": 2, "version_minor": 0}
        notebook.metadata.widgets = {WIDGET_STATE: {**version, "state": models}}
    return nbformat.from_dict(rename_widgets(notebook, models))


def _clean_model(model: dict[str, Any], widgets: Widgets) -> dict[str, Any]:
    """An Output widget holds outputs of its own."""
    state = model["state"]
    if "outputs" not in state:
        return model
    return {
        **model,
        "state": {**state, "outputs": clean_outputs(state["outputs"], widgets)},
    }


def _views(outputs: Iterable[NotebookNode]) -> list[str]:
    data = [output.get("data", {}) for output in outputs]
    return [bundle[WIDGET_VIEW]["model_id"] for bundle in data if WIDGET_VIEW in bundle]


def _is_progress_bar(model_id: str, widgets: Widgets) -> bool:
    model = widgets.get(model_id, {})
    below = [widgets[other] for other in _references(model) if other in widgets]
    return any(part.get("model_name") in PROGRESS_BARS for part in [model, *below])


def _references(value: Any) -> list[str]:
    """Ids of the models that a model's state refers to, or shows inside it."""
    return REFERENCE.findall(json.dumps(value)) if value else []
