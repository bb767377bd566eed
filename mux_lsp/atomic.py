"""Replace files atomically: write beside the file, then rename over it.

It imports only the standard library. A process that is killed in between leaves the new file behind, which the next
writer replaces (`git.leftovers` removes it in folders without a next writer).
"""
# The bridge may import it, which does not import pathlib.
# ruff: noqa: PTH105, PTH108, PTH123

from __future__ import annotations

import contextlib
import os

from mux_lsp.faults import fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def replacing(
    path: str | os.PathLike[str], beside: str | os.PathLike[str] | None = None, *, point: str = "file"
) -> Iterator[str]:
    """Yield the path of a file to write, which replaces `path` at the end of the block, or is removed if that raises.

    It is `path` with the suffix `.new`, or `beside`, on the same disk. `point` names the crash points of tests.
    """
    final = os.fspath(path)
    new = f"{final}.new" if beside is None else os.fspath(beside)
    try:
        fault(f"{point}.begins")
        yield new
        fault(f"{point}.written")
        os.replace(new, final)
        fault(f"{point}.replaced")
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise


def write(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace a file with these bytes, or create it."""
    with replacing(path) as new, open(new, "wb") as file:
        file.write(data)


def write_private(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace a file like `write`, readable only by its owner from the moment it exists."""
    with replacing(path) as new:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
