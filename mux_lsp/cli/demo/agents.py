"""Name the agents of the demonstration, for its command, its configuration and its story."""

from __future__ import annotations

AGENTS = ("ceil", "plus-one", "edit-test")
