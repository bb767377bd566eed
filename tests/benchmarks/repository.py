"""Generate repositories that are equal on every machine."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_COMMIT = b"commit refs/heads/main\ncommitter Bench <bench@localhost> 1700000000 +0000\ndata 4\nAll\n\n"


def make(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Make a repository with these files in one packed commit, checked out."""
    git(folder.parent, "init", "--quiet", "--initial-branch=main", str(folder))
    importing = subprocess.Popen(
        ["git", "-c", "fastimport.unpackLimit=0", "-C", str(folder), "fast-import", "--quiet"], stdin=subprocess.PIPE
    )
    assert importing.stdin is not None
    with importing.stdin as pipe:
        pipe.write(_COMMIT)
        for path, content in files:
            pipe.write(b"M 100644 inline %b\ndata %d\n%b\n" % (path.encode(), len(content), content))
    if importing.wait() != 0:
        raise RuntimeError(f"git fast-import failed in {folder}")
    git(folder, "reset", "--quiet", "--hard", "main")


def git(folder: Path, *arguments: str) -> None:
    """Run git. Raises CalledProcessError if it fails."""
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, stdout=subprocess.DEVNULL)


def many_small_files(count: int) -> Iterable[tuple[str, bytes]]:
    """Yield this many files of about 700 bytes, a hundred to a package of ten folders."""
    for number in range(count):
        lines = [b"line %d of file %d says something" % (line, number) for line in range(20)]
        yield f"src/package{number // 100:04}/module{number % 10}/file{number:06}.txt", b"\n".join(lines) + b"\n"


def edit(folder: Path, generation: int, count: int = 5) -> None:
    """Leave uncommitted edits in a repository of `many_small_files`, different from those of earlier generations."""
    files = sorted((folder / "src" / "package0000").rglob("*.txt"))[:count]
    for file in files:
        with file.open("a") as opened:
            opened.write(f"an uncommitted line, number {generation}\n")
    (folder / "notes.txt").write_text(f"an untracked file, number {generation}\n")
