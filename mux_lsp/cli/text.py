"""Format amounts, times and sizes, and parse the paths and places that a user types."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from mux_lsp.core.phrases import few_of
from mux_lsp.core.sanitize import visible
from mux_lsp.core.text import shown_path
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

PLACE = re.compile(r"(?P<path>.+?):(?P<first>[0-9]+)(?:-(?P<last>[0-9]+))?", re.DOTALL)
"""`PATH:LINE` or `PATH:LINE-LINE`."""


def one_line(text: str, width: int = 60) -> str:
    """Return the first line that is not blank, with control characters made visible, cut at `width` characters."""
    line = next((part.strip() for part in text.splitlines() if part.strip()), "")
    line = visible(line)
    return line if len(line) <= width else line[: width - 1] + "…"


def dollars(amount: float) -> str:
    """Format an amount: `$4.10`, `$0.0031`."""
    return f"${amount:,.2f}" if amount >= 0.1 or not amount else f"${amount:.4f}"


def duration(seconds: float) -> str:
    """Format a duration: `4.2s`, `3m 07s`, `2h 05m`, `3d 04h`."""
    if seconds < 59.95:
        return f"{max(seconds, 0):.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86_400}d {whole % 86_400 // 3600:02d}h"


def size(octets: int) -> str:
    """Format a size: `512 B`, `3.4 MB`."""
    amount = float(octets)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def folder_of(uri: str) -> Path:
    """Return the folder of a `file:` URI."""
    return Path(os.fsdecode(unquote_to_bytes(urlsplit(uri).path)))


def place(text: str, folder: Path) -> tuple[Path, int | None, int | None]:
    """Parse `PATH`, `PATH:LINE` or `PATH:LINE-LINE` as an absolute path with first and last line, counted from 1.

    An existing file with that whole name is preferred. Raises UsageError if there is no such file or line.
    """
    whole = folder / text
    match = None if whole.exists() else PLACE.fullmatch(text)
    path = folder / match["path"] if match else whole
    if not path.exists():
        raise UsageError(f"--context {visible(text)}: there is no file {visible(str(path))}.")
    if match is None:
        return Path(os.path.normpath(path)), None, None
    first = int(match["first"])
    last = int(match["last"] or first)
    if not 1 <= first <= last:
        raise UsageError(f"--context {visible(text)}: lines are counted from 1, the first one first.")
    return Path(os.path.normpath(path)), first, last


def named_path(typed: str, changed: Iterable[str], root: Path, folder: Path) -> str:
    """Return the changed file, or the folder with changed files, that a user in `folder` means, relative to `root`.

    It may be named relative to `folder`, or as in a diff. Raises UsageError if it contains no change.
    """
    everything = list(changed)
    here = os.path.normpath(folder / typed)
    readings = [Path(os.path.normpath(typed)).as_posix()]
    if here == str(root) or here.startswith(os.path.join(root, "")):  # noqa: PTH118 - a prefix of text, not a path
        readings.insert(0, Path(here).relative_to(root).as_posix())
    for reading in map(shown_path, readings):
        if any(is_below(path, reading) for path in everything):
            return reading
    changes = few_of([visible(path) for path in everything], 5) or "no file at all"
    raise UsageError(f"This run changes nothing at {visible(typed)}; it changes {changes}.")


def is_below(path: str, name: str) -> bool:
    """Return whether a path is the file or is below the folder of that name; `.` is the root."""
    return name in {".", path} or path.startswith(f"{name}/")
