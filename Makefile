# Beacon's tasks. `make` alone lists them. Nothing is needed but make and Python 3.11 or newer.

VENV ?= .venv
BIN := $(VENV)/bin
# the first of these that is new enough; asked only when a virtual environment has to be made
FIND_PYTHON = for p in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; exit; }; done; echo none

.DEFAULT_GOAL := help
.PHONY: help run install dev-backend test clients clients-lock browser screenshots ui ui-check ui-test lint format bench lock conf build clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(VENV)/.installed ## install what Beacon needs, then start it; Ctrl-C stops it
	@$(BIN)/beacon up

dev-backend: $(VENV)/.installed ## start Beacon with the debug log on the screen; Ctrl-C stops it
	@said=$$(BEACON_LOG_LEVEL=DEBUG $(BIN)/beacon up --detach) || exit; \
		echo "$$said" | sed 's/^Stop with .*/Stop with Ctrl-C./'; echo
	@trap '$(BIN)/beacon down' EXIT; trap 'exit 0' INT TERM HUP; $(BIN)/beacon logs -f

install: $(VENV)/.installed-dev ## everything for working on Beacon: its dependencies, pytest, ruff, mypy

test: $(VENV)/.installed-dev ## every test but those of `make clients` and `make browser`
	@$(BIN)/python -m pytest -m "not bench and not clients and not browser" $(ARGS)

clients: $(VENV)/.installed-dev ## real OpenTelemetry clients, each installed in build/clients the first time
	@$(BIN)/python -m pytest -m clients tests/clients $(ARGS)

browser: $(VENV)/.installed-dev hub/ui/node_modules/.installed ## the web UI in Chromium, which has to be installed
	@$(BIN)/python -m pytest -m browser tests/e2e $(ARGS)

screenshots: $(VENV)/.installed-dev ## pictures of every page of the web UI, in both themes, into build/screenshots
	@$(BIN)/python -m tests.e2e.screenshots $(ARGS)

ui: hub/ui/node_modules/.installed ## build the web UI from hub/ui into hub/static/ui; needs Node 20 or newer
	@cd hub/ui && npm run --silent types && npm run --silent build

ui-test: hub/ui/node_modules/.installed ## unit tests of the web UI
	@cd hub/ui && npm run --silent test

ui-check: hub/ui/node_modules/.installed ## style and types of the web UI, and whether what is committed is what it builds
	@cd hub/ui && npm run --silent check

hub/ui/node_modules/.installed: hub/ui/package.json hub/ui/package-lock.json hub/ui/.npmrc
	@cd hub/ui && npm ci --silent
	@touch $@

clients-lock: $(VENV)/bin/python ## lock anew what tests/clients/requirements/*.in ask for
	@$(BIN)/python -m venv build/lock
	@build/lock/bin/pip install --quiet --disable-pip-version-check uv
	@cd tests/clients/requirements && for asked in *.in; do \
		$(CURDIR)/build/lock/bin/uv pip compile $$asked $(subst make lock,make clients-lock,$(LOCK)) --output-file $${asked%.in}.txt || exit; done

lint: $(VENV)/.installed-dev ## style, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.installed-dev ## bring the code into form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.installed-dev ## measure speed, memory and disk: eight minutes, or two with ARGS=--quick
	@$(BIN)/python -m tests.bench $(ARGS)

lock: $(VENV)/bin/python ## take the newest versions that fit pyproject.toml into the lock files
	@$(BIN)/python -m venv build/lock
	@build/lock/bin/pip install --quiet --disable-pip-version-check uv
	@build/lock/bin/uv pip compile pyproject.toml $(LOCK) --output-file requirements.lock
	@build/lock/bin/uv pip compile pyproject.toml $(LOCK) --extra dev --constraint requirements.lock \
		--output-file requirements-dev.lock

LOCK := --quiet --universal --python-version 3.11 --upgrade --no-annotate --no-emit-index-url \
	--custom-compile-command "make lock"

conf: $(VENV)/.installed ## write supervisord.conf anew from its template
	@$(BIN)/python -c 'import pathlib; from beacon.supervision import render_tree as tree; pathlib.Path("supervisord.conf").write_text(tree())'

build: $(VENV)/.installed ## a wheel in dist/
	@rm -rf build # setuptools would pack what lies there from before
	@$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## remove the virtual environment, builds and caches; Beacon's data in ~/.beacon stays
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@python=$$($(FIND_PYTHON)); \
	if [ "$$python" = none ]; then echo "Beacon needs Python 3.11 or newer; none was found. Name one: make run PYTHON=/path/to/python3" >&2; exit 1; fi; \
	$$python -m venv $(VENV) || { rm -rf $(VENV); echo "Python could not make a virtual environment (on Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; }

# The stamps: a second run has nothing to install
$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing Beacon into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "Installing the tools into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@touch $@
