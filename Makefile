# `make run` tries everything out, `make test` tests everything; both need nothing but Python 3.11 and make. Tests that
# need more are left out, and the end of the run says which: CONTRIBUTING.md

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

# Prefect loads two thousand modules into each of the hundreds of processes of a test run: they are compiled once, also
# where the environment wants nothing written. It halves the time that a process takes to start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run serve test suite check everyday soak endurance scale prefect-versions mutants lint format dictionary reference pictures lock clean
.DEFAULT_GOAL := run

run: $(READY)
	$(BIN)/python -m examples.try_out

# Prefect's UI, schedules and worker, with the sandbox: docs/deploying.md
serve: $(READY)
	$(BIN)/sourcing serve

test: $(READY)
	@$(MAKE) --no-print-directory --jobs 2 lint suite

# four on two cores: half of the time a test waits for a process that it started
suite: .venv/.compiled
	$(BIN)/pytest --numprocesses 4 --dist worksteal

# once: the four workers would compile the same modules at the same moment
.venv/.compiled: $(READY)
	@$(BIN)/pytest --collect-only >/dev/null || true
	@touch $@

# while working: lint, types, and the tests that start no process, a minute; before a change goes in: make test
check: $(READY)
	@$(MAKE) --no-print-directory --jobs 2 lint everyday

everyday: $(READY)
	$(BIN)/pytest --everyday --numprocesses 2 --dist worksteal

# about 75 minutes on two free cores; EPISODES=… START=… play others
EPISODES ?= 100000
START ?= 0
soak: $(READY)
	$(BIN)/python -m tests.simulation --episodes $(EPISODES) --start $(START) --workers 2

# an hour and more of kills, stops and database restarts; PART=storm does a part of it (tests/endurance)
endurance: $(READY)
	$(BIN)/python -m tests.endurance $(PART)

# one batch bought by one run and by four, on PostgreSQL
scale: $(READY)
	$(BIN)/python -m tests.endurance scale

# installs, buys and serves with the oldest and the newest Prefect that pyproject.toml allows, on each Python found
prefect-versions: $(READY)
	$(BIN)/python -m tests.endurance.wheel

mutants: $(READY)
	$(BIN)/python -m tests.mutants $(NAMES)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry --no-ansi .
	$(BIN)/python -m tests.product_size

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# docs/data-dictionary.md, from the words in connectors/snapshots/tables
dictionary: $(READY)
	$(BIN)/python -m tests.dictionary_page

# docs/reference.md and docs/reasons.md, from the words of commands, settings, prefect.yaml and reasons
reference: $(READY)
	$(BIN)/python -m tests.reference_page
	$(BIN)/python -m tests.reasons_page

# docs/images, of real runs in a terminal and in Chromium; some minutes
pictures: $(READY)
	$(BIN)/python -m docs.take_pictures

# LOCK=requirements.lock makes it without what only development needs. uv takes a fifth of pip's time; where it can't be
# had, or pip has an index of its own, which uv does not know, pip does it
LOCK ?= development.lock
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
OWN_INDEX := $(BIN)/python -m pip config list | grep index >/dev/null
WITH_PIP := $(PIP) install --no-compile --require-hashes --requirement
WITH_UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --requirement
$(READY): $(LOCK) installer.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	@echo "Installing what $(LOCK) names into .venv"
	@$(PYTHON) -m venv .venv
	@! $(OWN_INDEX) && $(WITH_PIP) installer.lock --only-binary :all: && $(WITH_UV) $(LOCK) || $(WITH_PIP) $(LOCK)
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $(READY)

# what runs, with all extras and what builds it; that with all for development; and uv. Writes no index address
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	--no-annotate
lock: $(READY)
	$(WITH_PIP) installer.lock
	$(COMPILE) --all-extras pyproject.toml --group build --output-file requirements.lock
	$(COMPILE) --all-extras pyproject.toml --group dev --constraint requirements.lock --output-file development.lock
	$(COMPILE) --group installer --output-file installer.lock

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
