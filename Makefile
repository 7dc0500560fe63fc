# make demo   install into .venv and train VEEGAN for a minute or two
# make test   install what the tests need and run them
# make quick  two minutes of tests that cover each room of the core, for every day
# make check  ruff, the type checker and the import contract
# make docs   build the pages in docs/, the reference of specs and the API into build/docs
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PLUGINS = $(wildcard plugins/*)
PACKAGES = $(addprefix ./,$(PLUGINS))
# Observers that bring a large library along, which a demo does not need.
OBSERVERS = ./plugins/tensorboard ./plugins/wandb

QUICK = $(patsubst %,tests/test_%.py,layout text hiding registry checks specs strangers data data_csv data_images \
          engine parity networks metrics figures trained experiment places cli init tracking_old testing) \
        plugins/veegan/tests

# A process a core, so each of one thread. A file's tests stay in one process, which shares what they prepare; in their
# own order, files of few but long tests are not left for the end, when other processes have nothing more to do.
# Bytecode is written whatever the surroundings say: else each of hundreds of processes would compile what it imports.
PYTEST = PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

.PHONY: demo test quick check docs clean
.DEFAULT_GOAL := demo

demo: $(VENV)/.demo
	$(BIN)/allmodes run veegan/demo
	@echo
	@echo "Look at the picture above, or open MLflow on these runs:  $(BIN)/allmodes ui"
	@echo "What else is there:  $(BIN)/allmodes recipes"

test: $(VENV)/.dev
	$(PYTEST)

quick: $(VENV)/.dev
	$(PYTEST) -q $(QUICK)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers 2
	$(BIN)/lint-imports

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  (echo "allmodes needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1)
	$(PYTHON) -m venv $(VENV)

docs: $(VENV)/.dev
	$(BIN)/python -m sphinx -E -W --keep-going -b html docs build/docs
	@echo "The site is in build/docs/index.html"

# A stamp for each purpose: a second `make demo` or `make test` installs nothing.
$(VENV)/.demo: pyproject.toml $(PLUGINS:%=%/pyproject.toml) | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -e . $(addprefix -e ,$(filter-out $(OBSERVERS),$(PACKAGES)))
	@touch $@

$(VENV)/.dev: pyproject.toml $(PLUGINS:%=%/pyproject.toml) | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check --no-compile -e ".[dev]" $(addprefix -e ,$(PACKAGES))
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
