# The commands of this project. Each works on a machine that has python3.11, git and make, and installs the rest
# into its own virtual environment in the cache folder, so that the tree stays clean.
PYTHON ?= python3
CACHE ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/mux-lsp
KEY := $(shell printf '%s' "$(CURDIR)" | cksum | cut -d' ' -f1)
DEMO := $(CACHE)/demo-$(KEY)
TEST := $(CACHE)/test-$(KEY)

# Processes that run tests beside each other.
WORKERS ?= 2
PYTEST = $(TEST)/bin/python -m pytest -n $(WORKERS) --dist loadgroup

.PHONY: demo test test-fast check generate bench soak dist vsix screenshots clean

demo: $(DEMO)/.installed
	@$(DEMO)/bin/mux-lsp demo

test: check
	$(PYTEST)

test-fast: $(TEST)/.installed
	$(PYTEST) tests/unit tests/integration

check: $(TEST)/.installed
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/mypy
	$(TEST)/bin/lint-imports
	$(TEST)/bin/python -m tests.support.extension check

# Files that are made from the code: the tables of editor-clients/PROTOCOL.md, the extension's protocol.ts, the plugin's
# protocol.lua, and :help mux with its tags. Tests fail where one is out of date.
generate: $(TEST)/.installed
	$(TEST)/bin/python -m tests.support.generate

bench: $(TEST)/.installed
	$(TEST)/bin/python -m tests.benchmarks

# What is long by its count: the tests with large counts and on each Neovim, each fault point of each operation, kills at
# random moments, and random operations over a daemon that is killed again and again (`make soak MINUTES=60 KILLS=5000`).
soak: $(TEST)/.installed
	$(PYTEST) -m soak
	$(TEST)/bin/python -m tests.faults.enumerate
	$(TEST)/bin/python -m tests.faults.kills --times $(or $(KILLS),1000)
	$(TEST)/bin/python -m tests.faults.soak --minutes $(or $(MINUTES),10)

# All that a release consists of, into dist: sdist, wheel, extension and checksums, equal to the byte for one commit.
dist: $(TEST)/.installed
	@$(TEST)/bin/python -m tests.support.distribution dist

# The extension for VS Code and its forks, into editor-clients/vscode.
vsix: $(TEST)/.installed
	@$(TEST)/bin/python -m tests.support.extension package editor-clients/vscode

# The pictures of its README, taken anew.
screenshots: $(TEST)/.installed
	$(TEST)/bin/python -m tests.support.screenshots

clean:
	rm -rf "$(DEMO)" "$(TEST)"

$(DEMO)/.installed: pyproject.toml
	@rm -rf "$(DEMO)" && $(PYTHON) -m venv "$(DEMO)"
	@$(DEMO)/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch "$@"

$(TEST)/.installed: pyproject.toml
	@rm -rf "$(TEST)" && $(PYTHON) -m venv "$(TEST)"
	$(TEST)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch "$@"
