# `make demo` and `make test` are the two commands; `make help` lists the rest.
SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 4
ARGS ?=

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@python=$$(ops/dev/find-python) && echo "using $$python" && "$$python" -m venv $(VENV)

# A stamp per lock file: the environment follows the lock, and a second run costs nothing.
$(VENV)/runtime.stamp: requirements.lock pyproject.toml | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/runtime.stamp
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

setup: $(VENV)/dev.stamp ## make .venv from the hash-locked requirements

demo: $(VENV)/runtime.stamp ## run a courier day end to end (ARGS=--stay leaves it up)
	@exec $(BIN)/tandem demo $(ARGS)

serve: $(VENV)/runtime.stamp ## serve the ledger and routing APIs on loopback
	@exec $(BIN)/tandem serve --work $(ARGS)

test: setup ## run the whole test suite, in parallel
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

drill: setup ## run the long drills: kill -9 of servers and database, again and again
	$(BIN)/python -m pytest -m drill $(ARGS)

# One seed with its trace, or so many of them: `make simulate SEED=123`, `make simulate SEEDS=1000`.
SEEDS ?= 200
simulate: setup ## run seeded simulations of the ledger (SEED=n for one, SEEDS=n for many)
	$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS)) $(ARGS)

mutate: setup ## mutate the ledger's core and see which tests notice (ARGS='tandem.ledger.core.parents*')
	nice -n 15 $(BIN)/mutmut run $(ARGS)

lint: setup ## ruff, formatting, types and import walls
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test smoke ## what CI runs: lint, the tests, then the smoke of the bench

format: setup ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet .

# `make bench SCALE=full` takes the real sizes; `make bench ONLY="throughput http"` some groups.
bench: setup ## measure the ledger beside its baselines (SCALE=full, ONLY=throughput)
	$(BIN)/python -m bench.ledger $(addprefix --scale ,$(SCALE)) $(addprefix --only ,$(ONLY)) $(ARGS)

bench-routing: setup ## measure the routing gateway beside a naive client
	$(BIN)/python -m bench.routing $(ARGS)

smoke: setup ## measure a little, and fail where a figure of the ledger collapsed
	$(BIN)/python -m bench.ledger --scale smoke $(ARGS)

contracts: setup ## write the descriptions of our own APIs again, for the diff to be looked at
	TANDEM_TEST_WRITE_CONTRACTS=1 $(BIN)/python -m pytest -q tests/contract/routing/test_openapi.py

lock: setup ## resolve the lock files again (needs uv)
	uv pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-header --no-annotate --group dev pyproject.toml -o requirements-dev.lock
	uv pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-header --no-annotate -c requirements-dev.lock pyproject.toml ops/dev/build.in -o requirements.lock

clean: ## remove the environment, caches and local data
	rm -rf $(VENV) .tandem .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache mutants

.PHONY: contracts help setup demo serve test drill simulate mutate lint check format bench bench-routing smoke lock clean
