"""A repository as the engine holds it: its stores, worktrees, settings, trust and set-ups."""
