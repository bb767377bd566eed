"""Manage a repository's stores, worktrees, settings, trust and set-ups."""
