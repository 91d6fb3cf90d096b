"""The book without its solutions."""

import pytest
from nbformat import v4

from tools.notebooks.normalise import normalise
from tools.notebooks.paths import read, write
from tools.notebooks.student import CODE_PLACEHOLDER, without_solutions, write_student


def section():
    printed = v4.new_output("stream", name="stdout", text="42\n")
    cells = [
        v4.new_markdown_cell("# 4.1 题 ![图](../_static/a.svg)"),
        v4.new_code_cell("print(42)", outputs=[printed]),
        v4.new_markdown_cell("问", metadata={"tags": ["exercise"]}),
        v4.new_code_cell(
            "secret()", outputs=[printed], metadata={"tags": ["solution"]}
        ),
        v4.new_markdown_cell("秘密", metadata={"tags": ["solution"]}),
    ]
    metadata = {"lmbook": {"hash": "0" * 64, "data": ["data.csv"]}}
    return normalise(v4.new_notebook(cells=cells, metadata=metadata))


@pytest.fixture
def book(tmp_path):
    book = tmp_path / "book"
    (book / "ch04_x").mkdir(parents=True)
    (book / "_static").mkdir()
    (book / "_static" / "a.svg").write_text("<svg/>")
    (book / "ch04_x" / "data.csv").write_text("1")
    write(section(), book / "ch04_x" / "s1_a.ipynb")
    write(section(), book / "ch04_x" / "s2_b.ipynb")
    return book


def test_solutions_are_emptied_and_all_else_is_the_same():
    full, student = section(), without_solutions(section())
    assert student.cells[:3] == full.cells[:3]
    code, prose = student.cells[3:]
    assert code.source == CODE_PLACEHOLDER
    assert code.outputs == []
    assert prose.source == "*在这里写你的答案。*"
    # Nothing hides the cell that is to be written in.
    assert code.metadata == prose.metadata == {"tags": ["answer"]}
    assert "secret" not in str(student)
    assert "秘密" not in str(student)


def test_the_notebook_given_is_left_as_it_is():
    full = section()
    without_solutions(full)
    assert full == section()


def test_notebooks_come_with_what_they_read_and_show(book, tmp_path):
    student = tmp_path / "student"
    assert write_student(book, student) == (4, [])
    names = {p.relative_to(student).as_posix() for p in student.rglob("*.*")}
    assert names == {
        *("ch04_x/s1_a.ipynb", "ch04_x/s2_b.ipynb", "ch04_x/data.csv"),
        *("_static/a.svg", ".written.json"),
    }


def test_an_edited_file_is_never_overwritten(book, tmp_path):
    student = tmp_path / "student"
    write_student(book, student)
    edited, untouched = student / "ch04_x/s1_a.ipynb", student / "ch04_x/s2_b.ipynb"
    mine = read(edited)
    mine.cells[3].source = "my answer"
    write(mine, edited)
    stood = edited.read_bytes()
    for name in ("s1_a", "s2_b"):
        changed = section()
        changed.cells[0].source = "# 4.1 新题"
        write(normalise(changed), book / "ch04_x" / f"{name}.ipynb")

    # However often it is called, and whatever else is new.
    for _ in range(2):
        assert write_student(book, student) == (2, [edited])
        assert edited.read_bytes() == stood
    assert read(untouched).cells[0].source == "# 4.1 新题"

    edited.unlink()
    assert write_student(book, student)[1] == []
    assert read(edited).cells[0].source == "# 4.1 新题"


def test_a_file_that_was_there_before_is_never_overwritten(book, tmp_path):
    student = tmp_path / "student"
    theirs = student / "ch04_x/s1_a.ipynb"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    assert write_student(book, student)[1] == [theirs]
    assert theirs.read_text() == "theirs"
