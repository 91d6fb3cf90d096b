# Every target sets up what it needs by itself; README.md has the plain commands.
PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3 python,$(if $(shell command -v $(p) 2>/dev/null),$(p))))
PY := .venv/bin/python
PYTEST := $(PY) -m pytest

.PHONY: help book lab test test-full notebooks student bench bench-gpu lint lock clean setup assets
.DEFAULT_GOAL := help

help:
	@echo "make book        build the book: _build/html/index.html"
	@echo "make lab         open the book in JupyterLab"
	@echo "make test        run every test: lmbook, notebooks, built pages (needs Chromium)"
	@echo "make test-full   and the long ones: second instruction set, planted faults"
	@echo "make notebooks   execute again the notebooks whose code has changed"
	@echo "make student     write the book's notebooks without solutions to student/"
	@echo "make bench       run the benchmarks, record them in benchmarks/results/"
	@echo "make lint        ruff and mypy"
	@echo "make lock        resolve pyproject.toml's ranges into requirements.txt"
	@echo "make clean       remove what was built (not .venv)"

setup:
	@test -n "$(PYTHON)" || { echo "error: no Python found; install Python 3.11" >&2; exit 2; }
	@"$(PYTHON)" tools/setup_env.py

assets: setup
	@$(PY) -m tools.site.assets

book: assets
	@$(PY) -m tools.site.build

lab: assets
	@$(PY) -m tools.lab

test: book
	@$(PYTEST) -m "not full"

test-full: book
	@$(PYTEST)

notebooks: setup
	@$(PY) -m tools.notebooks.refresh

student: setup
	@$(PY) -m tools.notebooks.student

bench: setup
	@$(PY) -m benchmarks

lint: setup
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m mypy

lock: setup
	@$(PY) -m tools.lock

clean:
	@rm -rf _build _models student .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
