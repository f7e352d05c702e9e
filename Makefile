# make serve: the service with the bundled model and a demo storm.  make test: every fast test.
# make check: lint, and the tests of what changed since main (BASE), in under a minute.  See README.md.
PYTHON ?= python3
BIN := .venv/bin
# Files of tests run at a time, each on a core of its own; more on a larger machine: WORKERS=8 make test.
WORKERS ?= 2
BASE ?= main
# Bytecode is kept, whatever the environment says: pytest rewrites each test's asserts once, and each process that a test starts compiles nothing.
ENVIRONMENT := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=
PYTEST := $(ENVIRONMENT) $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: serve check check-tests test test-slow lint compose-test

serve: .venv/.serve
	RAINCELL_DEMO=1 $(BIN)/python -m service run --host 127.0.0.1 --port $${RAINCELL_PORT:-8000}

check: .venv/.dev
	$(MAKE) --jobs 2 --output-sync lint check-tests

check-tests: .venv/.dev
	$(ENVIRONMENT) $(BIN)/python -m tests.changed --base $(BASE)

test: .venv/.dev
	$(PYTEST)

test-slow: .venv/.dev
	$(PYTEST) -m slow

# The whole deployment on this machine's Docker engine; RAINCELL_COMPOSE_OVERRIDE names compose files to put over ours.
compose-test:
	$(PYTHON) -m tests.docker.compose_run

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# What the service needs: no torch.
.venv/.serve: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "expected Python 3.11 or newer, got $$($(PYTHON) --version); set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[cpu,netcdf]'
	@touch $@

.venv/.dev: .venv/.serve
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[cpu,training,dev]'
	@touch $@
