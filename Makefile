# Every target sets up what it needs; README.md has the plain commands behind each.
# Another Python:   make book PYTHON=/path/to/python3.12
# Other options:    make lab LAB="--no-browser --port 9000"
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	"$$p" -c "" 2>/dev/null && echo "$$p" && break; done)
PY := .venv/bin/python
PYTEST := $(PY) -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup assets book lab test test-full notebooks student bench bench-gpu \
	lighthouse lint lock clean
# Targets share .venv and _build: under -j they still run one after another.
.NOTPARALLEL:
# Another environment's modules must not hide those of .venv.
unexport PYTHONPATH PYTHONHOME

help:
	@echo "make book        build the book: _build/html/index.html"
	@echo "make lab         open the book in JupyterLab"
	@echo "make test        run every test: lmbook, notebooks, built pages (needs Chromium)"
	@echo "make test-full   and the long ones: second instruction set, planted faults"
	@echo "make notebooks   execute again the notebooks whose code has changed"
	@echo "make student     write the book's notebooks without solutions to student/"
	@echo "make bench       run the benchmarks, record them in benchmarks/results/"
	@echo "make bench-gpu   train on an NVIDIA GPU, record its speed and a long run"
	@echo "make lighthouse  measure the built pages with Lighthouse"
	@echo "make lint        ruff and mypy"
	@echo "make lock        resolve pyproject.toml's ranges into requirements.txt"
	@echo "make clean       remove what was built (.venv and student/ stay)"

setup:
	@python="$(PYTHON)"; command -v "$$python" >/dev/null || { \
	echo "error: no Python$${python:+ at $$python}: install Python 3.11, or name one:" \
	"make book PYTHON=/path/to/python3.11" >&2; exit 2; }; \
	"$$python" tools/setup_env.py

assets: setup
	@$(PY) -m tools.site.assets

book: assets
	@$(PY) -m tools.site.build

lab: setup
	@$(PY) -m tools.lab $(LAB)

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

bench-gpu: setup
	@$(PY) -m benchmarks.gpu

lighthouse: book
	@$(PY) -m tools.site.lighthouse

lint: setup
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m mypy

lock: setup
	@$(PY) -m tools.lock

clean:
	@rm -rf _build _models .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
