"""What makes a notebook stale, and what does not."""

from pathlib import Path

import pytest
from nbformat import v4

from tools.notebooks.fingerprint import fingerprint, imported, parse_cell

FILES = {
    "lmbook/__init__.py": "",
    "lmbook/cli.py": "def main(): ...",
    "lmbook/text/__init__.py": "from lmbook.text.corpora import load_data",
    "lmbook/text/corpora.py": "def load_data():\n    import lmbook.files",
    "lmbook/text/batches.py": "from . import vocabulary",
    "lmbook/text/vocabulary.py": "",
    "lmbook/files.py": "",
    "lmbook/metrics.py": "",
    "lmbook/widgets/__init__.py": "",
    "lmbook/widgets/vectors.py": "",
    "lmbook/widgets/vectors.js": "1",
    "lmbook/widgets/vectors_model.js": "1",
    "lmbook/widgets/activations.py": "",
    "lmbook/widgets/activations.js": "1",
    "lmbook/widgets/shared.css": "1",
    "lmbook/industry/__init__.py": "",
    "lmbook/industry/facts.py": "",
    "lmbook/industry/data/models.csv": "1",
    "requirements.txt": "numpy==2.4.1\npandas==3.0.0\ntorch==2.13.0\n",
    "book/table.csv": "1",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, "utf-8")
    return tmp_path


def hash_of(root: Path, *sources: str, data: tuple[str, ...] = (), prose: str = ""):
    cells = [v4.new_markdown_cell(prose), *map(v4.new_code_cell, sources)]
    notebook = v4.new_notebook(cells=cells, metadata={"lmbook": {"data": list(data)}})
    return fingerprint(notebook, root / "book", root)


def changes(root: Path, name: str, *sources: str, data: tuple[str, ...] = ()) -> bool:
    before = hash_of(root, *sources, data=data)
    with open(root / name, "a", encoding="utf-8") as file:
        file.write("\n# changed\n")
    return hash_of(root, *sources, data=data) != before


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("from lmbook.text import batches", "lmbook/text/batches.py"),
        ("from lmbook.text.batches import x", "lmbook/text/batches.py"),
        ("import lmbook.text.batches as b", "lmbook/text/batches.py"),
        ("if x:\n    from lmbook import metrics", "lmbook/metrics.py"),
        # The package's own file, what it re-exports, and what that imports lazily.
        ("from lmbook.text import load_data", "lmbook/text/__init__.py"),
        ("from lmbook.text import load_data", "lmbook/text/corpora.py"),
        ("from lmbook.text import load_data", "lmbook/files.py"),
        ("import lmbook.text.batches", "lmbook/text/vocabulary.py"),
        ("import lmbook", "lmbook/__init__.py"),
        # Data beside a module: its own, the folder's, and a folder of data.
        ("import lmbook.widgets.vectors", "lmbook/widgets/vectors.js"),
        ("import lmbook.widgets.vectors", "lmbook/widgets/vectors_model.js"),
        ("import lmbook.widgets.vectors", "lmbook/widgets/shared.css"),
        ("import lmbook.industry.facts", "lmbook/industry/data/models.csv"),
        # Commands run lmbook too.
        ("!lmbook train --help", "lmbook/cli.py"),
        ("run([sys.executable, '-m', 'lmbook'])", "lmbook/cli.py"),
    ],
)
def test_what_a_cell_imports_counts(root: Path, source: str, name: str):
    assert changes(root, name, source)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import numpy", "lmbook/__init__.py"),
        ("from lmbook import metrics", "lmbook/files.py"),
        ("from lmbook.text import load_data", "lmbook/text/vocabulary.py"),
        ("import lmbook.widgets.vectors", "lmbook/widgets/activations.js"),
        ("import lmbook.widgets.activations", "lmbook/widgets/vectors_model.js"),
        ("print('lmbook.text')", "lmbook/text/__init__.py"),
        ("from lmbook import metrics", "book/table.csv"),
    ],
)
def test_nothing_else_counts(root: Path, source: str, name: str):
    assert not changes(root, name, source)


def test_a_command_in_a_module_is_only_words(root: Path):
    (root / "lmbook/metrics.py").write_text('ABOUT = "lmbook train"', "utf-8")
    assert not changes(root, "lmbook/cli.py", "from lmbook import metrics")


def test_cells_count_and_prose_does_not(root: Path):
    first = hash_of(root, "a = 1", "b = 2")
    assert first == hash_of(root, "a = 1", "b = 2", prose="另一句话")
    others = {hash_of(root, "a = 1"), hash_of(root, "b = 2", "a = 1")}
    others |= {hash_of(root, "a = 1\nb = 2"), hash_of(root, "a = 1", "b = 3")}
    assert len(others | {first}) == 5


def test_declared_data_counts(root: Path):
    assert changes(root, "book/table.csv", data=("table.csv",))
    with pytest.raises(ValueError, match=r"does not exist: absent\.csv"):
        hash_of(root, data=("absent.csv",))


def test_locked_versions_of_the_numerical_packages_count(root: Path):
    before = hash_of(root)
    lock = root / "requirements.txt"
    lock.write_text(lock.read_text("utf-8").replace("pandas==3.0.0", "pandas==3.0.1"))
    assert hash_of(root) == before
    lock.write_text(lock.read_text("utf-8").replace("torch==2.13.0", "torch==2.13.1"))
    assert hash_of(root) != before


def test_line_endings_do_not_count(root: Path):
    source = "from lmbook.text import batches"
    before = hash_of(root, source)
    path = root / "lmbook/text/batches.py"
    path.write_bytes(path.read_bytes() + b"\nx = 1\n")
    unix = hash_of(root, source)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert before != unix == hash_of(root, source)


def test_nothing_is_imported_or_run(root: Path):
    (root / "lmbook/metrics.py").write_text("raise SystemExit", "utf-8")
    hash_of(root, "from lmbook import metrics\nraise SystemExit")


def test_a_cell_that_is_not_python_is_named(root: Path):
    with pytest.raises(ValueError, match=r"(?s)not Python.*x = = 1"):
        hash_of(root, "x = = 1")


def test_relative_imports():
    tree = parse_cell("from . import a\nfrom .b import c\nfrom ..d import e")
    found = set(imported(tree, "lmbook.text"))
    assert found == {
        *("lmbook.text", "lmbook.text.a", "lmbook.text.b", "lmbook.text.b.c"),
        *("lmbook.d", "lmbook.d.e"),
    }
