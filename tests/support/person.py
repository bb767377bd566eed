"""Make a person's repository, and prove that it stays unchanged."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NOBODYS = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
WHO = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")


def git(folder: Path, *arguments: str) -> str:
    """Run git as the person does, without the configuration of the person who runs the tests."""
    done = try_git(folder, *arguments)
    assert done.returncode == 0, os.fsdecode(done.stderr)
    return os.fsdecode(done.stdout)


def try_git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run git like `git`, but let it fail, as a merge with conflicts does."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        ["git", *WHO, *arguments], cwd=folder, env={**kept, **NOBODYS}, capture_output=True, check=False
    )


def make_repository(folder: Path, files: dict[str, str]) -> Path:
    """Make a repository with these files committed and return its root."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    return folder


def fingerprint(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Return the mode, modification time and content of everything at and below a folder."""
    found = {}
    for place in [folder, *sorted(folder.rglob("*"))]:
        status = place.lstat()
        content = ""
        if stat.S_ISREG(status.st_mode):
            content = hashlib.sha256(place.read_bytes()).hexdigest()
        elif stat.S_ISLNK(status.st_mode):
            content = str(place.readlink())
        found[str(place.relative_to(folder))] = (status.st_mode, status.st_mtime_ns, content)
    return found


def text_of(numbers: range) -> str:
    """Return a text of numbered lines."""
    return "".join(f"line {number}\n" for number in numbers)
