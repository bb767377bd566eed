"""Read and change text files for a model's tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mux_lsp.core.text import split_lines
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mux_lsp.agents.builtin.worktree_files import WorktreeFiles

MAX_LINES: Final = 2000
MAX_LINE_CHARACTERS: Final = 2000
MAX_CHARACTERS: Final = 50_000
"""Maximum number of characters of a file that are read at a time."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """A replacement of `old` with `new`. Unless `everywhere` is set, `old` must occur exactly once."""

    old: str
    new: str
    everywhere: bool = False


def read(worktree_files: WorktreeFiles, path: Path, first: int, count: int) -> str:
    """Return lines of a text file with their numbers, from line `first` (1-based) on. Raises UsageError."""
    lines = [line.rstrip("\r\n") for line in split_lines(_text(worktree_files, path))]
    if not lines:
        return "[the file is empty]"
    if first > len(lines):
        raise UsageError(f"{path} has {len(lines)} lines; there is no line {first}.")
    shown: list[str] = []
    room = MAX_CHARACTERS
    for number, line in enumerate(lines[first - 1 : first - 1 + min(count, MAX_LINES)], first):
        left_out = len(line) - MAX_LINE_CHARACTERS
        shown.append(
            f"{number}\t{line[:MAX_LINE_CHARACTERS]}" + (f" [… {left_out} more characters]" if left_out > 0 else "")
        )
        room -= len(shown[-1])
        if room < 0:
            break
    last = first + len(shown) - 1
    if last < len(lines):
        shown.append(f"[lines {first}-{last} of {len(lines)}]")
    return "\n".join(shown)


def edit(worktree_files: WorktreeFiles, path: Path, replacements: Sequence[Replacement]) -> str:
    """Carry out all replacements in order, or none. Return a sentence for the model.

    Raises UsageError if a replacement does not fit.
    """
    before = after = _text(worktree_files, path)
    # A model writes either kind of line end. The file keeps its own.
    windows = _is_windows(before)
    for number, one in enumerate(replacements, 1):
        old, new = (_to_windows(one.old), _to_windows(one.new)) if windows else (one.old, one.new)
        found = after.count(old) if old else 0
        which = f"edit {number} of {len(replacements)}: " if len(replacements) > 1 else ""
        if not found:
            raise UsageError(f"{which}the text to replace is not in {path}. Nothing was changed; read the file again.")
        if found > 1 and not one.everywhere:
            raise UsageError(
                f"{which}the text to replace is in {path} {found} times. Nothing was changed; give more of the text "
                "around it, or set `everywhere`."
            )
        after = after.replace(old, new)
    if after == before:
        return f"{path} is as it was: the edits change nothing."
    try:
        data = after.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise UsageError("The new text holds half of a character (a lone surrogate). Nothing was changed.") from None
    worktree_files.write(path, data)
    return f"{path} was changed."


def write(worktree_files: WorktreeFiles, path: Path, content: str) -> str:
    """Replace a file's content, or create the file. Return a sentence for the model. Raises UsageError."""
    new = not worktree_files.exists(path)
    data = content.encode("utf-8", "replace")
    if not new and _is_windows(worktree_files.read(path).decode("utf-8", "replace")):
        data = _to_windows(content).encode("utf-8", "replace")
    worktree_files.write(path, data)
    return f"{path} was {'created' if new else 'written anew'}."


def _is_windows(text: str) -> bool:
    return "\r\n" in text and "\n" not in text.replace("\r\n", "")


def _to_windows(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\n", "\r\n")


def _text(worktree_files: WorktreeFiles, path: Path) -> str:
    data = worktree_files.read(path)
    if b"\0" in data:
        raise UsageError(f"{path} is not a text file.")
    return data.decode("utf-8", "surrogateescape")
