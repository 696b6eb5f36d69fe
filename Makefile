# `make help` lists the targets. Recipes work from a clean clone; stamps make repeated runs quick.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The interpreter that the environments are made with: 3.10 or newer.
PYTHON ?= python3
# More arguments for pytest, e.g. make test PYTEST_ARGS="-k cancel -x"
PYTEST_ARGS ?=
# More arguments for the benchmarks
BENCH_ARGS ?=

# The oldest Dash that is supported; every name in dash/internals/ is tested against it.
OLDEST_DASH := 3.0.4
# Stores, processes, signals and servers are the same on every Dash; they are tested on the newest only.
OLDEST_TESTS := tests/unit tests/contract/test_dash_internals.py tests/integration/test_compat.py tests/browser
# The next Dash, while it is a pre-release: what we use of it, and pages that show it.
NEXT_DASH := 4.5.0rc2
NEXT_TESTS := tests/contract/test_dash_internals.py tests/integration/test_compat.py tests/unit/test_background.py \
	$(addprefix tests/browser/,test_dash_streams.py test_renderer_names.py test_outputs.py test_running.py test_streaming.py \
	test_background_page.py test_patterns.py test_asgi_page.py)

PACKAGING := pyproject.toml src/dash_long_callback/_version.py
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check

export PYTHON

.PHONY: help
help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: .venv-demo/.stamp  ## Run the gallery of examples
	.venv-demo/bin/python examples/gallery.py

.PHONY: demo-celery
demo-celery: .venv-demo-celery/.stamp  ## Run example 6: a Redis, a Celery worker and the app
	@exec .venv-demo-celery/bin/python scripts/demo-celery

.PHONY: venv
venv: .venv/.stamp  ## Make .venv: the newest Dash, the package (editable), all development tools

# The tests start a thousand Pythons: those after the first read what it has compiled.
test test-oldest test-next: export PYTHONDONTWRITEBYTECODE :=

# A prerequisite of the tests and not of each environment: only tests open a browser.
.PHONY: system
system:
	@scripts/setup-system

# The newest Dash first and in full, then the oldest, then a part on the next: the first failure ends the run.
.PHONY: test
test: system .venv/.stamp .venv-oldest/.stamp .venv-next/.stamp node_modules/.stamp  ## Run all tests on the newest Dash, then on the oldest and the next (PYTEST_ARGS=...)
	.venv/bin/python -m pytest $(PYTEST_ARGS)
	.venv-oldest/bin/python -m pytest $(OLDEST_TESTS) -m "not newest_only" $(PYTEST_ARGS)
	.venv-next/bin/python -m pytest $(NEXT_TESTS) $(PYTEST_ARGS)

.PHONY: test-oldest
test-oldest: system .venv-oldest/.stamp node_modules/.stamp  ## Run the tests on the oldest supported Dash (PYTEST_ARGS=...)
	.venv-oldest/bin/python -m pytest $(OLDEST_TESTS) -m "not newest_only" $(PYTEST_ARGS)

.PHONY: test-next
test-next: system .venv-next/.stamp node_modules/.stamp  ## Run a part of the tests on the pre-release of the next Dash (PYTEST_ARGS=...)
	.venv-next/bin/python -m pytest $(NEXT_TESTS) $(PYTEST_ARGS)

.PHONY: check
check: .venv/.stamp node_modules/.stamp  ## Check format, style and types (Python and JavaScript)
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	node_modules/.bin/pyright
	node_modules/.bin/tsc -p jsconfig.json
	scripts/build-browser --check

.PHONY: browser
browser: node_modules/.stamp  ## Join the modules of browser/ into the files that pages load
	scripts/build-browser

.PHONY: format
format: .venv/.stamp  ## Format the code and fix what ruff can fix
	.venv/bin/ruff check --fix-only
	.venv/bin/ruff format

.PHONY: bench
bench: .venv/.stamp  ## Run the benchmarks (BENCH_ARGS=...)
	.venv/bin/python -m benchmarks $(BENCH_ARGS)

.PHONY: docs
docs: .venv-docs/.stamp  ## Build the documentation into site/
	.venv-docs/bin/mkdocs build --strict

.PHONY: clean
clean:  ## Remove the environments and all that was built
	rm -rf .venv .venv-oldest .venv-next .venv-docs .venv-demo .venv-demo-celery node_modules site dist build htmlcov benchmarks/.tmp
	rm -rf .pytest_cache .ruff_cache .hypothesis .coverage .coverage.*
	find src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# --- environments -----------------------------------------------------------------------------------

define make-venv
@scripts/setup-system python
@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("Python 3.10 or newer is needed; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12 ...")'
$(PYTHON) -m venv $(@D)
endef

.venv/.stamp: $(PACKAGING)
	$(make-venv)
	.venv/bin/python $(PIP_INSTALL) --upgrade dash --editable ".[dev]"
	@touch $@

# pip is told both at once, so that it refuses when the package stops supporting that Dash.
.venv-oldest/.stamp: $(PACKAGING) Makefile
	$(make-venv)
	.venv-oldest/bin/python $(PIP_INSTALL) "dash[diskcache]==$(OLDEST_DASH)" --editable ".[celery,fast,test]"
	@touch $@

# Only Dash is a pre-release: pip takes one where it is named, and `--pre` would take those of all others, too.
.venv-next/.stamp: $(PACKAGING) Makefile
	$(make-venv)
	.venv-next/bin/python $(PIP_INSTALL) "dash[diskcache]==$(NEXT_DASH)" --editable ".[asgi,celery,fast,test]"
	@touch $@

.venv-docs/.stamp: $(PACKAGING)
	$(make-venv)
	.venv-docs/bin/python $(PIP_INSTALL) --editable ".[docs]"
	@touch $@

# Only what a user of the package installs: the gallery shows that this is enough.
.venv-demo/.stamp: $(PACKAGING)
	$(make-venv)
	.venv-demo/bin/python $(PIP_INSTALL) --editable .
	@touch $@

.venv-demo-celery/.stamp: $(PACKAGING)
	$(make-venv)
	.venv-demo-celery/bin/python $(PIP_INSTALL) --editable ".[celery]"
	@touch $@

node_modules/.stamp: package.json package-lock.json .npmrc
	@scripts/setup-system node
	npm ci --no-audit --no-fund
	@touch $@
