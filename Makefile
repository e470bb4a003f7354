# Everything a newcomer or CI runs. Each target sets up what it needs; a second call is quick.
SHELL := /bin/sh
PIP := .venv/bin/python -m pip --disable-pip-version-check
PYTEST := .venv/bin/python -m pytest
# Most tests wait for servers: three files at a time, the tests of a file in their order.
TOGETHER := -n 3 --dist loadfile
BUILT := pyproject.toml requirements/venv.sh sentinel/__init__.py

.PHONY: help
help: ## show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

.PHONY: demo
demo: .venv/.runtime ## the main job on a small shop, live; ONCE=1: unattended, exit 0 if every stage happened
	.venv/bin/sentinel demo $(if $(filter-out 0,$(ONCE)),--once)

.PHONY: venv
venv: .venv/.dev ## .venv with all that development needs, pinned and hashed

.PHONY: check
check: style ## before each commit: style, types and the quick tests
	$(PYTEST) $(TOGETHER) -m "not slow"

.PHONY: test
test: style system ## all tests, with the set-up that they need
	$(PYTEST) $(TOGETHER)

.PHONY: style
style: .venv/.dev
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/mypy -p examples.shop

.PHONY: system
system:
	@sh requirements/system.sh

.PHONY: bench
bench: .venv/.dev system ## each benchmark, one line with a ratio
	.venv/bin/python -m benchmarks

.PHONY: lock
lock: ## requirements/*.txt anew; UPGRADE=1 with the newest versions
	test -x .venv-lock/bin/uv || { python3 -m venv .venv-lock && .venv-lock/bin/python -m pip -q install 'uv>=0.13,<0.14'; }
	sh requirements/lock.sh .venv-lock/bin/uv $(if $(filter-out 0,$(UPGRADE)),--upgrade)

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf .venv .venv-lock .venv-oscar .demo .sentinel .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.runtime: requirements/runtime.txt $(BUILT)
	sh requirements/venv.sh $(PYTHON)
	$(PIP) install -q --require-hashes -r requirements/runtime.txt
	$(PIP) install -q --no-deps --no-build-isolation -e .
	touch $@

.venv/.dev: requirements/dev.txt .venv/.runtime
	$(PIP) install -q --require-hashes -r requirements/dev.txt
	touch $@
