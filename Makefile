# Each target sets up .venv on first use. `make help` lists them.
PYTHON ?= python3
PY := .venv/bin/python

.PHONY: help demo train test test-slow lint format dashboard clean
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: .venv/ready  ## train NeuMF on generated data, no download, about a minute
	$(PY) -m src.train experiment=demo

train: .venv/ready  ## train NeuMF on MovieLens-1M; ARGS="model=gmf seed=1" for more
	$(PY) -m src.train $(ARGS)

test: .venv/ready  ## the tests
	$(PY) -m pytest

test-slow: .venv/ready  ## the tests that take longer, too
	$(PY) -m pytest -m ""

lint: .venv/ready  ## ruff and mypy
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: .venv/ready  ## let ruff format the code
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

dashboard: .venv/ready  ## the MLflow UI over all runs, at http://127.0.0.1:5000
	$(PY) -m src.dashboard

clean:  ## remove the virtual environment and caches, but no results
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info build

# torch comes first and pinned: asked for by other packages it may arrive in another build
.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: Python 3.11 or newer is needed; make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --constraint constraints.txt torch
	$(PY) -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@
