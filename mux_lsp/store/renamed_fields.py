"""Rename fields of stored JSON, for migration 7 of the journal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

_CHECK: Final = {"before": "baseline_state"}
_RENAMED: Final = {
    "acceptance": {"how": "cause", "of": "total"},
    "run": {
        "taken": "result_complete",
        "meddled": "tampered",
        "collided": "merge_conflicts",
        "worked": "work_seconds",
        "hidden": "hidden_config",
    },
    "task": {"enough": "stop_after", "numbered": "runs_created"},
}
_WITH_CHECKS: Final = {"acceptance": (), "run": ("checks", "restored_checks"), "task": ("baseline",)}


def install(connection: sqlite3.Connection) -> None:
    """Register the SQL function `renamed_fields(kind, data)`. It returns data that is not a JSON object unchanged."""
    connection.create_function("renamed_fields", 2, _renamed_fields, deterministic=True)


def _renamed_fields(kind: str, data: str) -> str:
    try:
        value = json.loads(data)
    except ValueError:
        return data
    if not isinstance(value, dict):
        return data
    for name in _WITH_CHECKS[kind]:
        checks = value.get(name)
        if isinstance(checks, list):
            value[name] = [_renamed(check, _CHECK) if isinstance(check, dict) else check for check in checks]
    return json.dumps(_renamed(value, _RENAMED[kind]), ensure_ascii=True, separators=(",", ":"))


def _renamed(value: dict[str, object], names: dict[str, str]) -> dict[str, object]:
    return {names.get(name, name): field for name, field in value.items()}
