"""What the repository tells agents: AGENTS.md and CLAUDE.md, at the root and in the folders where work is done."""

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

LONGEST: Final = 40_000
"""Characters of one file that are read."""

_GIVEN: Final = re.compile(r'^<instructions file="([^"\n]*)">$', re.MULTILINE)


class Instructions:
    """Gives each file of instructions once: when work first comes to its folder.

    Those of the folder where work starts, and of the ones above it, are `standing`: they hold all the time. `said` is
    what was given before.
    """

    def __init__(self, worktree_files: WorktreeFiles, start: Path, said: Iterable[str] = ()) -> None:
        self._confined = worktree_files
        self._seen: set[Path] = set()
        self._given: set[str] = set()
        """Files, by their real paths."""
        self.standing = self.at(start)
        self._always = frozenset(self._seen), frozenset(self._given)
        self._given.update(file for text in said for file in _GIVEN.findall(text))

    def at(self, path: Path) -> str:
        """The instructions, not given before, of a folder and those above it; "" if there are none."""
        found = []
        for folder in reversed((path, *path.parents)):
            if folder in self._seen:
                continue
            self._seen.add(folder)
            # To follow all links of a path takes a while where it is deep, and hardly any folder has instructions.
            here = [name for name in NAMES if os.path.lexists(self._confined.root / folder / name)]
            found += [text for name in here if (text := self._read(folder / name))]
        return "\n\n".join(found)

    def forget(self) -> None:
        """What was given is no longer known word by word: give it again where work comes to it."""
        seen, given = self._always
        self._seen, self._given = set(seen), set(given)

    def _read(self, path: Path) -> str:
        try:
            # A link may lead to the other file of the two, or to one that is shared with other folders.
            real = self._confined.resolve(path.as_posix())
            if real.as_posix() in self._given:
                return ""
            text = self._confined.read(real).decode("utf-8", "replace").strip()
        except UsageError:
            return ""
        if not text:
            return ""
        self._given.add(real.as_posix())
        more = "\n[shortened]" if len(text) > LONGEST else ""
        return f'<instructions file="{real.as_posix()}">\n{text[:LONGEST]}{more}\n</instructions>'
