"""Define the paths of the daemon's state files and folders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The folder that holds the state of one daemon."""

    root: Path

    @property
    def journal(self) -> Path:
        """The database."""
        return self.root / "mux.db"

    @property
    def runs(self) -> Path:
        """The folders of runs."""
        return self.root / "runs"

    def run_folder(self, run_id: str) -> Path:
        """Return the folder of a run's prompt, output and exit status."""
        return self.runs / run_id

    @property
    def repositories(self) -> Path:
        """The folder of the repositories' stores."""
        return self.root / "repos"

    @property
    def unfinished(self) -> Path:
        """The folder of records of starts and deletions that are not yet in the journal (see `UnfinishedWork`)."""
        return self.root / "going"

    @property
    def opinions(self) -> Path:
        """The opinions of the LLM judge."""
        return self.root / "opinions"

    @property
    def client_files(self) -> Path:
        """The folder of files for connected clients. Files of a killed daemon are removed at the start."""
        return self.root / "clients"

    @property
    def backups_dir(self) -> Path:
        """The folder of backups of files that accepts have overwritten."""
        return self.root / "kept"
