# On a machine with Python 3.11 or newer, `make demo` and `make test` each work alone, from nothing.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DONE := $(VENV)/.installed
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# The networks that tests and demo train are small; more threads than one would only wait for one another.
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check format sanitize bench install core again

help:
	@echo "make demo      fit a forecaster on real data and judge it beside baselines (about two minutes)"
	@echo "make test      the tests (a few minutes)"
	@echo "make test-all  with the slow ones: fifty crashes in the middle of training, and the like"
	@echo "make check     ruff and mypy"
	@echo "make format    ruff format"
	@echo "make sanitize  the core under AddressSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer (about an hour)"
	@echo "make core      build the compiled core again, where its sources have changed (the others do it too)"
	@echo "make bench     the figures of docs/results.md, where the public data sets are at hand (a morning)"

demo: core
	$(BIN)/python -m recurra fit forecast examples/data/births.csv --out runs/demo --overwrite --time-budget 90s

test: core
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow"

test-all: core
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

check: $(DONE)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

format: $(DONE)
	$(BIN)/python -m ruff format .

sanitize: $(DONE)
	csrc/tests/sanitize

bench: core
	$(BIN)/python benchmarks/kernels.py
	$(BIN)/python benchmarks/accelerate.py
	$(BIN)/python benchmarks/forecast.py
	$(BIN)/python benchmarks/classify.py
	$(BIN)/python benchmarks/language.py
	$(BIN)/python benchmarks/serve.py

install: core

# Without a compiler the install goes on without the core; it is looked for again each time.
core: $(DONE)
	@ls src/recurra/_core.*.so >/dev/null 2>&1 || $(BIN)/cmake build/editable 2>&1 | grep '^recurra:' || true
	@$(BIN)/cmake --build build/editable -- --quiet

# .venv is filled again when what it should hold has changed, when the folder was moved, and when it is broken.
FIT_FOR_USE := $(shell $(BIN)/python -c "import sys, pip; print(sys.version_info >= (3, 11))" 2>/dev/null)
ifneq ($(FIT_FOR_USE) $(shell cat $(DONE) 2>/dev/null),True $(CURDIR))
$(DONE): again
endif

$(DONE): pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		{ echo "expected Python 3.11 or newer, got $$($(PYTHON) --version). Name one: make PYTHON=python3.11"; exit 1; }
ifneq ($(FIT_FOR_USE),True)
	@echo "making $(VENV)"
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "expected Python's venv module. Install it: apt install python3-venv"; exit 1; }
endif
	@echo "installing what constraints.txt pins (minutes, the first time)"
	@$(PIP) scikit-build-core nanobind cmake ninja
	@$(PIP) --no-build-isolation -e '.[dev]'
	@printf '%s' '$(CURDIR)' > $(DONE)
