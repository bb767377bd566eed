"""Carry out one run: worktree, agent, output, permissions, checks."""
