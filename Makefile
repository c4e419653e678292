# `make demo` sets up and runs the main job; `make test` sets up and passes the tests.
PYTHON ?= python3
VENV ?= .venv
PIP = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-slow lint clean

demo: $(VENV)/core-installed
	PATH="$(abspath $(VENV))/bin:$$PATH" recipes/demo/run.sh demo

test: $(VENV)/dev-installed lint
	$(VENV)/bin/python -m pytest -n 2 --dist loadgroup

test-slow: $(VENV)/dev-installed
	$(VENV)/bin/python -m pytest -m slow

lint: $(VENV)/dev-installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/core-installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e .
	touch $@

$(VENV)/dev-installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[dev]'
	touch $@ $(VENV)/core-installed

clean:
	rm -rf $(VENV) demo
