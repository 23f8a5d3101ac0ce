PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --no-deps
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps
ROWS ?= 1000000
# uv compiles nothing: unwritten, each process of a test would compile dbt once more.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help build test test-system lint docs bench clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

# uv installs the lock in seconds. Where uv cannot be had, or finds no index, pip takes the same lock.
$(READY): requirements.lock requirements-uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "wardhouse needs Python 3.11; $(PYTHON) is older. Set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "this Python cannot make environments; on Debian: apt-get install python3.11-venv"; exit 1; }
	@echo "installing the locked packages into $(VENV)"
	@{ $(PIP) --require-hashes -r requirements-uv.lock && $(UV) --require-hashes -r requirements.lock; } || \
		{ echo "uv cannot install them: installing by pip"; $(PIP) --require-hashes -r requirements.lock; }
	@$(PIP) --no-build-isolation -e .
	@touch $@

build: $(READY) ## build the warehouse on the shipped sample (or WARDHOUSE_RAW_DIR), print its answers
	@$(BIN)/wardhouse build

test: $(READY) lint ## lint, and pytest with the sample's data and unit tests and every area's figures
	@$(BIN)/pytest

test-system: $(READY) ## what runs whole processes and long: chaos, brokers, benchmarks, long chains
	@$(BIN)/pytest -m system

lint: $(READY) ## check style: ruff, sqlfluff, yamllint
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/yamllint --strict .
	@$(BIN)/python tests/lint_sql.py lint --processes 2 --disable-progress-bar models tests

docs: $(READY) ## write the documentation as one page, target/static_index.html
	@$(BIN)/dbt docs generate --static

bench: $(READY) ## measure the hospital build against hand-written scripts (ROWS=1000000)
	@$(BIN)/wardhouse bench hospital --treatments $(ROWS)

clean: ## remove what builds made; the environment stays
	@rm -rf target logs exports published wardhouse.duckdb wardhouse.duckdb.wal wardhouse.duckdb.tmp .pytest_cache .ruff_cache .hypothesis
