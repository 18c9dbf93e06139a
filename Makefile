# Two commands do all: `make demo` and `make test`. Everything else is a variation on them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MONTH ?= 2021-09
export EISENERGY_HOME ?= $(CURDIR)/data

.PHONY: help demo test test-long bench serve lab lint notebooks lock clean

help: ## what the targets do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(VENV)/.ready ## the shipped September 2021 of EIS Power: readings in, eight invoices and dashboards out
	$(BIN)/eisenergy demo

test: $(VENV)/.ready lint ## lint, types, import contracts and every test (under 10 minutes on 2 cores)
	$(BIN)/python -m pytest -n auto --dist loadfile --cov --cov-report=term-missing:skip-covered --cov-fail-under=100

test-long: $(VENV)/.ready ## the long checks: a million random bills, fifty kills of a run
	$(BIN)/python -m pytest -m long

lint: $(VENV)/.ready ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers auto
	$(BIN)/lint-imports

bench: $(VENV)/.ready ## speed as a ratio to named peers
	$(BIN)/python -m benchmarks

serve: $(VENV)/.ready ## start the portal on this machine: published sites and operators' pages behind a login
	$(BIN)/eisenergy serve

lab: $(VENV)/.ready ## JupyterLab with the notebooks
	$(BIN)/jupyter lab --notebook-dir=. notebooks/tour.ipynb

notebooks: $(VENV)/.ready ## execute the notebooks in place on the demonstration's data, to commit what they show
	$(BIN)/eisenergy demo
	$(BIN)/python -m eisenergy.run.refresh

lock: ## pin every dependency with its hashes (names no index)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --all-extras -q pyproject.toml -o requirements.lock

clean: ## remove the virtual environment and everything the demo wrote
	rm -rf $(VENV) data/EIS data/pg data/lake data/inbox data/sites data/*.html data/*.xlsx
