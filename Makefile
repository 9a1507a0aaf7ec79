# Two commands: `make demo` and `make test`. Everything they need goes into .venv, nothing anywhere else.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint bench lessons clean

demo: .venv/demo
	@$(BIN)/python -m lessons.demo

test: .venv/test
	$(BIN)/python -m pytest $(ARGS)

lint: .venv/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

bench: .venv/test
	$(BIN)/python -m benchmarks.eager $(ARGS)
	$(BIN)/python -m benchmarks.compiled $(ARGS)

lessons: .venv/test
	@$(BIN)/pip install --quiet --disable-pip-version-check --group lessons
	$(BIN)/python -m lessons.notebooks $(ARGS)

clean:
	rm -rf .venv out

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "Python's venv module is missing: on Debian and Ubuntu it is the package python3-venv."; exit 1; }

# The stamps: a second run installs nothing, a change of pyproject.toml installs again. Groups need pip 25.1.
.venv/demo: $(BIN)/pip pyproject.toml
	@echo "Setting up .venv (once) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[render,plots]"
	@touch $@

.venv/test: $(BIN)/pip pyproject.toml
	@echo "Setting up .venv for the tests (once) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[all]" --group test
	@touch $@

.venv/lint: $(BIN)/pip pyproject.toml
	@$(BIN)/pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[all]" --group test --group lint
	@touch $@
