"""Replace files whole or not at all: write beside the file, then rename over it.

A leaf of the standard library alone. A process that is killed in between leaves the file beside, which the next writer
replaces (`git.leftovers` removes those of folders that have none).
"""
# The bridge may need it, which does without pathlib.
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

    It is `path` with `.new` behind it, or `beside`, on the same disk. `point` names the points at which tests fail it.
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
    """Replace a file as `write` does, readable for its owner alone from the moment it exists."""
    with replacing(path) as new:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
