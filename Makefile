# What people type. Everything happens in a virtualenv of the project's own, .venv.
# PYTHON=/path/to/python3.11 chooses the interpreter it is made with.

.PHONY: help run test lint format bench packages services venv venv-test clean

help:  ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: venv  ## Start funcflow on 127.0.0.1:7070 and run the examples in it; Ctrl-C ends it
	@tools/install_packages.sh run || echo "Going on without."
	@.venv/bin/python -m tools.demo $(ARGS)

test: packages venv-test services  ## Install what the tests need and run everything; ARGS="-k name" for some
	@.venv/bin/python -m tools.check lint tests -- $(ARGS)

lint: venv-test  ## Check style, types, layers, layout and release notes
	@.venv/bin/python -m tools.check lint

format: venv-test  ## Rewrite the code in the project's style
	@.venv/bin/ruff check --fix -q .; .venv/bin/ruff format .

bench: packages venv-test  ## Measure funcflow beside its peers
	@.venv/bin/python -m benchmarks $(ARGS)

services: venv-test
	@.venv/bin/python -m tools.services install

packages:
	@tools/install_packages.sh test

venv:
	@tools/make_venv.sh base

venv-test:
	@tools/make_venv.sh test

clean:  ## Remove the virtualenv, caches and build products
	rm -rf .venv .tox build dist ./*.egg-info .mypy_cache .ruff_cache .pytest_cache \
		.import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
