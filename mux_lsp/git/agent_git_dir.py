"""Write the git directory that an agent works with: its own HEAD, branches, stash, index and identity.

It reads the shadow store's objects through alternates and writes its own. Nothing that the agent does in it has an
effect elsewhere, and the daemon never runs git in it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mux_lsp.faults import fault
from mux_lsp.git.view import RAW_ATTRIBUTES, configuration, view_files

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.git.repository import GitSettings, Repository

_EXTRA = (
    "[user]",
    "name = mux agent",
    "email = agent@mux-lsp.localhost",
    "useConfigOnly = true",
    "[commit]",
    "gpgSign = false",
    "[tag]",
    "gpgSign = false",
    "[gc]",
    "auto = 0",
    "[maintenance]",
    "auto = false",
)


def write_agent_dir(  # noqa: PLR0913 - the parts of a git directory
    git_dir: Path,
    *,
    store: Path,
    commit: str,
    head: str | None,
    branch: str,
    repository: Repository,
    settings: GitSettings,
    exclude: bytes,
) -> None:
    """Create `git_dir` with the branch `branch` checked out at `commit`. The caller adds the index."""
    files = {
        **view_files(repository, settings, exclude),
        "config": configuration(repository, settings, _EXTRA),
        "HEAD": f"ref: refs/heads/{branch}\n".encode(),
        f"refs/heads/{branch}": f"{commit}\n".encode(),
        "info/attributes": RAW_ATTRIBUTES,
        "objects/info/alternates": os.fsencode(f"{store}/objects\n"),
        "description": b"A worktree of mux-lsp. Commit, branch and stash as you like: it stays in here.\n",
    }
    if head is not None:
        files["shallow"] = f"{head}\n".encode()
    (git_dir / "objects" / "pack").mkdir(parents=True)
    for name, content in files.items():
        path = git_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    fault("agentdir.written")
