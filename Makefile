# `make demo` and `make test` are all a newcomer needs; each sets up what it needs by itself first.
# Another Python than python3: make PYTHON=python3.13 test

PYTHON ?= python3
MOMENTS ?= 50
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

# what a user exported for other projects stays outside of .venv
unexport PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE = 1

.DEFAULT_GOAL := help
.PHONY: help demo test check bench soak lowest lock reference clean python demo-environment dev-environment \
	mlflow-environment browser

help:
	@echo 'make demo       the whole loop on a year of real flights, then its pages (ARGS="--until 2013-06" for a short run)'
	@echo 'make test       every check and every test, as CI runs them'
	@echo 'make check      format, lint, types, imports and unit tests, in under a minute'
	@echo 'make bench      measure, and write benchmarks/results/ and docs/benchmarks.md'
	@echo 'make soak       the kill tests at 50 moments (MOMENTS=5 for fewer)'
	@echo 'make lowest     unit tests with the lowest versions of the direct dependencies'
	@echo 'make lock       write requirements/*.lock anew (UPGRADE=1: with the newest versions)'
	@echo 'make reference  write docs/reference/cli.md, http.md and mlflow.md anew from the code'
	@echo 'make clean      remove .venv, .venv-mlflow and every cache'

demo: demo-environment
	$(BIN)/paddock demo $(ARGS)

test: dev-environment mlflow-environment browser
	$(static-checks)
	$(PYTEST) $(ARGS)

# one thread for each process: on two cores they would only wait for each other
check: export OMP_NUM_THREADS = 1
check: export OPENBLAS_NUM_THREADS = 1
check: dev-environment
	$(static-checks)
	$(PYTEST) -q -n auto -m "not postgres" tests/unit src $(ARGS)

bench: dev-environment
	$(BIN)/python benchmarks/record.py $(ARGS)

soak: dev-environment
	PADDOCK_KILL_MOMENTS=$(MOMENTS) $(PYTEST) tests/faults -m kill --timeout=3600 $(ARGS)

lowest: python
	$(PYTHON) scripts/environment.py lowest
	.venv-lowest/bin/python -m pytest -q tests/unit src $(ARGS)

lock: dev-environment
	$(BIN)/python scripts/lock.py $(if $(UPGRADE),--upgrade)

reference: dev-environment
	$(BIN)/python scripts/command_reference.py
	$(BIN)/python scripts/http_reference.py

clean:
	rm -rf .venv .venv-lowest .venv-mlflow .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

define static-checks
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache
endef

demo-environment: python
	@$(PYTHON) scripts/environment.py demo

dev-environment: python
	@$(PYTHON) scripts/environment.py dev

# the real client of MLflow, which knows nothing of Paddock
mlflow-environment: python
	@$(PYTHON) scripts/environment.py mlflow

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo 'error: `$(PYTHON)` is missing or older than Python 3.11' >&2; \
		  echo 'hint: make PYTHON=python3.12 $(MAKECMDGOALS)' >&2; exit 1; }

# with CI=true a machine without Chromium gets it, and a test that needs something of the machine and is skipped
# has failed; tests/plugins/needs.py says what is excused
ifeq ($(CI),true)
export PADDOCK_REQUIRE_ALL = 1
browser:
	@sh scripts/install_browser.sh
else
browser:
endif
