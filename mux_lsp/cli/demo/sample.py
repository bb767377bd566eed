"""Create the repository of the demonstration: a real one, with work in progress and a failing test."""

from __future__ import annotations

import hashlib
import os
from importlib import resources
from typing import TYPE_CHECKING

from mux_lsp.cli.demo.agents import AGENTS
from mux_lsp.git.command import git

if TYPE_CHECKING:
    from pathlib import Path

NAME = "shop"

IDENTITY = {
    "GIT_AUTHOR_NAME": "You",
    "GIT_AUTHOR_EMAIL": "you@example.com",
    "GIT_COMMITTER_NAME": "You",
    "GIT_COMMITTER_EMAIL": "you@example.com",
}

TYPED_LATER = '''"""Pages of a long list, as the shop shows what it found.

A page has PER_PAGE entries; the last one may have fewer.
"""
'''
"""The text that the person adds at the top of the file while the agents work."""


def make_repository(folder: Path) -> Path:
    """Create a repository with one commit, an uncommitted edit, and an untracked test. Return its folder."""
    root = folder / NAME
    root.mkdir()
    (root / "README.md").write_text(_sample("README.md"), encoding="utf-8")
    (root / "pages.py").write_text(_sample("pages.py"), encoding="utf-8")
    (root / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
    git(["init", "--quiet", "--initial-branch", "main"], folder=root)
    git(["add", "--all"], folder=root)
    git(
        ["-c", "commit.gpgSign=false", "commit", "--quiet", "--message", "List what the shop has"],
        folder=root,
        extra_environment=IDENTITY,
    )
    _replace(root / "pages.py", "PER_PAGE = 10", "PER_PAGE = 20")
    (root / "test_pages.py").write_text(_sample("test_pages.py"), encoding="utf-8")
    return root


def go_on_typing(root: Path) -> None:
    """Make the person's further edit, above the lines that the agents change."""
    file = root / "pages.py"
    below_first_line = file.read_text(encoding="utf-8").partition("\n")[2]
    file.write_text(TYPED_LATER + below_first_line, encoding="utf-8")


def write_script(folder: Path) -> Path:
    """Write the script with the answers of the three models, for `mux-lsp replay`. Return its file."""
    file = folder / "models.toml"
    file.write_text(_sample("models.toml"), encoding="utf-8")
    return file


def write_configuration(home: Path, url: str) -> None:
    """Write a `config.toml` with the three agents, whose models are at `url`."""
    file = home / "config" / "config.toml"
    file.parent.mkdir(parents=True)
    text = "".join(f'\n[agents.{name}]\nkind = "anthropic"\nmodel = "{name}"\nbase_url = "{url}"\n' for name in AGENTS)
    file.write_text(text, encoding="utf-8")


def _sample(name: str) -> str:
    return (resources.files("mux_lsp.cli.demo") / "sample" / f"{name}.txt").read_text(encoding="utf-8")


def _replace(file: Path, old: str, new: str) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")


def fingerprint(folder: Path) -> tuple[int, str]:
    """Return the number of files below a folder, and a digest of their names, modes and contents."""
    digest = hashlib.sha256()
    files = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    for path in files:
        content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
        name = os.fsencode(path.relative_to(folder))
        digest.update(b"%d %s\0%o %d\0" % (len(name), name, path.lstat().st_mode, len(content)))
        digest.update(content)
    return len(files), digest.hexdigest()
