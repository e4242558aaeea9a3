# `make demo` and `make test` need Python 3.11 or newer and nothing else; they make their own environment in .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check static bench docs clean

demo: .venv/installed ## the whole of it, on a simulated incident
	$(BIN)/trailhound demo

test: .venv/installed-dev ## the whole test suite
	$(BIN)/python -m pytest -n auto --dist loadfile

check: static test ## all that a change must pass

static: .venv/installed-dev ## lint, format, types, layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

bench: .venv/installed-dev ## speed and memory, as ratios to the floor of the same run
	$(BIN)/python bench/ingest.py
	$(BIN)/python bench/detect.py
	$(BIN)/python bench/investigate.py

docs: .venv/installed-dev ## the generated parts of docs/reference
	$(BIN)/python docs/generate.py

clean: ## leave only what is in the repository
	rm -rf .venv dist

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@
