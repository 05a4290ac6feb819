# Everything sets itself up: a machine with Python 3.11 and make is enough.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
RUN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PACKAGES := rongtong ingest identity expectations warehouse simulation

.PHONY: help install demo airflow check test test-all bench-identity bench-names bench-ingest bench-golden clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# The lock is exported and installed, rather than synced, so that a package mirror named by UV_DEFAULT_INDEX serves
# behind a firewall too: the hashes of uv.lock are demanded, its addresses are not used. Packages are compiled once,
# here: where Python may write no bytecode, every process would compile what it imports, which takes seconds.
$(INSTALLED): pyproject.toml uv.lock
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 is not on the PATH; install it, or say make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "rongtong · installing the pinned packages (a few minutes the first time)"
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@test -x .uv/bin/uv || { $(PYTHON) -m venv .uv && .uv/bin/python -m pip install -q --disable-pip-version-check uv==0.13.9; }
	@.uv/bin/uv export -q --frozen --all-groups --no-emit-project -o $(VENV)/requirements.txt
	@.uv/bin/uv pip install -q --compile-bytecode --python $(RUN)/python --require-hashes -r $(VENV)/requirements.txt
	@.uv/bin/uv pip install -q --python $(RUN)/python --no-deps -e .
	@$(RUN)/python -m compileall -q $(PACKAGES)
	@touch $@

install: $(INSTALLED) ## the pinned packages into .venv

demo: $(INSTALLED) ## the demo city through real Airflow DAGs to a published snapshot
	@$(RUN)/rongtong demo $(ARGS)

airflow: $(INSTALLED) ## Airflow's web interface on the same DAGs and the demo city's systems
	@$(RUN)/rongtong airflow $(ARGS)

check: $(INSTALLED) ## lint, types, import layers
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .
	@$(RUN)/mypy
	@$(RUN)/lint-imports

test: $(INSTALLED) ## the tests that fit into a coffee break
	@$(RUN)/pytest -m "not heavy" -n 2 --dist loadfile $(ARGS)

test-all: $(INSTALLED) ## every test, the heavy ones too
	@$(RUN)/pytest $(ARGS)

bench-identity: $(INSTALLED) ## our linking beside plain Splink; ARGS="--mentions 1000000,5000000" for larger sets
	@$(RUN)/python -m benchmarks.identity $(ARGS)

bench-names: $(INSTALLED) ## pairs of names compared a second; how often strangers of one surname pass
	@$(RUN)/python -m benchmarks.names $(ARGS)

bench-ingest: $(INSTALLED) ## landings measured beside plain DuckDB and dlt
	@$(RUN)/python -m benchmarks.ingest $(ARGS)

bench-golden: $(INSTALLED) ## golden, findings and figures of a whole city; ARGS="--scale 0.01" for a quick look
	@$(RUN)/python -m benchmarks.golden $(ARGS)

clean: ## remove what was installed and built; data under RONGTONG_HOME stay
	rm -rf $(VENV) .uv dbt_project/target
