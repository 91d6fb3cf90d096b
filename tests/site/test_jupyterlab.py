"""The book in JupyterLab, as ``make lab`` opens it and a student meets it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tools import lab

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "reader"
NOTEBOOK = "book/ch04_mathematics/s1_activations.ipynb"
WITH_SLIDERS = "book/ch03_core_algorithms/s2_backpropagation.ipynb"
MINUTE = 60_000
# JupyterLab's own application object: commands, the notebook's model, the kernel.
RUN_ALL = "() => jupyterapp.commands.execute('notebook:run-all-cells')"
PANEL = "jupyterapp.shell.currentWidget"
IDLE = f"() => {PANEL}.sessionContext.session?.kernel?.status === 'idle'"
CELLS = f"() => {PANEL}.content.model.toJSON().cells"
ALL_RUN = (
    f"() => {PANEL}.content.model.toJSON().cells.every("
    "c => c.cell_type !== 'code' || !c.source || c.execution_count)"
)
ASK_KERNEL = (
    "async code => { let said = '';"
    f"const future = {PANEL}.sessionContext.session.kernel.requestExecute({{code}});"
    "future.onIOPub = message => { said += message.content.text || '' };"
    "await future.done; return said; }"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book in a path with a space: JupyterLab saves what it opens."""
    copy = tmp_path_factory.mktemp("lab") / "一本 书"
    ignored = shutil.ignore_patterns("__pycache__", "vendor", ".ipynb_checkpoints")
    for name in ("book", "lmbook", "tools"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    return copy


@pytest.fixture(scope="module")
def server(copy: Path) -> Iterator[str]:
    """Address of the server that ``make lab`` starts, for a reader new to Jupyter."""
    home = copy.parent / "home"
    home.mkdir()
    kept = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")}
    port = free_port()
    options = f"--no-browser --port {port} --expose-app-in-browser"
    address = f"http://localhost:{port}"
    log = home / "log.txt"
    with log.open("w") as file:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tools.lab", *options.split()),
                f"--IdentityProvider.token={TOKEN}",
            ],
            cwd=copy,
            env=kept | {"HOME": str(home), "IPYTHONDIR": str(home / "ipython")},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        for _ in range(120):
            assert process.poll() is None, log.read_text("utf-8")
            try:
                urllib.request.urlopen(f"{address}/api", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        else:
            pytest.fail(f"JupyterLab does not answer: {log.read_text('utf-8')}")
        yield address
    finally:
        process.terminate()
        process.wait(30)


def opened(server: str, browser: Browser, name: str) -> Page:
    """A notebook open in JupyterLab, its kernel ready."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(2 * MINUTE)
    # A workspace of its own: the default one would open the other notebook as well.
    workspace = Path(name).stem
    page.goto(f"{server}/lab/workspaces/{workspace}/tree/{name}?token={TOKEN}")
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
    page.wait_for_function(f"name => {PANEL}?.context?.path === name", arg=name)
    page.wait_for_function(IDLE)
    return page


def run_all(page: Page) -> list[dict]:
    """Run every cell; the cells afterwards, each with its number."""
    page.evaluate(RUN_ALL)
    page.wait_for_function(IDLE, timeout=4 * MINUTE)
    page.wait_for_function(ALL_RUN, timeout=MINUTE)
    return page.evaluate(CELLS)


def scroll_to(page: Page, cells: list[dict], source: str) -> None:
    """To the output of the cell that ends with this line."""
    index = next(n for n, c in enumerate(cells) if c["source"].endswith(source))
    page.evaluate(f"n => {PANEL}.content.scrollToItem(n, 'center')", index)


@pytest.fixture(scope="module")
def notebook(server: str, browser: Browser) -> Iterator[Page]:
    """A chapter notebook, for the tests that follow one another."""
    page = opened(server, browser, NOTEBOOK)
    yield page
    page.close()


pytestmark = pytest.mark.timeout(600)


@pytest.mark.browser
def test_the_book_opens_at_its_cover_in_chinese(server: str, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{server}/?token={TOKEN}")
    cover = page.locator(".jp-MarkdownViewer")
    expect(cover).to_contain_text("从哪里读起", timeout=MINUTE)
    expect(cover).not_to_contain_text(":::")
    expect(page.locator(".lm-MenuBar")).to_contain_text("文件")
    page.close()


@pytest.mark.browser
def test_the_interface_is_chinese(notebook: Page) -> None:
    menu = notebook.locator(".lm-MenuBar").first
    for word in ("文件", "编辑", "运行", "内核", "帮助"):
        expect(menu).to_contain_text(word)


@pytest.mark.browser
def test_boxes_and_formulas_are_drawn(notebook: Page) -> None:
    prose = notebook.locator(".jp-MarkdownCell .myst")
    expect(prose.locator("aside.errata").first).to_contain_text("勘误 E40")
    expect(prose.locator(".katex").first).to_be_visible()
    assert ":::" not in notebook.locator(".jp-Notebook").inner_text()


@pytest.mark.browser
def test_stored_figures_are_trusted(notebook: Page) -> None:
    figures = [
        index
        for index, cell in enumerate(notebook.evaluate(CELLS))
        for output in cell.get("outputs", [])
        if "image/svg+xml" in output.get("data", {})
    ]
    assert figures
    cell = notebook.locator(f".jp-Cell[data-windowed-list-index='{figures[0]}']")
    trusted = f"() => {PANEL}.content.widgets.every(cell => cell.model.trusted)"
    assert notebook.evaluate(trusted)
    notebook.evaluate(f"n => {PANEL}.content.scrollToItem(n, 'center')", figures[0])
    expect(cell.locator(".jp-RenderedSVG")).to_be_visible()


@pytest.mark.browser
def test_the_kernel_is_the_projects_own(notebook: Page, copy: Path) -> None:
    code = "import sys, lmbook, os; print(sys.executable, os.getcwd(), sep='\\n')"
    executable, folder = notebook.evaluate(ASK_KERNEL, code).splitlines()
    assert executable == sys.executable
    assert Path(folder) == (copy / NOTEBOOK).parent


@pytest.mark.browser
def test_all_cells_run_and_a_widget_moves(notebook: Page) -> None:
    cells = run_all(notebook)
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in code if cell["source"])
    wrong = [
        output
        for cell in code
        for output in cell["outputs"]
        if output["output_type"] == "error" or output.get("name") == "stderr"
    ]
    assert wrong == []

    scroll_to(notebook, cells, "ActivationExplorer()")
    explorer = notebook.locator(".lmbook-explorer").first
    slider, readout = explorer.locator("input[data-name=x]"), explorer.locator("output")
    expect(slider).to_be_visible()
    expect(readout).to_contain_text("x = -1.30")
    slider.click(position={"x": 5, "y": 5})
    expect(readout).to_contain_text("x = -5.00")
    # The keys too: JupyterLab's own shortcuts must not take them.
    slider.press("ArrowRight")
    expect(readout).to_contain_text("x = -4.95")


@pytest.mark.browser
def test_the_graph_steps_and_the_slider_lab_computes(
    server: str, browser: Browser
) -> None:
    """Section 3.2: one figure lives in the page, the other asks the kernel."""
    page = opened(server, browser, WITH_SLIDERS)
    cells = run_all(page)
    scroll_to(page, cells, "GraphStepper(two_step_loss(w))")
    stepper = page.locator(".lmbook-graph").first
    stepper.get_by_text("前向到底").click()
    expect(stepper.locator("svg")).to_contain_text("0.1214")
    stepper.get_by_text("反向到底").click()
    expect(stepper.locator("svg")).to_contain_text("0.2342")

    scroll_to(page, cells, "descent.DescentLab()")
    # Not the stored widget, which stands there until the new one is drawn.
    live = ".widget-vbox:not(.jupyter-widgets-disconnected)"
    lab = page.locator(live).filter(has_text="步之后损失")
    expect(lab).to_contain_text("损失 8.05")
    lab.locator(".noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    expect(lab).not_to_contain_text("损失 8.05", timeout=MINUTE)
    expect(lab).to_contain_text("步之后损失")
    page.close()


def test_a_port_in_use_is_told_in_one_line(capsys: pytest.CaptureFixture) -> None:
    with socket.socket() as other:
        other.bind(("localhost", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SystemExit) as ended:
            lab.options([f"--port={port}", "--no-browser"])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: cannot listen on port {port} ")


def test_without_a_browser_the_address_is_to_be_opened(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> None:
        raise webbrowser.Error("no browser")

    monkeypatch.setattr(webbrowser, "get", none)
    assert "--no-browser" in lab.options([])
    (line,) = capsys.readouterr().out.splitlines()
    assert "No browser found" in line
    assert lab.options(["--no-browser"]).count("--no-browser") == 1
    assert capsys.readouterr().out == ""


def test_notebooks_are_trusted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    lab.trust([ROOT / NOTEBOOK])
    notary = lab.NotebookNotary()
    opened = lab.nbformat.read(ROOT / NOTEBOOK, as_version=4)
    assert notary.check_signature(opened)
    opened.cells[-1].source += "\n# changed"
    assert not notary.check_signature(opened)
