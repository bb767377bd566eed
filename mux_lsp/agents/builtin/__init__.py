"""mux-lsp's own agent: a model of the Messages API with tools that work in a hidden worktree."""
