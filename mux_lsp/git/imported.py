"""Record the files imported into a worktree by mux-lsp: included files and what a set-up created.

They are never part of a result. Ignore rules alone would not ensure that, since an agent may write its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mux_lsp import atomic
from mux_lsp.git.folders import is_plain_folder, remove_tree
from mux_lsp.git.pinned_folder import LostError

if TYPE_CHECKING:
    from pathlib import Path

_FILE: Final = "brought"


@dataclass(frozen=True, slots=True)
class ImportedPaths:
    """Files and folders of a worktree."""

    files: frozenset[str] = frozenset()
    folders: frozenset[str] = frozenset()
    """Folders that are imported with all that is below them."""

    def holds(self, path: str) -> bool:
        """Return whether `path` was imported or is in an imported folder. `path` may end in `/`."""
        path = path.rstrip("/")
        if path in self.files or path in self.folders:
            return True
        if self.folders:
            end = path.rfind("/")
            while end > 0:
                if path[:end] in self.folders:
                    return True
                end = path.rfind("/", 0, end)
        return False

    def __or__(self, other: ImportedPaths) -> ImportedPaths:
        return ImportedPaths(self.files | other.files, self.folders | other.folders)

    def __bool__(self) -> bool:
        return bool(self.files or self.folders)


def imported_paths(paths: list[str]) -> ImportedPaths:
    """Build the value from paths as git lists them: a whole folder ends in `/`."""
    return ImportedPaths(
        frozenset(path for path in paths if not path.endswith("/")),
        frozenset(path.rstrip("/") for path in paths if path.endswith("/")),
    )


def save(own_dir: Path, what: ImportedPaths) -> None:
    """Save the imported paths of a worktree in its own git directory (not the agent's)."""
    file = own_dir / _FILE
    if not what or is_plain_folder(file):
        remove_tree(file)
    if not what:
        return
    atomic.write(file, json.dumps({"files": sorted(what.files), "folders": sorted(what.folders)}).encode())


def load(own_dir: Path) -> ImportedPaths:
    """Load the imported paths of a worktree. Raises LostError if the record cannot be read."""
    try:
        known = json.loads((own_dir / _FILE).read_text())
        return ImportedPaths(frozenset(known["files"]), frozenset(known["folders"]))
    except FileNotFoundError:
        return ImportedPaths()
    except (OSError, ValueError, TypeError, KeyError) as error:
        # A result without this record could contain the person's secrets.
        raise LostError(
            f"{own_dir / _FILE}, which says what of the worktree is no agent's work, is damaged: no result can be "
            "taken. What was taken before is kept; `mux-lsp retry` has the agent begin anew."
        ) from error
