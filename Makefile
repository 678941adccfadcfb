# make run and make test need python3 >= 3.11 and nothing else: they set up .venv themselves.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: run discord slack test check format bench bench-discord bench-slack soak clean

run: .venv/run.stamp
	@$(BIN)/lorebot repl

discord: .venv/run.stamp
	@$(BIN)/lorebot discord

slack: .venv/run.stamp
	@$(BIN)/lorebot slack

test: .venv/dev.stamp
	@$(BIN)/lorebot weights
	@$(BIN)/pytest -n 4 --dist worksteal

check: .venv/dev.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: .venv/dev.stamp
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# For example: make bench ARGS='--json bench.json --plot bench.png' DISCORD='--json discord.json' SLACK='--json slack.json'
bench: .venv/bench.stamp
	@$(BIN)/lorebot weights
	@$(BIN)/python -m bot.bench $(ARGS)
	@$(BIN)/python -m tests.bench $(DISCORD)
	@$(BIN)/python -m tests.bench --platform slack $(SLACK)

# How `lorebot discord` or `lorebot slack` bears load. For example: make bench-slack ARGS='--conversations 100 --json slack.json'
bench-discord bench-slack: bench-%: .venv/dev.stamp
	@$(BIN)/lorebot weights
	@$(BIN)/python -m tests.bench --platform $* $(ARGS)

soak: .venv/dev.stamp
	@$(BIN)/lorebot weights
	@$(BIN)/pytest -m soak --timeout 3600

clean:
	rm -rf .venv build dist *.egg-info

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Lorebot needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv

.venv/run.stamp: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing Lorebot into .venv (once; about half a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[embedded,local,discord,slack]'
	@touch $@

.venv/dev.stamp: .venv/bin/python pyproject.toml constraints.txt
	@echo "Installing Lorebot into .venv (once; about half a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[embedded,local,discord,slack,dev]'
	@touch $@ .venv/run.stamp

# langchain-redis without its dependencies: see the extra `bench` in pyproject.toml.
.venv/bench.stamp: .venv/dev.stamp
	@echo "Installing what is compared with (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps langchain-redis
	@touch $@
