"""Tasks, runs, scheduling, checks and review: the facade that lsp and cli see."""
