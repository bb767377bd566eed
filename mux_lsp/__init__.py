"""mux-lsp: coding agents in hidden git worktrees, reviewed hunk by hunk in the editor."""

__version__ = "0.1.0"
