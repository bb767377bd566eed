"""Run mux-lsp's own agent: a model behind the Messages API, with tools that work in a hidden worktree."""
