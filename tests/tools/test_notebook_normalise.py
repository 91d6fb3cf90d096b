"""The committed form of a notebook."""

import copy
import json

import nbformat
import pytest
from nbformat import NotebookNode, v4

from tools.notebooks.normalise import WIDGET_STATE, WIDGET_VIEW, normalise
from tools.notebooks.paths import read, to_text, write


def view(model_id: str) -> NotebookNode:
    data = {WIDGET_VIEW: {"model_id": model_id, "version_major": 2}}
    data["text/plain"] = f"<lmbook.widgets.vectors.Box object at 0x{ord(model_id[1])}>"
    return v4.new_output("display_data", data=data)


def model(name: str, **state: object) -> dict:
    return {"model_name": name, "model_module": "m", "state": state}


def executed(suffix: str = "a") -> NotebookNode:
    """As a run leaves it; ``suffix`` varies what differs from one run to another."""
    box, slider, layout, link, bar, spare = (f"{n}{suffix}" * 4 for n in "012345")
    figure = v4.new_output(
        "display_data",
        data={"image/svg+xml": "<svg/>", "text/plain": "[两条线]"},
        metadata={"image/svg+xml": {"alt": "两条线"}},
    )
    code = v4.new_code_cell(
        "f()",
        execution_count=ord(suffix),
        metadata={"execution": {"iopub.status.busy": suffix}, "collapsed": False},
        outputs=[
            v4.new_output("stream", name="stdout", text="一"),
            v4.new_output("stream", name="stderr", text=f"took {suffix}"),
            v4.new_output("stream", name="stdout", text="二\n 10%\r100%\n"),
            view(bar),
            figure,
            v4.new_output(
                "execute_result", data={"text/plain": "3"}, execution_count=7
            ),
        ],
    )
    shown = v4.new_code_cell("box", outputs=[view(box)], metadata={"tags": []})
    solution = v4.new_code_cell("1", metadata={"tags": ["solution"]})
    state = {
        spare: model("IntSliderModel"),
        link: model(
            "LinkModel",
            source=[f"IPY_MODEL_{slider}", "value"],
            target=[f"IPY_MODEL_{box}", "value"],
        ),
        slider: model("IntSliderModel", layout=f"IPY_MODEL_{layout}", value=3),
        layout: model("LayoutModel"),
        box: model("HBoxModel", children=[f"IPY_MODEL_{slider}"]),
        bar: model("FloatProgressModel"),
    }
    notebook = v4.new_notebook(
        cells=[v4.new_markdown_cell("# 题"), code, shown, solution],
        metadata={
            "kernelspec": {"name": "my-env", "display_name": suffix},
            "language_info": {"name": "python", "version": f"3.11.{ord(suffix)}"},
            "widgets": {WIDGET_STATE: {"state": state, "version_major": 2}},
            "lmbook": {"hash": "0" * 64},
            "jupytext": {"x": suffix},
        },
    )
    for cell in notebook.cells:
        cell.id = f"{suffix}{cell.id}"
    return notebook


def test_two_runs_give_the_same_bytes():
    assert to_text(normalise(executed("a"))) == to_text(normalise(executed("b")))


def test_twice_is_once():
    once = normalise(executed())
    assert to_text(normalise(once)) == to_text(once)


def test_the_argument_is_left_as_it_is():
    notebook = executed()
    before = copy.deepcopy(notebook)
    normalise(notebook)
    assert notebook == before


def test_outputs_keep_what_a_reader_sees():
    outputs = normalise(executed()).cells[1].outputs
    assert [output.output_type for output in outputs] == [
        *("stream", "display_data", "execute_result")
    ]
    assert outputs[0].text == "一二\n100%\n"
    assert outputs[2].execution_count is None


def test_only_the_widgets_shown_are_kept():
    notebook = normalise(executed())
    assert notebook.cells[2].outputs[0].data["text/plain"] == "Box()"
    state = notebook.metadata.widgets[WIDGET_STATE]["state"]
    names = [state[key]["model_name"] for key in sorted(state)]
    assert names == ["HBoxModel", "IntSliderModel", "LayoutModel", "LinkModel"]
    box = notebook.cells[2].outputs[0].data[WIDGET_VIEW]["model_id"]
    (slider,) = state[box]["state"]["children"]
    assert state[slider.removeprefix("IPY_MODEL_")]["state"]["value"] == 3


def test_a_notebook_without_widgets_has_no_widget_state():
    notebook = executed()
    notebook.cells[2].outputs = []
    assert "widgets" not in normalise(notebook).metadata


def test_metadata_is_minimal():
    notebook = normalise(executed())
    assert notebook.metadata.keys() == {
        *("kernelspec", "language_info", "lmbook", "widgets")
    }
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.language_info == {"name": "python"}
    assert notebook.cells[1].metadata.keys() == {"mystnb"}
    assert notebook.cells[2].metadata == {}
    assert {cell.get("execution_count") for cell in notebook.cells} == {None}


def test_alt_text_goes_where_the_page_takes_it_from():
    notebook = executed()
    notebook.cells[1].metadata["mystnb"] = {"image": {"alt": "旧", "width": "80%"}}
    cell = normalise(notebook).cells[1]
    assert cell.metadata.mystnb.image == {"alt": "两条线", "width": "80%"}
    cell.outputs = []
    notebook.cells[1] = cell
    assert normalise(notebook).cells[1].metadata.mystnb.image == {"width": "80%"}


def test_solutions_are_folded():
    metadata = normalise(executed()).cells[3].metadata
    assert metadata.tags == ["solution", "hide-cell"]
    assert metadata.jupyter == {"source_hidden": True, "outputs_hidden": True}


def test_ids_follow_the_content_and_are_unique():
    cells = [v4.new_code_cell(source) for source in ("a", "b", "a")]
    first = [cell.id for cell in normalise(v4.new_notebook(cells=cells)).cells]
    more = [v4.new_code_cell("c"), *cells]
    second = [cell.id for cell in normalise(v4.new_notebook(cells=more)).cells]
    assert len({*first}) == 3
    assert second[1:] == first


def test_progress_bars_of_a_real_run_go(tmp_path):
    from tools.notebooks.execute import execute

    source = "from tqdm.auto import tqdm\nfor _ in tqdm(range(3)): pass\nprint('完')"
    notebook = v4.new_notebook(cells=[v4.new_code_cell(source)])
    ran, _ = execute(notebook, tmp_path)
    assert len(ran.cells[0].outputs) > 1
    (output,) = normalise(ran).cells[0].outputs
    assert output.text == "完\n"


def test_written_once(tmp_path):
    path = tmp_path / "a.ipynb"
    notebook = normalise(executed())
    assert write(notebook, path)
    assert not write(notebook, path)
    assert path.read_bytes().endswith(b"}\n")
    assert b"\r" not in path.read_bytes().replace(b"\\r", b"")
    assert to_text(read(path)) == path.read_text("utf-8")


@pytest.mark.parametrize("content", [b"not json", b"\xff\xfe", b"[]", b"{}"])
def test_what_is_not_a_notebook_is_named(tmp_path, content):
    path = tmp_path / "a.ipynb"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.ipynb is not a notebook"):
        read(path)


def test_notebooks_of_an_older_format_are_brought_up_to_date(tmp_path):
    notebook = executed()
    for cell in notebook.cells:
        del cell["id"]
    notebook.nbformat_minor = 2
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(notebook), "utf-8")
    nbformat.validate(normalise(read(path)))
