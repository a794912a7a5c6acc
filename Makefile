# Everything starts here: `make help`. Needs python3 (3.11 or newer) with its venv module, and make; nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
COMPILE := --universal --generate-hashes --no-header pyproject.toml
URL ?= http://127.0.0.1:8000
ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run check lint test test-faults bench replay lock clean

help: ## show what can be done here
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/dev.stamp ## install everything, tools for development included, into .venv

run: $(VENV)/run.stamp ## run the whole system on this machine (ARGS="--port 8100 --data-dir DIR")
	@exec $(BIN)/afterschool up $(ARGS)

check: $(VENV)/dev.stamp ## style, types, layers and dependencies
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry src

test: check ## check, then run every test (ARGS="tests/domain -k name")
	$(BIN)/pytest -m "not long" --numprocesses 2 --dist loadgroup $(ARGS)

test-faults: $(VENV)/dev.stamp ## torment everything for a long while, under load, and print the figures (FAULT_SEED=1)
	$(BIN)/pytest -m long -s $(ARGS)

bench: $(VENV)/dev.stamp ## measure against peers on this machine; writes benchmarks/results/latest.json
	$(BIN)/python -m benchmarks $(ARGS)

replay: $(VENV)/dev.stamp ## play a learner log through a running system (FILE=log.jsonl.gz URL=http://…)
	$(BIN)/python -m benchmarks.replay $(FILE) --url $(URL) $(ARGS)

lock: $(VENV)/dev.stamp ## choose the newest versions that pyproject.toml allows, with their hashes
	$(BIN)/uv pip compile --quiet --upgrade $(COMPILE) --extra install -o requirements.lock
	$(BIN)/uv pip compile --quiet --upgrade $(COMPILE) --extra install --extra dev -c requirements.lock -o requirements-dev.lock
	@! grep -nE '://|index-url|find-links' requirements.lock requirements-dev.lock

clean: ## remove what was built; data in .afterschool stays
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Afterschool needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

# The stamps say what is installed, so that a second call has nothing to do.
$(VENV)/run.stamp: requirements.lock pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --require-hashes -r requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock requirements.lock pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $(VENV)/run.stamp $@
