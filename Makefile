# Two commands: `make demo` and `make test`. Everything they need goes into $(VENV), nothing anywhere else.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# The first pip that knows dependency groups is 25.1.
INSTALL := $(PIP) install --upgrade "pip>=25.1" && $(PIP) install
# As many processes as there are cores; `make test WORKERS=` runs the tests in one. One that dies ends the run, with the
# name of its test.
WORKERS ?= --numprocesses=logical --maxprocesses=8 --dist=loadfile --no-loadscope-reorder --max-worker-restart=0
# Where it is set, each worker and each process that a test starts compiles all it imports anew: half of the time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint bench lessons docs try lite release-check clean

demo: $(VENV)/demo
	@$(BIN)/python -m lessons.demo

test: $(VENV)/test
	$(BIN)/python -m pytest $(WORKERS) $(ARGS)

lint: $(VENV)/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python -m mypy
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff

bench: $(VENV)/test
	$(BIN)/python -m benchmarks.eager $(ARGS)
	$(BIN)/python -m benchmarks.compiled $(ARGS)

lessons: $(VENV)/test
	@$(INSTALL) --group lessons
	$(BIN)/python -m lessons.chapters build $(ARGS)

# The page that runs the package in a browser, in out/site/try/run; `npm` fetches Python and Graphviz in WebAssembly.
try: $(VENV)/test browser/node_modules
	$(BIN)/python -m browser $(ARGS)

# The course in JupyterLite, in out/site/lite.
lite: $(VENV)/test browser/node_modules
	@$(INSTALL) --group lite
	$(BIN)/python -m browser.lite $(ARGS)

browser/node_modules: browser/package-lock.json
	npm ci --prefix browser
	@touch $@

docs: $(VENV)/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build $(ARGS)

release-check: $(VENV)/release
	.ci/release-check $(BIN)

clean:
	rm -rf $(VENV) out

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv module is missing: on Debian and Ubuntu it is the package python3-venv."; exit 1; }

# The stamps: a second run installs nothing, a change of what is installed or compiled installs again.
SETUP := pyproject.toml hatch_build.py autodiff/_core.c

$(VENV)/demo: $(VENV)/pyvenv.cfg $(SETUP)
	@echo "Setting up $(VENV) (once) ..."
	@$(INSTALL) --editable ".[render,plots]"
	@touch $@

$(VENV)/test: $(VENV)/pyvenv.cfg $(SETUP)
	@echo "Setting up $(VENV) for the tests (once) ..."
	@$(INSTALL) --editable ".[all]" --group test
	@touch $@

$(VENV)/lint: $(VENV)/pyvenv.cfg $(SETUP)
	@$(INSTALL) --editable ".[all]" --group test --group lint
	@touch $@

$(VENV)/docs: $(VENV)/pyvenv.cfg $(SETUP)
	@$(INSTALL) --editable ".[all]" --group docs
	@touch $@

$(VENV)/release: $(VENV)/pyvenv.cfg $(SETUP)
	@$(INSTALL) --editable ".[all]" --group test --group release
	@touch $@
