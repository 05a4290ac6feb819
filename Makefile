# Everything sets itself up: a machine with Python 3.11 and make is enough.
.DEFAULT_GOAL := help
PYTHON ?= python3.11
VENV := .venv
STAMP := $(VENV)/.installed
RUN := $(VENV)/bin
UV := $(VENV)-uv/bin/uv

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'
.PHONY: help
