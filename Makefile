# The commands of this project. Each works on a machine that has python3.11, git and make, and installs the rest
# into its own virtual environment in the cache folder, so that the tree stays clean.
PYTHON ?= python3
CACHE ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/mux-lsp
KEY := $(shell printf '%s' "$(CURDIR)" | cksum | cut -d' ' -f1)
DEMO := $(CACHE)/demo-$(KEY)
TEST := $(CACHE)/test-$(KEY)

.PHONY: demo test check generate bench soak vsix screenshots clean

demo: $(DEMO)/.installed
	@$(DEMO)/bin/mux-lsp demo

test: check
	$(TEST)/bin/python -m pytest -n 2 --dist loadgroup

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

# Random operations over a daemon that is killed again and again: `make soak MINUTES=60`.
soak: $(TEST)/.installed
	$(TEST)/bin/python -m tests.faults.soak --minutes $(or $(MINUTES),10)

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
