"""Collect the repository's instructions for agents: AGENTS.md and CLAUDE.md, at the root and in folders with work."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from mux_lsp.agents.builtin.worktree_files import WorktreeFiles

NAMES: Final = ("AGENTS.md", "CLAUDE.md")

MAX_CHARACTERS: Final = 40_000
"""Maximum number of characters that are read of one file."""

_GIVEN: Final = re.compile(r'^<instructions file="([^"\n]*)">$', re.MULTILINE)


class Instructions:
    """The files of instructions, each given once: when work first enters its folder.

    Those of the folder in which work starts, and of its parents, are `standing`: they apply throughout. `said` are the
    texts that the model was given before.
    """

    def __init__(self, worktree_files: WorktreeFiles, start: Path, said: Iterable[str] = ()) -> None:
        self._confined = worktree_files
        self._seen: set[Path] = set()
        self._given: set[str] = set()
        """Real paths of the files whose text was given."""
        self.standing = self.at(start)
        self._always = frozenset(self._seen), frozenset(self._given)
        self._given.update(file for text in said for file in _GIVEN.findall(text))

    def at(self, path: Path) -> str:
        """Return the instructions, not given before, of a folder and its parents; "" if there is nothing new."""
        found = []
        for folder in reversed((path, *path.parents)):
            if folder in self._seen:
                continue
            self._seen.add(folder)
            # Resolving a path is slow if it is deep, and most folders have no instructions. So only existing files are
            # resolved.
            here = [name for name in NAMES if os.path.lexists(self._confined.root / folder / name)]
            found += [text for name in here if (text := self._read(folder / name))]
        return "\n\n".join(found)

    def forget(self) -> None:
        """Forget which instructions were given, except the standing ones, because a summary has replaced their text."""
        seen, given = self._always
        self._seen, self._given = set(seen), set(given)

    def _read(self, path: Path) -> str:
        try:
            # A link may lead to the other one of the two files, or to a file that is shared with other folders.
            real = self._confined.resolve(path.as_posix())
            if real.as_posix() in self._given:
                return ""
            text = self._confined.read(real).decode("utf-8", "replace").strip()
        except UsageError:
            return ""
        if not text:
            return ""
        self._given.add(real.as_posix())
        more = "\n[shortened]" if len(text) > MAX_CHARACTERS else ""
        return f'<instructions file="{real.as_posix()}">\n{text[:MAX_CHARACTERS]}{more}\n</instructions>'
