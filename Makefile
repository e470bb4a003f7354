# Everything a newcomer or CI runs. Each target sets up what it needs.
PY := .venv/bin/python

.PHONY: check
check:
	$(PY) -m ruff format --check . && $(PY) -m ruff check . && $(PY) -m mypy && $(PY) -m pytest -m "not slow"
