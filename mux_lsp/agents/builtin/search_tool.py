"""List and search a worktree's files, with ripgrep if it is installed."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mux_lsp.agents.builtin import search_worker
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mux_lsp.agents.builtin.worktree_files import WorktreeFiles

MAX_MATCHES: Final = 200
MAX_FILES: Final = 1000
MAX_LINE_CHARACTERS: Final = 300
MAX_SEARCHED_BYTES: Final = 2_000_000
TIMEOUT_SECONDS: Final = 30.0

RIPGREP_FAILED: Final = 2
"""Exit status of ripgrep for an error. It does not support all regular expressions of Python."""


def files(worktree_files: WorktreeFiles, folder: Path, pattern: str | None) -> str:
    """Return the files below a folder, as lines; with a pattern such as `*.py` or `src/**`, only those that match."""
    found: list[str] = []
    more = 0
    for path in search_worker.walk(worktree_files.root, folder):
        if pattern is None or fnmatch(path.name, pattern) or fnmatch(path.as_posix(), pattern):
            if len(found) < MAX_FILES:
                found.append(path.as_posix())
            else:
                more += 1
    if more:
        found.append(f"[… {more:,} more; narrow it down]")
    return "\n".join(found) or "[no files]"


async def search(
    worktree_files: WorktreeFiles, pattern: str, folder: Path, glob: str | None, environment: Mapping[str, str]
) -> str:
    """Return the lines that match a regular expression, as `path:line:text`. Raises UsageError for an invalid one."""
    ripgrep = shutil.which("rg")
    if ripgrep is not None:
        arguments = [
            ripgrep,
            "--no-config",
            "--line-number",
            "--no-heading",
            "--color=never",
            "--hidden",
            "--sort=path",
        ]
        arguments += [
            "--glob=!.git",
            f"--max-columns={MAX_LINE_CHARACTERS}",
            "--max-columns-preview",
            "--max-filesize=2M",
        ]
        arguments += [f"--glob={glob}"] if glob else []
        arguments += ["--regexp", pattern, "--", folder.as_posix()]
        lines, status = await _lines_of(arguments, worktree_files.root, environment)
        if status != RIPGREP_FAILED:
            return _shown(lines)
    # In a process of its own: a pattern can keep Python's matching, and with it the interpreter, busy for hours.
    program = [
        sys.executable,
        "-I",
        str(Path(search_worker.__file__)),
        str(MAX_SEARCHED_BYTES),
        str(MAX_LINE_CHARACTERS),
    ]
    lines, status = await _lines_of(
        [*program, pattern, folder.as_posix(), glob or ""], worktree_files.root, environment
    )
    if status == search_worker.NO_EXPRESSION:
        raise UsageError(f"{pattern!r} is not a regular expression: {' '.join(lines)}.")
    return _shown(lines)


async def _lines_of(arguments: list[str], folder: Path, environment: Mapping[str, str]) -> tuple[list[str], int | None]:
    """Return the lines that a search program prints, up to the maximum that is shown, and its exit status."""
    child = await asyncio.create_subprocess_exec(
        *arguments, cwd=folder, env=environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, limit=1_000_000,
    )  # fmt: skip
    assert child.stdout is not None  # noqa: S101  # asked for above
    lines: list[str] = []
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            async for line in child.stdout:
                lines.append(line.decode("utf-8", "replace").rstrip("\n").removeprefix("./"))
                if len(lines) > MAX_MATCHES:
                    return lines, None
            return lines, await child.wait()
    except (TimeoutError, ValueError):
        return [*lines, "[the search was ended: it took too long]"], None
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        await child.wait()


def _shown(lines: list[str]) -> str:
    if not lines:
        return "[no match]"
    if len(lines) > MAX_MATCHES:
        lines[MAX_MATCHES:] = [f"[… more than {MAX_MATCHES} matches; narrow it down]"]
    return "\n".join(lines)
