.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_COMPILE := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --quiet

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(VENV)/.ready ## make .venv from the locked dependencies (the other targets call it)

$(VENV)/.ready: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Portcall needs Python 3.11 or newer; set PYTHON=/path/to/python3" >&2; exit 2; }
	@echo "Installing the locked dependencies into $(VENV) (about a minute the first time)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: demo
demo: setup ## the main job on a real registry, in a minute (KEEP=1 leaves it running)
	@$(BIN)/portcall demo $(if $(KEEP),--keep)

.PHONY: format
format: setup ## format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix --quiet .

.PHONY: lock
lock: ## lock the dependencies again (needs uv on PATH)
	$(UV_COMPILE) --output-file requirements/runtime.txt
	$(UV_COMPILE) --group dev --constraint requirements/runtime.txt --output-file requirements/dev.txt
	$(subst pyproject.toml,,$(UV_COMPILE)) --group build --constraint requirements/dev.txt --output-file requirements/build.txt

.PHONY: lint
lint: setup
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

.PHONY: types
types: setup
	@$(BIN)/mypy

.PHONY: imports
imports: setup
	@$(BIN)/lint-imports

.PHONY: check
check: lint types imports ## lint, types, import contracts

.PHONY: test
test: packages check ## everything: check, then the tests (starts Temporal, PostgreSQL and a registry)
	@$(BIN)/pytest --numprocesses 2 --dist loadfile

.PHONY: packages
packages:
	@.ci/system-packages

.PHONY: bench
bench: setup ## first figures, beside the bare SDK on the same server (some minutes)
	@$(BIN)/python -m bench

.PHONY: bench-matching
bench-matching: setup ## what matching costs with 100 and with 10,000 policies (some minutes)
	@$(BIN)/python -m bench.matching

.PHONY: bench-isolation
bench-isolation: setup ## what receivers that hang cost the others (some minutes)
	@$(BIN)/python -m bench.isolation

.PHONY: test-stack
test-stack: setup ## docker-compose.yml for real; gets itself a Docker engine where there is none
	@$(BIN)/pytest tests/stack -m stack --capture=no
