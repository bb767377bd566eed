"""What an agent finds in its environment: the person's own, without what would lead it out of its worktree."""

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
"""Who the person is and how git reaches the network. Any other `GIT_*` is dropped: an editor started from a git hook
passes GIT_DIR and GIT_INDEX_FILE on, and with them each git command of an agent would change the person's own
repository. An editor's GIT_ASKPASS and GIT_EDITOR would open windows in front of a person who asked for neither."""

_DROPPED: Final = frozenset(
    {
        "ELECTRON_RUN_AS_NODE",  # VS Code sets it for what it starts; every other Electron program breaks under it
        "LISTEN_FDS",
        "LISTEN_FDNAMES",
        "LISTEN_PID",
        "NOTIFY_SOCKET",
        "NVIM",  # a socket by which a child drives the person's editor
        "NVIM_LISTEN_ADDRESS",
        "OLDPWD",
        "_",
        "__PYVENV_LAUNCHER__",
    }
)

_OWN_KEPT: Final = "MUX_LSP_HOME"
"""By it `mux-lsp` in an agent's hands finds this very daemon, which knows the agent and counts what it starts."""

_DROPPED_PREFIXES: Final = (
    "MUX_",  # our own, also those of a run inside which this daemon was started
    "VSCODE_",  # sockets by which a child drives the person's editor
)

_SECRET: Final = re.compile("KEY|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL", re.IGNORECASE)
"""Names of variables that hold what no model should get to read."""


def scrubbed(person: Mapping[str, str], folder: Path, without: Collection[str] = ()) -> dict[str, str]:
    """The person's environment for a program that is to work in `folder`, with PWD saying so."""
    kept = {name: value for name, value in person.items() if _is_kept(name) and name not in without}
    kept["PWD"] = str(folder)
    return kept


def keyless(person: Mapping[str, str], folder: Path, secrets: Collection[str] = ()) -> dict[str, str]:
    """The same for what a model has run: without keys, without `secrets`, without what is named like a secret."""
    return scrubbed(person, folder, {*KEYS, *secrets, *filter(_SECRET.search, person)})


def _is_kept(name: str) -> bool:
    if name.startswith("GIT_"):
        return name in _GIT_KEPT
    return name == _OWN_KEPT or not (name in _DROPPED or name.startswith(_DROPPED_PREFIXES))
