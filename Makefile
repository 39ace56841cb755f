# make help lists what there is. Everything runs from .venv, which `make install` builds.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Compiled modules are kept whatever the environment says: commands then start in half the time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install demo ui notebooks test lint format lock bench clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

install: $(STAMP) ## Install the locked, hashed dependencies into .venv

$(STAMP): requirements/dev.lock requirements/bootstrap.lock pyproject.toml scripts/install.sh
	@PYTHON="$(PYTHON)" bash scripts/install.sh $(VENV)
	@touch $@

demo: install ## Run the whole pipeline against the sandbox portal
	@$(BIN)/pf-pipeline demo

ui: install ## Open the Dagster UI with a sandbox portal behind it
	@$(BIN)/pf-pipeline ui

notebooks: install ## Open the notebooks in JupyterLab, on make-believe leads
	@$(BIN)/python -m notebooks

test: install ## Run the tests
	@$(BIN)/python -m pytest -n auto --dist loadfile

lint: install ## Check style, types and the arrows between the rooms
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

format: install ## Apply the code style
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

lock: install ## Renew requirements/*.lock from pyproject.toml
	@$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links pyproject.toml -o requirements/runtime.lock
	@$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --no-emit-find-links --extra dev --extra notebooks pyproject.toml -o requirements/dev.lock

bench: install ## Run the benchmarks and print their figures
	@$(BIN)/python -m bench

clean: ## Remove .venv and caches; data/ stays
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
