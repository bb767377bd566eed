"""Implement tasks, runs, scheduling, checks and review behind a facade for lsp and the daemon."""
