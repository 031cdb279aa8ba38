# The two commands of the README are `make train` and `make test`. All others help development.
# PYTHON names the interpreter that the virtual environment VENV is made with.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# A virtual environment that failed half-way is made again.
.DELETE_ON_ERROR:

.PHONY: help train test slow lint types check docs clean

help: ## Say what there is to make
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/make \1	\2/'

train: $(VENV)/installed ## Train on the photographs that come along; minutes on two CPU cores
	$(BIN)/python train.py

test: $(VENV)/installed-dev ## Run the tests
	$(BIN)/python -m pytest

slow: $(VENV)/installed-dev ## Run the slow tests, minutes each
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/installed-dev ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev ## Check types
	$(BIN)/pyright --pythonpath $(BIN)/python

check: lint types test ## All that a change must pass

docs: $(VENV)/installed-dev ## Build the site of the documentation, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean: ## Remove the virtual environment
	rm -rf $(VENV)

$(BIN)/python:
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(BIN)/python pyproject.toml
	@echo "installing jaxinpaint and what it needs into $(VENV) (about 1 GB, once)"
	$(BIN)/python -m pip install --quiet --editable ".[baselines]"
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed pyproject.toml
	@echo "installing the tools for development into $(VENV)"
	$(BIN)/python -m pip install --quiet --editable ".[baselines,demo,dev,docs]"
	@touch $@
