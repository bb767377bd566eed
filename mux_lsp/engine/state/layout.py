"""Name the files and folders of the daemon's state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The folder of all that one daemon keeps."""

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
        """The folder of a run's prompt, output and exit status."""
        return self.runs / run_id

    @property
    def repositories(self) -> Path:
        """The stores of repositories."""
        return self.root / "repos"

    @property
    def unfinished(self) -> Path:
        """The notes on what was begun and is not on record yet."""
        return self.root / "going"

    @property
    def opinions(self) -> Path:
        """The opinions of the LLM judge."""
        return self.root / "opinions"

    @property
    def client_files(self) -> Path:
        """Files for clients while they are connected. Those that a killed daemon left are removed at start."""
        return self.root / "clients"

    @property
    def backups_dir(self) -> Path:
        """Copies of what a person has had written over."""
        return self.root / "kept"
