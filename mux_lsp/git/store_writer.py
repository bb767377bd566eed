"""Write commits and refs to a shadow store."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mux_lsp.git import store_setup
from mux_lsp.git.command import alternates_variable
from mux_lsp.git.store_reader import StoreReader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MAX_LOOSE_OBJECTS = 6700
"""Approximate number of loose objects at which they are packed: git's default of `gc.auto`."""

MAX_PACKS = 50
"""Number of packs at which they are combined: git's default of `gc.autoPackLimit`.

Each of the person's commits that was the HEAD of a snapshot adds one.
"""


class StoreWriter(StoreReader):
    """A reader and writer of the bare repository at `git_dir`. Thread-safe."""

    def commit(self, tree: str, parent: str | None, message: str, *, borrowed: Sequence[Path] = ()) -> str:
        """Write a commit under mux-lsp's own name, and return its object name. No ref names it yet."""
        moment = f"{int(time.time())} +0000"
        name, email = store_setup.IDENTITY
        who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
               for what, value in (("NAME", name), ("EMAIL", email), ("DATE", moment))}  # fmt: skip
        parents = ["-p", parent] if parent else []
        arguments = ["-c", "i18n.commitEncoding=UTF-8", "commit-tree", *parents, "-m", message, tree]
        return self.git(arguments, environment={**who, **alternates_variable(borrowed)}).decode().strip()

    def set_refs(self, refs: Mapping[str, str | None]) -> None:
        """Set refs to commits in one transaction. None deletes a ref, whether it exists or not."""
        lines = [f"update {name}\0{commit}\0\0" if commit else f"delete {name}\0\0" for name, commit in refs.items()]
        self.git(["update-ref", "-z", "--stdin"], input="".join(lines).encode())

    def delete_refs(self, name: str) -> None:
        """Delete the refs of the snapshot and the result `name`. The next gc deletes what only they need."""
        if self.git_dir.exists():
            self.set_refs({f"refs/mux/snapshots/{name}": None, f"refs/mux/results/{name}": None})

    @property
    def needs_gc(self) -> bool:
        """True if there are enough loose objects or packs for `ShadowStore.gc` to be worthwhile."""
        return self.many_loose or sum(1 for _ in (self.git_dir / "objects" / "pack").glob("*.pack")) > MAX_PACKS

    @property
    def many_loose(self) -> bool:
        """True if there are too many loose objects, estimated from one folder of 256."""
        try:
            return sum(1 for _ in (self.git_dir / "objects" / "17").iterdir()) > MAX_LOOSE_OBJECTS // 256
        except FileNotFoundError:
            return False
