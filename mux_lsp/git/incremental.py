"""Build a snapshot with few changed files on the previous one, in one process and without reading our index.

Reading and writing an index of 50,000 entries takes longer than all the rest. Our index is updated while the run
begins.
"""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

from mux_lsp.git.command import quoted
from mux_lsp.git.store_setup import IDENTITY, run

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.git.repository import GitSettings
    from mux_lsp.git.view import IndexUpdate

MAX_FILES = 64
"""Maximum number of changed files."""
MAX_BYTES = 16_000_000
"""Maximum size of their content in bytes."""


def fast_import_changes(root: Path, settings: GitSettings, update: IndexUpdate) -> bytes | None:
    """Return the `git fast-import` commands that apply `update` to a tree.

    None if there is no change, if the changes are too large, or if a file system may disguise them: then our index
    decides.
    """
    count = len(update.add) + len(update.remove)
    if not 0 < count <= MAX_FILES or not settings.file_mode or settings.is_on("core.ignorecase"):
        return None
    if settings.values.get("core.symlinks", "true").lower() == "false":
        return None
    lines = [b"D %s\n" % _named(path) for path in sorted(update.remove)]
    room = MAX_BYTES
    for path in sorted(update.add):
        try:
            mode, content = _file(root / path, room)
        except (OSError, ValueError):
            return None
        room -= len(content)
        lines.append(b"M %s inline %s\ndata %d\n%s\n" % (mode, _named(path), len(content), content))
    return b"".join(lines)


def commit(git_dir: Path, tree: str, changed: bytes, parent: str | None, message: str, refs: list[str]) -> str:  # noqa: PLR0913, PLR0917 - the parts of a commit
    """Commit `tree` with the commands `changed` in the store, set `refs` to the commit, and return its name."""
    text = message.encode() + b"\n"
    first, *others = [ref.encode() for ref in refs]
    lines = [
        b"commit %s\nmark :1\n" % first,
        b"committer %s <%s> %d +0000\n" % (IDENTITY[0].encode(), IDENTITY[1].encode(), int(time.time())),
        b"data %d\n%s\n" % (len(text), text),
        b"from %s\n" % parent.encode() if parent else b"",
        b'M 040000 %s ""\n' % tree.encode(),
        changed,
        b"\n",
        *[b"reset %s\nfrom :1\n\n" % ref for ref in others],
        b"get-mark :1\n",
    ]
    arguments = ["fast-import", "--quiet", "--force", "--date-format=raw"]
    return run(git_dir, arguments, input=b"".join(lines)).decode().strip()


def _named(path: str) -> bytes:
    return os.fsencode(quoted(path))


def _file(path: Path, most: int) -> tuple[bytes, bytes]:
    """Return the mode, in git's notation, and the content of a file or a link.

    Raises ValueError if it has over `most` bytes.
    """
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        # Not by pathlib, which would normalize the target.
        return b"120000", os.fsencode(os.readlink(path))  # noqa: PTH115
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        content = file.read(most + 1)
    if not stat.S_ISREG(status.st_mode) or len(content) > most:
        raise ValueError(path)
    return b"100755" if status.st_mode & stat.S_IXUSR else b"100644", content
