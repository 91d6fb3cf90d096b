"""Every check of ``tools.notebooks.lint`` bites: a good notebook and its faults."""

from collections.abc import Callable
from pathlib import Path

import pytest
from nbformat import NotebookNode, v4

from tools.notebooks import lint
from tools.notebooks.fingerprint import fingerprint
from tools.notebooks.normalise import normalise
from tools.notebooks.paths import write

MODULES = {
    "lmbook/__init__.py": "",
    "lmbook/activations.py": "LIMIT = 1\ndef relu(x): ...\ndef _hidden(): ...",
    "lmbook/text/__init__.py": "from lmbook.text.corpora import load_data",
    "lmbook/text/corpora.py": "def load_data(): ...",
    "lmbook/models/__init__.py": "",
    "lmbook/models/lstm.py": "import torch\nclass LSTMCell:\n    def step(self): ...",
    "requirements.txt": "numpy==2.4.1\n",
    "_toc.yml": "root: book/index\nchapters:\n- file: book/ch04_x/index\n"
    "  sections:\n  - file: book/ch04_x/s1_a\n",
    "book/index.md": "# 书",
    "book/ch04_x/index.md": "# 第 4 章",
}
PATH = "book/ch04_x/s1_a.ipynb"


def good() -> NotebookNode:
    figure = v4.new_output("display_data", data={"image/svg+xml": "<svg/>"})
    figure.metadata = {"image/svg+xml": {"alt": "一条线"}}
    printed = v4.new_output("stream", name="stdout", text="1\n")
    code = "from lmbook import activations\nfrom lmbook.text import load_data\n"
    cells = [
        v4.new_markdown_cell("# 4.1 题\n\n用 `lmbook.activations.relu(x)`。"),
        v4.new_code_cell(
            f"{code}x = activations.relu(load_data())\nprint(x)", outputs=[printed]
        ),
        v4.new_markdown_cell("## 4.1.1 小题\n\n```python\n# 注释\n```\n## 小结"),
        v4.new_code_cell("show = print\nshow(x)", outputs=[figure]),
        v4.new_markdown_cell("问", metadata={"tags": ["exercise"]}),
        v4.new_code_cell("y = x + 1", metadata={"tags": ["solution"]}),
    ]
    return v4.new_notebook(cells=cells, metadata={"lmbook": {}})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, content in MODULES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, "utf-8")
    return tmp_path


def save(root: Path, notebook: NotebookNode, name: str = PATH) -> lint.Page:
    """As refresh would leave it: hashed and normalised."""
    path = root / name
    notebook.metadata["lmbook"]["hash"] = fingerprint(notebook, path.parent, root)
    path.parent.mkdir(parents=True, exist_ok=True)
    write(normalise(notebook), path)
    return lint.Page(path, root)


def faults(root: Path, check: lint.Check, notebook: NotebookNode) -> list[str]:
    return list(check(save(root, notebook)))


@pytest.mark.parametrize("check", lint.CHECKS, ids=lambda check: check.__name__)
def test_a_good_notebook_has_no_fault(root: Path, check: lint.Check):
    assert faults(root, check, good()) == []


def add_code(source: str, **metadata: object) -> Callable[[NotebookNode], None]:
    """A cell after the first two, before the exercises."""
    return lambda notebook: notebook.cells.insert(
        2, v4.new_code_cell(source, metadata=metadata)
    )


def add_prose(source: str, *tags: str) -> Callable[[NotebookNode], None]:
    return lambda notebook: notebook.cells.append(
        v4.new_markdown_cell(source, metadata={"tags": list(tags)})
    )


def add_output(*outputs: NotebookNode) -> Callable[[NotebookNode], None]:
    return lambda notebook: notebook.cells[3].outputs.extend(outputs)


def retitle(title: str) -> Callable[[NotebookNode], None]:
    return lambda notebook: notebook.cells[0].update(source=title)


def clear(notebook: NotebookNode) -> None:
    notebook.cells[1].outputs = []


PICTURE = v4.new_output("display_data", data={"image/png": "aaaa"})
ERROR = v4.new_output("error", ename="KeyError", evalue="x", traceback=[])
ADDRESS = v4.new_output("display_data", data={"text/plain": "<f at 0x7fdd2f948b80>"})


@pytest.mark.parametrize(
    ("check", "fault", "message"),
    [
        (lint.errors, add_output(ERROR), "KeyError: show = print"),
        (lint.missing_outputs, clear, "no stored output: from lmbook"),
        (lint.missing_outputs, add_code("\nplotting.show(f)"), "plotting.show(f)"),
        (lint.memory_addresses, add_output(ADDRESS), "0x7fdd2f948b80"),
        (lint.figures, add_output(PICTURE), "2 figures in one cell"),
        (lint.figures, add_output(PICTURE), "without alt text"),
        (
            lint.comparison_rules,
            add_code("1", lmbook={"compare": "own"}),
            "a reason belongs",
        ),
        (lint.out_of_order, add_code("print(y)"), "uses y, which a later cell"),
        (lint.out_of_order, add_code("z + 1"), "uses z, which no cell"),
        (lint.out_of_order, add_code("[z for a in [1]]"), "uses z, which no cell"),
        (lint.out_of_order, add_code("def f():\n  return z"), "uses z, which no cell"),
        (lint.out_of_order, add_code("class A:\n  b = y"), "uses y, which a later"),
        (lint.redefinitions, add_code("def relu(x): ..."), "relu is redefined"),
        (lint.redefinitions, add_code("if x:\n  class LSTMCell: ..."), "models.lstm"),
        (lint.redefinitions, add_code("relu = lambda x: x"), "lmbook.activations"),
        (lint.redefinitions, add_code("load_data = 3"), "load_data is redefined"),
        (
            lint.unknown_names,
            add_code("from lmbook.activations import selu"),
            "lmbook.activations.selu does not exist",
        ),
        (lint.unknown_names, add_code("import lmbook.tokens"), "lmbook.tokens"),
        (lint.unknown_names, add_code("import lmbook.tokens as t"), "lmbook.tokens"),
        (lint.unknown_names, add_code("activations.gelu(1)"), "activations.gelu"),
        (lint.unknown_names, add_code("activations._hidden()"), "_hidden"),
        (
            lint.unknown_names,
            add_code("import lmbook.models.lstm as m\nm.GRUCell"),
            "lmbook.models.lstm.GRUCell",
        ),
        (
            lint.unknown_names,
            add_code("import lmbook.models\nlmbook.models.gpt.GPT"),
            "lmbook.models.gpt",
        ),
        (
            lint.unknown_names,
            add_code("def f():\n    from lmbook import absent"),
            "lmbook.absent",
        ),
        (lint.unknown_names, add_prose("见 `lmbook.metrics`。"), "lmbook.metrics"),
        (lint.unknown_names, add_prose("`lmbook.text.f(1)`。"), "lmbook.text.f"),
        (lint.section_number, retitle("# 4.2 题"), "file's name says 4.1"),
        (lint.section_number, retitle("# 4.10 题"), "file's name says 4.1"),
        (lint.section_number, retitle("# 题"), "file's name says 4.1"),
        (lint.section_number, retitle("题"), "0 headings of level 1"),
        (lint.section_number, add_prose("# 又一题"), "2 headings of level 1"),
        (lint.section_number, add_prose("## 4.2.1 别处"), "'4.2.1 别处'"),
        (lint.exercises, add_prose("再问", "exercise"), "do not alternate"),
        (lint.exercises, add_prose("再答", "solution"), "do not alternate"),
        (lint.exercises, lambda notebook: notebook.cells.pop(), "do not alternate"),
        (lint.exercises, lambda n: n.cells.__delitem__(slice(4, 6)), "no cell is"),
    ],
)
def test_a_planted_fault_is_found(root: Path, check: lint.Check, fault, message: str):
    notebook = good()
    fault(notebook)
    assert message in "\n".join(faults(root, check, notebook))


@pytest.mark.parametrize(
    "source",
    [
        "relu = activations.relu",
        "class Net:\n    def relu(self): ...\n    def f(self): return self.relu",
        "def f():\n    return later\nlater = 3\nf()",
        "[a for a in range(3)]\n(lambda b: b + x)(1)",
        "def f():\n    global g\n    g = 1",
        "g",
        "%matplotlib inline\n!ls",
        "try:\n    x\nexcept KeyError as e:\n    e",
        "for i in range(3):\n    i\nimport lmbook.models\nlmbook.models.lstm.LSTMCell",
        "activations.LIMIT.anything.below",
        "from lmbook import text\ntext.corpora.load_data()",
        "from lmbook.models.lstm import LSTMCell as Cell\nCell.step",
    ],
)
def test_what_is_allowed(root: Path, source: str):
    notebook = good()
    add_code("def f():\n    global g\n    g = 1")(notebook)
    notebook.cells.insert(3, v4.new_code_cell(source))
    page = save(root, notebook)
    for check in (lint.out_of_order, lint.redefinitions, lint.unknown_names):
        assert list(check(page)) == []


def test_a_function_may_use_what_a_later_cell_defines(root: Path):
    notebook = good()
    add_code("def f():\n    return y")(notebook)
    assert faults(root, lint.out_of_order, notebook) == []


def test_a_changed_cell_or_module_is_stale(root: Path):
    page = save(root, good())
    assert list(lint.stale(page)) == []
    with open(root / "lmbook/text/corpora.py", "a") as file:
        file.write("\nx = 1\n")
    assert list(lint.stale(page)) != []

    page = save(root, good())
    page.notebook.cells[1].source += "\n"
    assert list(lint.stale(page)) != []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace('"execution_count": null', '"execution_count": 3', 1),
        lambda text: text.replace('"name": "python3"', '"name": "my-env"'),
        lambda text: text + "\n",
        lambda text: text.replace(' "cells"', '  "cells"'),
    ],
)
def test_another_form_than_the_committed_is_found(root: Path, spoil):
    page = save(root, good())
    text = page.path.read_text("utf-8")
    assert spoil(text) != text
    page.path.write_text(spoil(text), "utf-8")
    assert "not normalised" in "".join(lint.not_normalised(lint.Page(page.path, root)))


def test_the_table_of_contents_and_the_files_agree(root: Path):
    save(root, good())
    assert list(lint.contents(root)) == []
    save(root, good(), "book/ch04_x/s2_b.ipynb")
    assert list(lint.contents(root)) == ["book/ch04_x/s2_b is not in _toc.yml"]
    toc = root / "_toc.yml"
    toc.write_text(toc.read_text() + "  - file: book/ch04_x/s2_b\n  - file: book/no\n")
    assert list(lint.contents(root)) == [
        "_toc.yml lists book/no, which has no .ipynb or .md file"
    ]


def test_figures_are_numbered_through_a_section(root: Path):
    toc = root / "_toc.yml"
    toc.write_text(toc.read_text() + "  - file: book/ch04_x/s1_b\n")

    def faults(first: str, second: str, mentioned: str) -> list[str]:
        for name, number in (("s1_a", first), ("s1_b", second)):
            code = f'plotting.show(fig, alt="", caption="{number} 一条线。")'
            cells = [v4.new_markdown_cell(mentioned), v4.new_code_cell(code)]
            write(v4.new_notebook(cells=cells), root / f"book/ch04_x/{name}.ipynb")
        return list(lint.figure_numbers(root))

    assert faults("图 4.1.1", "图 4.1.2", "图 4.1.1 与图 4.1.2") == []
    a, b = "book/ch04_x/s1_a", "book/ch04_x/s1_b"
    wrong = f"{b}: the caption says 图 4.1.1, it is 图 4.1.2"
    assert faults("图 4.1.1", "图 4.1.1", "") == [wrong]
    assert faults("", "图 4.1.2", "") == [f"{a}: the caption says 图 , it is 图 4.1.1"]
    none = [f"{name}: there is no 图 4.1.3" for name in (a, b)]
    assert faults("图 4.1.1", "图 4.1.2", "图 4.1.3") == none


def test_chapters_in_one_notebook_and_other_names(root: Path):
    for name, title, expected in [
        ("ch08_summary.ipynb", "# 第 8 章 总结", ""),
        ("ch08_summary.ipynb", "# 第 9 章 总结", "the file is chapter 8"),
        ("notes.ipynb", "# 笔记", "named neither"),
        ("ch08_x/a.ipynb", "# 笔记", "named neither"),
    ]:
        notebook = good()
        retitle(title)(notebook)
        page = save(root, notebook, f"book/{name}")
        assert expected in "\n".join(lint.section_number(page))
        assert bool(expected) == bool(list(lint.section_number(page)))
