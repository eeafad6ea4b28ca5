# Needs Python 3.11 or newer, pip and make; everything else is installed into .venv.

SHELL := /bin/bash
.SHELLFLAGS := -eo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
PYTEST_FLAGS ?= -n auto --maxprocesses 8 --dist loadfile
LOCK_FLAGS ?=

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
UV := $(PY) -m uv
UV_PIN = $(shell sed -n 's/^\(uv==[^ ;]*\).*/\1/p' requirements.lock)
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

# $(call step,name,command): runs the command and says how long it took. The `&&` stops at a
# failure even under the make 3.81 of macOS, which does not know .SHELLFLAGS.
define step
@printf '==> %s\n' '$(1)'; SECONDS=0; { $(2); } && printf '<== %s: %d s\n' '$(1)' "$$SECONDS"
endef

.PHONY: help env book test lint lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo "Variables: PYTHON (now: $(PYTHON)), PYTEST_FLAGS, LOCK_FLAGS (for example --upgrade)"

env: $(STAMP) ## install the pinned packages into .venv (nothing to do while the lock stays the same)

book: env ## run the chapters and build the site, _build/html/index.html
	$(call step,book,$(VENV)/bin/modclust book)

test: env ## find a browser, check the style, run the tests
	$(call step,browser,$(PY) tests/browser.py --install)
	$(call step,ruff check,$(PY) -m ruff check .)
	$(call step,ruff format,$(PY) -m ruff format --check .)
	$(call step,pytest,$(PY) -m pytest $(PYTEST_FLAGS))

lint: env ## repair what ruff can repair, and show the rest
	$(call step,ruff format,$(PY) -m ruff format .)
	$(call step,ruff check,$(PY) -m ruff check --fix .)

lock: env ## resolve requirements.in into requirements.lock
	$(call step,lock,$(UV) pip compile requirements.in --output-file requirements.lock --quiet \
		--universal --python-version 3.11 \
		--no-header --no-emit-index-url --no-emit-find-links $(LOCK_FLAGS))

clean: ## delete the built site and the caches; keeps .venv, runs/, data/ and every record
	rm -rf _build build .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -path './$(VENV)' -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): requirements.lock pyproject.toml
	@if ! $(PY) -c '$(NEW_ENOUGH)' 2>/dev/null; then \
		$(PYTHON) -c '$(NEW_ENOUGH)' || { \
			echo "PYTHON=$(PYTHON) is $$($(PYTHON) --version 2>&1); Modclust needs Python 3.11 or newer." >&2; \
			echo "Name one that you have, for example: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
			exit 1; }; \
		echo "==> new $(VENV) with $$($(PYTHON) --version)"; \
		$(PYTHON) -m venv --clear $(VENV) || { \
			echo "Python could not make $(VENV). On Debian and Ubuntu: apt install python3-venv" >&2; \
			exit 1; }; \
	fi
	@$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip
	$(call step,uv,$(PY) -m pip install --quiet --disable-pip-version-check "$(UV_PIN)")
	$(call step,packages,$(UV) pip sync --python $(PY) --compile-bytecode requirements.lock)
	$(call step,modclust,$(UV) pip install --python $(PY) --no-deps --no-build-isolation --editable .)
	@touch $@
