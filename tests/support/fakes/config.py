"""The person's settings, as far as the daemon asks for them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def settings(path: Path) -> dict[str, Any]:
    """What the test wrote into config.toml."""
    return tomllib.loads(path.read_text()) if path.exists() else {}


def load(path: Path) -> SimpleNamespace:
    """In the shape of the real configuration."""
    return SimpleNamespace(daemon=SimpleNamespace(idle_seconds=settings(path).get("idle_seconds", 600)))
