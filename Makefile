# Everything runs in .venv, made on first use by PYTHON (3.11 or newer).
#   make test PYTHON=python3.13 VENV=.venv-3.13     another Python, beside the first
#   make test ARGS='-k matmul'                      arguments for pytest

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
SUITE  ?=
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet install

# One thread in each BLAS: pytest runs one worker per core already.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 VECLIB_MAXIMUM_THREADS=1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup demo examples test lint format types layers check nightly coverage conformance oldest bench bench-quick bench-check build clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(VENV)/.dev  ## Install gradarg, editable, with all that development needs
	@echo "Ready: $(BIN)/python"

demo: $(VENV)/.train,sklearn  ## Train a network on handwritten digits
	$(BIN)/gradarg train digits

examples: $(VENV)/.dev  ## Run the examples; their pictures go into runs/examples
	@for file in examples/[a-z]*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

test: lint types check  ## Lint, types, layers, doctests and tests: all that CI runs

lint: $(VENV)/.dev  ## Check style and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(VENV)/.dev  ## Mend what lint can mend by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(VENV)/.dev  ## Check types
	$(BIN)/mypy

layers: $(VENV)/.dev  ## Check who imports whom
	$(BIN)/pytest -q tests/test_layers.py

check: $(VENV)/.dev  ## Run doctests and tests
	$(ONE_THREAD) $(BIN)/pytest --numprocesses=auto $(ARGS)

nightly: $(VENV)/.dev  ## Run random programs by the thousand, and the vector math on millions of numbers
	HYPOTHESIS_PROFILE=nightly $(ONE_THREAD) $(BIN)/pytest --numprocesses=auto \
	  tests/transform/test_fuzz*.py tests/jit/test_vector_math.py $(ARGS)

conformance: $(VENV)/.dev  ## Run the array API suite: make conformance SUITE=/path/to/array-api-tests
	@test -d '$(SUITE)/array_api_tests' || { \
	  echo "Name a checkout of data-apis/array-api-tests: make conformance SUITE=/path/to/it" >&2; exit 1; }
	$(PIP) -r '$(SUITE)/requirements.txt'
	cd '$(SUITE)' && ARRAY_API_TESTS_MODULE=gradarg ARRAY_API_TESTS_VERSION=2024.12 $(ONE_THREAD) \
	  '$(abspath $(BIN))/python' -m pytest -c pytest.ini array_api_tests --max-examples=100 $(ARGS)

coverage: $(VENV)/.dev  ## Measure what each function can do: docs/coverage.md
	$(ONE_THREAD) $(BIN)/python docs/coverage.py

oldest:  ## Run doctests and tests on the oldest NumPy that gradarg supports
	@$(MAKE) --no-print-directory setup VENV=$(VENV)-oldest
	$(VENV)-oldest/bin/python -m pip --disable-pip-version-check --quiet install 'numpy==2.0.*'
	@$(MAKE) --no-print-directory check VENV=$(VENV)-oldest

bench: $(VENV)/.bench  ## Run the benchmarks against other libraries
	$(BIN)/python benchmarks/compare.py $(ARGS)
	@for file in overhead jacobian import_time; do \
	  echo "== $$file"; $(BIN)/python benchmarks/$$file.py || exit 1; done

bench-quick: $(VENV)/.bench  ## The comparison in about two minutes
	$(BIN)/python benchmarks/compare.py --quick $(ARGS)

bench-check: $(VENV)/.bench  ## gradarg alone, against its last results on this machine
	$(BIN)/python benchmarks/compare.py --check $(ARGS)

build: $(VENV)/.dev  ## Build the sdist and the wheel into dist/
	$(BIN)/python -m build --no-isolation

clean:  ## Remove the environments, caches and all that was built
	rm -rf $(VENV) $(VENV)-oldest build dist docs/_build .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp $(VENV)/.EXTRAS says that `.[EXTRAS]` is installed as pyproject.toml has it now.
$(VENV)/.python:
	@command -v '$(PYTHON)' >/dev/null || { \
	  echo "No '$(PYTHON)' here. Name a Python 3.11 or newer: make PYTHON=/path/to/python" >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "gradarg needs Python 3.11 or newer, and '$(PYTHON)' is $$('$(PYTHON)' --version 2>&1)." \
	       "Name another: make PYTHON=python3.12" >&2; exit 1; }
	'$(PYTHON)' -m venv $(VENV)
	@touch $@

$(VENV)/.%: pyproject.toml | $(VENV)/.python
	$(PIP) --editable '.[$*]'
	@touch $@
