"""Build an agent's environment: the person's own, without variables that would lead it out of its worktree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mux_lsp.keys import KEYS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

_GIT_KEPT: Final = frozenset(
    {
        "GIT_AUTHOR_EMAIL",
        "GIT_AUTHOR_NAME",
        "GIT_COMMITTER_EMAIL",
        "GIT_COMMITTER_NAME",
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_CONFIG_SYSTEM",
        "GIT_EXEC_PATH",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSL_CAINFO",
        "GIT_SSL_NO_VERIFY",
    }
)
"""The `GIT_*` variables that are passed on: the person's identity, and git's access to the network.

Any other is dropped. An editor started from a git hook passes GIT_DIR and GIT_INDEX_FILE on: with them, every git
command of an agent would change the person's own repository. An editor's GIT_ASKPASS and GIT_EDITOR would open windows
that the person did not ask for.
"""

_DROPPED: Final = frozenset(
    {
        "ELECTRON_RUN_AS_NODE",  # VS Code sets it for its children; every other Electron program fails with it
        "LISTEN_FDS",
        "LISTEN_FDNAMES",
        "LISTEN_PID",
        "NOTIFY_SOCKET",
        "NVIM",  # a socket that lets a child control the person's editor
        "NVIM_LISTEN_ADDRESS",
        "OLDPWD",
        "_",
        "__PYVENV_LAUNCHER__",
    }
)

_OWN_KEPT: Final = "MUX_LSP_HOME"
"""The variable with which `mux-lsp`, run by an agent, finds this daemon, which knows the agent and counts its tasks."""

_DROPPED_PREFIXES: Final = (
    "MUX_",  # mux-lsp's own variables, which are set if this daemon was started inside a run
    "VSCODE_",  # sockets that let a child control the person's editor
)

_SECRET: Final = re.compile("KEY|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE)
"""Names of variables that hold secrets, which no model may read."""


def scrubbed(person: Mapping[str, str], folder: Path, without: Collection[str] = ()) -> dict[str, str]:
    """Return the person's environment for a program that works in `folder`, with PWD set to it."""
    kept = {name: value for name, value in person.items() if _is_kept(name) and name not in without}
    kept["PWD"] = str(folder)
    return kept


def keyless(person: Mapping[str, str], folder: Path, secrets: Collection[str] = ()) -> dict[str, str]:
    """Return the environment of a command that a model runs: without keys, `secrets` and names that suggest one."""
    return scrubbed(person, folder, {*KEYS, *secrets, *filter(_SECRET.search, person)})


def _is_kept(name: str) -> bool:
    if name.startswith("GIT_"):
        return name in _GIT_KEPT
    return name == _OWN_KEPT or not (name in _DROPPED or name.startswith(_DROPPED_PREFIXES))
