# The four commands of this project. Each works on a machine that has python3.11, git and make, and installs the rest
# into its own virtual environment in the cache folder, so that the tree stays clean.
PYTHON ?= python3
CACHE ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/mux-lsp
KEY := $(shell printf '%s' "$(CURDIR)" | cksum | cut -d' ' -f1)
DEMO := $(CACHE)/demo-$(KEY)
TEST := $(CACHE)/test-$(KEY)

.PHONY: demo test check bench clean

demo: $(DEMO)/.installed
	@$(DEMO)/bin/mux-lsp demo

test: check
	$(TEST)/bin/python -m pytest -n 2 --dist loadgroup

check: $(TEST)/.installed
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/mypy
	$(TEST)/bin/lint-imports

bench: $(TEST)/.installed
	$(TEST)/bin/python -m tests.benchmarks

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
