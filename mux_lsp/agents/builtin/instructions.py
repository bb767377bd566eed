"""What the repository tells agents: AGENTS.md and CLAUDE.md, at the root and in the folders where work is done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from mux_lsp.agents.builtin.confined import Confined

NAMES: Final = ("AGENTS.md", "CLAUDE.md")

LONGEST: Final = 40_000
"""Characters of one file that are read."""

_GIVEN: Final = re.compile(r'^<instructions file="([^"\n]*)">$', re.MULTILINE)


class Instructions:
    """Gives each file of instructions once: when work first comes to its folder. `said` is what was said before."""

    def __init__(self, confined: Confined, said: Iterable[str] = ()) -> None:
        self._confined = confined
        self._seen: set[Path] = set()
        self._given = {file for text in said for file in _GIVEN.findall(text)}

    def at(self, path: Path) -> str:
        """The instructions, not given before, of a folder (or a file's) and those above it; "" if there are none."""
        found = []
        for folder in reversed((path, *path.parents)):
            if folder in self._seen:
                continue
            self._seen.add(folder)
            found += [text for name in NAMES if (text := self._read(folder / name))]
        return "\n\n".join(dict.fromkeys(found))

    def _read(self, path: Path) -> str:
        if path.as_posix() in self._given:
            return ""
        try:
            # A link may lead to the other file of the two, or to one that is shared with other folders.
            text = self._confined.read(self._confined.resolve(path.as_posix())).decode("utf-8", "replace").strip()
        except UsageError:
            return ""
        if not text:
            return ""
        more = "\n[shortened]" if len(text) > LONGEST else ""
        return f'<instructions file="{path.as_posix()}">\n{text[:LONGEST]}{more}\n</instructions>'
