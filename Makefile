# Each target sets up .venv on first use. `make help` lists them.
PYTHON ?= python3
PY := .venv/bin/python

.PHONY: help demo train test test-slow chaos bench bench-quality bench-peers bench-gpu gpu-wheels baselines causes report tune paper paper-quick screenshots dashboard-picture lint format dashboard browse services test-services clean
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: .venv/ready  ## train NeuMF on generated data, no download, about a minute
	$(PY) -m src.train experiment=demo

train: .venv/ready  ## train NeuMF on MovieLens-1M; ARGS="model=gmf seed=1" for more
	$(PY) -m src.train $(ARGS)

screenshots: .venv/ready  ## pictures of the dashboard and a sweep's report, into docs; SWEEP=NAME
	$(PY) -m benchmarks.screenshots sweep=$(SWEEP)

dashboard-picture: .venv/ready  ## docs/dashboard.png, of thirty small runs: five minutes
	$(PY) -m benchmarks.many_runs

report: .venv/ready  ## the latest sweep's runs compared on one page; ARGS="sweep=NAME" for another
	$(PY) -m src.report $(ARGS)

tune: .venv/ready  ## search for a model's best settings; ARGS="model=neumf data=ncf-ml-1m trials=50 workers=2"
	$(PY) -m src.tune $(ARGS)

paper-quick: .venv/ready  ## the paper's tables and figures at 8 and 16 factors, into docs/paper-quick.md
	$(PY) -m src.paper quick=true workers=2 fill=docs/paper-quick.md $(ARGS)

paper: .venv/ready  ## all of them, three seeds; says first how long such runs took; ARGS="what=table2" for some
	$(PY) -m src.paper workers=2 fill=docs/paper.md $(ARGS)

# two processes, a file of tests in one of them: what a file makes is made once
test: .venv/ready  ## the tests
	$(PY) -m pytest -n 2 --dist loadfile

test-slow: .venv/ready  ## the tests that take longer, too
	$(PY) -m pytest -m "" -n 2 --dist loadfile

test-services: .venv/ready  ## eight jobs at once into MLflow's server on PostgreSQL
	$(PY) -m pytest -m services

chaos: .venv/ready  ## kills, failing disks and servers, damaged files: two hours; one with CHAOS_STEP=20, a point in 20
	$(PY) -m pytest -m chaos tests/chaos

bench: .venv/ready  ## our speed beside the usual ways of writing NCF, into docs/performance.md
	$(PY) -m benchmarks $(ROWS)

bench-quality: .venv/ready  ## whether speed costs quality: three seeds beside the plain loop
	$(PY) -m benchmarks.quality

bench-peers: .venv/ready .venv-recbole/ready .venv-cornac/ready  ## RecBole and Cornac on the same interactions
	$(PY) -m benchmarks.peers

bench-gpu: .venv/ready  ## examples and pairs a second on a GPU, on generated data of MovieLens-20M's and 1M's shape; ARGS="--small" tries it
	$(PY) -m benchmarks.gpu $(ARGS)

gpu-wheels:  ## into outputs/wheels what a machine with torch, Lightning and Python 3.12 still needs for bench-gpu
	$(PYTHON) -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \
		--platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
		--dest outputs/wheels --requirement benchmarks/gpu-requirements.txt

causes: .venv/ready  ## what the differences from the paper come from, into docs/paper.md; NAMES="mlp-1 batches" for some
	$(PY) -m benchmarks.causes $(NAMES)

baselines: .venv/ready  ## every model on the released MovieLens-1M, into docs/baselines.md; NAMES="ease mf" for some, ARGS="archive=FOLDER" for times
	$(PY) -m benchmarks.baselines $(NAMES) $(ARGS)

lint: .venv/ready  ## ruff and mypy
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: .venv/ready  ## let ruff format the code
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

dashboard: .venv/ready  ## the MLflow UI over all runs, at http://127.0.0.1:5000; ARGS="port=5077" for another port
	$(PY) -m src.dashboard $(ARGS)

browse: .venv/ready  ## a page for looking at a trained run; RUN=NAME, or RUN=NAME,NAME for two side by side
	$(PY) -m src.serve run=$(RUN) $(ARGS)

services: .venv/ready  ## MLflow's server on PostgreSQL, for many runs at once, until Ctrl-C: docs/cluster.md
	$(PY) -m src.tracking.services $(ARGS)

clean:  ## remove the virtual environment and caches, but no results
	rm -rf .venv .venv-recbole .venv-cornac .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info build

# torch comes first and pinned: asked for by other packages it may arrive in another build
.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: Python 3.11 or newer is needed; make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --constraint constraints.txt torch
	$(PY) -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(PY) -m src.training.compiled
	@touch $@

# In environments of their own: RecBole needs older setuptools, numpy and pandas than Cornac and we
.venv-recbole/ready: Makefile
	$(PYTHON) -m venv .venv-recbole
	.venv-recbole/bin/python -m pip install --quiet 'torch==2.13.0' 'setuptools<80' 'numpy<2' 'pandas<2.3'
	.venv-recbole/bin/python -m pip install --quiet 'recbole==1.2.1' 'setuptools<80' 'numpy<2' 'pandas<2.3'
	@touch $@

.venv-cornac/ready: Makefile
	$(PYTHON) -m venv .venv-cornac
	.venv-cornac/bin/python -m pip install --quiet 'torch==2.13.0'
	.venv-cornac/bin/python -m pip install --quiet 'cornac==3.0.1'
	@touch $@
