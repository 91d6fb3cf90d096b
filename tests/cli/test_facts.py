"""``lmbook facts`` as a user meets it."""

import json
import sys
import warnings

import pytest

from lmbook.cli.main import main


@pytest.fixture
def lmbook_facts(monkeypatch, capsys):
    """Run in this process: code, output, errors."""

    def call(*arguments):
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
        monkeypatch.setattr(sys, "argv", ["lmbook", "facts", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code or 0, *capsys.readouterr()

    return call


def test_lists_the_tables(lmbook_facts):
    code, output, _ = lmbook_facts("list")
    assert code == 0
    assert "models" in output.splitlines()[0]
    rows = json.loads(lmbook_facts("list", "--json")[1])["tables"]
    assert len(rows) == len(output.splitlines())


def test_shows_a_row_with_units_and_source(lmbook_facts):
    code, output, _ = lmbook_facts("show", "models", "GPT-3")
    assert code == 0
    assert "params_total       174,600,000,000 parameters\n" in output
    assert "train_flops        3.14e+23 FLOPs\n" in output
    assert "pue                1.1\n" in output
    assert "source_url         https://arxiv.org/abs/2005.14165\n" in output
    (row,) = json.loads(lmbook_facts("show", "models", "GPT-3", "--json")[1])["rows"]
    assert row["params_total"] == 174_600_000_000
    assert row["checked"] == "2026-11-23"


def test_shows_a_table(lmbook_facts):
    output = lmbook_facts("show", "grids")[1]
    rows = json.loads(lmbook_facts("show", "grids", "--json")[1])["rows"]
    assert len(output.splitlines()) == len(rows) > 5
    assert output.startswith(rows[0]["name"])


def test_check_prints_what_is_older_than_twelve_months(lmbook_facts):
    code, output, errors = lmbook_facts("check", "--today", "2027-11-23")
    assert (code, output) == (0, "")
    assert errors.startswith("0 rows")
    code, output, errors = lmbook_facts("check", "--today", "2028-01-31")
    assert code == 0
    assert "2026-11-23  models/GPT-3  https://arxiv.org/abs/2005.14165\n" in output
    assert errors.startswith(f"{len(output.splitlines())} rows")
    stale = lmbook_facts("check", "--today", "2028-01-31", "--json")[1]
    assert len(json.loads(stale)["stale"]) == len(output.splitlines())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "model"], "no table named 'model'; did you mean 'models'?"),
        (["show", "models", "GTP-3"], "did you mean 'GPT-3'?"),
        (["check", "--today", "soon"], "--today must be a day like 2026-11-30"),
        ([], "Missing command."),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(lmbook_facts, arguments, message):
    code, output, errors = lmbook_facts(*arguments)
    assert (code, output) == (2, "")
    assert message in errors
    assert errors.count("\n") == 1
