"""Name the agents of the demonstration: its command, its configuration and its story agree on them."""

from __future__ import annotations

AGENTS = ("ceil", "plus-one", "edit-test")
