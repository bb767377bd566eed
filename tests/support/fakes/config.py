"""Fake the person's settings, as far as the daemon reads them."""

from __future__ import annotations

import tomllib
from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def load(path: Path) -> SimpleNamespace:
    """Load the settings in the shape of the real configuration."""
    settings = tomllib.loads(path.read_text()) if path.exists() else {}
    idle_seconds = settings.get("idle_seconds", 600)
    return SimpleNamespace(daemon=SimpleNamespace(idle_seconds=idle_seconds))
