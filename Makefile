# The two commands of the README are `make train` and `make test`. All others help development.
# PYTHON names the interpreter that .venv is made with.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help train test slow lint types check clean

help: ## Say what there is to make
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/make \1	\2/'

train: .venv/installed ## Train on the photographs that come along; minutes on two CPU cores
	$(BIN)/python train.py

test: .venv/installed-dev ## Run the tests
	$(BIN)/python -m pytest

slow: .venv/installed-dev ## Run the slow tests too
	$(BIN)/python -m pytest -m ""

lint: .venv/installed-dev ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed-dev ## Check types
	$(BIN)/pyright

check: lint types test ## All that a change must pass

clean: ## Remove .venv
	rm -rf .venv

.venv/bin/python:
	@echo "making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml
	@echo "installing jaxinpaint and what it needs into .venv (about 1 GB, once)"
	$(BIN)/python -m pip install --quiet --editable ".[baselines]"
	@touch $@

.venv/installed-dev: .venv/installed pyproject.toml
	@echo "installing the tools for development into .venv"
	$(BIN)/python -m pip install --quiet --editable ".[baselines,dev]"
	@touch $@
