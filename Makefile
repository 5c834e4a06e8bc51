# Everything runs from a virtual environment in .venv, which the first target that needs it makes.
VENV := .venv
STAMP := $(VENV)/installed.stamp
BIN := $(VENV)/bin

.PHONY: help venv test lint docs demo ci

help:
	@echo "make demo   compile two models, run them on the best device here, and say what happened"
	@echo "make test   FileCheck tests, then unit tests"
	@echo "make lint   ruff and basedpyright"
	@echo "make docs   write docs/reference from the code"
	@echo "make ci     all of it, and the wheel tried in an empty environment"
	@echo "make venv   only the environment"

venv: $(STAMP)

# The stamp is older than pyproject.toml when the dependencies may have changed.
$(STAMP): pyproject.toml
	@found=; \
	for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "make: Python 3.11 or newer is needed, and none is on the PATH" >&2; exit 1; fi; \
	set -e; \
	if ! $(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then $$found -m venv --clear $(VENV); fi; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,dev]'; \
	touch $@

test: $(STAMP)
	$(BIN)/lit tests/filecheck
	$(BIN)/pytest -n auto --dist worksteal $(PYTEST_ARGS)

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright

docs: $(STAMP)
	$(BIN)/python -m rammer_ir.reference

demo: $(STAMP)
	$(BIN)/python -m rammer_ir.demo

ci:
	.ci/run
