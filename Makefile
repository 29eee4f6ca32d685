# For developers. What users need is in README.md; the loop for a data set is in pipelines/Makefile.
#
#   make setup     a virtual environment with everything that `make check` needs
#   make check     what CI runs: format, lint, types, layers, tests
#   make format    let ruff rewrite what it can
#   make demo      the whole loop on phantoms
#
# Another interpreter or folder: make setup PYTHON=python3.12 VENV=.venv312
# With a GPU, to get the CUDA build of PyTorch: make setup CONSTRAINTS=

PYTHON      ?= python3
VENV        ?= .venv
CONSTRAINTS ?= -c constraints-cpu.txt

BIN := $(VENV)/bin

.PHONY: setup check format-check lint types layers test format demo
.DEFAULT_GOAL := check

setup:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(CONSTRAINTS) -e '.[dev,tensorboard]'

check: format-check lint types layers test

format-check:
	$(BIN)/ruff format --check .

lint:
	$(BIN)/ruff check .

types:
	$(BIN)/mypy

layers:
	$(BIN)/lint-imports

test:
	$(BIN)/python -m pytest

format:
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

demo:
	$(BIN)/samssl demo
