"""Commit a tree that differs from another one in a few paths, without reading the rest of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mux_lsp.core.model import Snapshot
from mux_lsp.git import incremental
from mux_lsp.git.command import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mux_lsp.git.shadow import ShadowStore


@dataclass(frozen=True, slots=True)
class Put:
    """The new content of a path: git's mode, and the name of a blob of the store or the bytes themselves."""

    path: str
    mode: int
    content: str | bytes


def commit_variant(
    shadow: ShadowStore, base: Snapshot, remove: Iterable[str], put: Iterable[Put], name: str
) -> Snapshot:
    """Commit `base` without the paths `remove` and with the contents `put`, which replace whatever is in their way.

    The commit is kept until `forget(shadow, name)`. `base` must be complete. Raises GitError.
    """
    lines = [b"D %s\n" % os.fsencode(quoted(path)) for path in remove]
    for one in put:
        place = os.fsencode(quoted(one.path))
        if isinstance(one.content, str):
            lines.append(b"M %o %s %s\n" % (one.mode, one.content.encode(), place))
        else:
            lines.append(b"M %o inline %s\ndata %d\n%s\n" % (one.mode, place, len(one.content), one.content))
    commit = incremental.commit(shadow.git_dir, base.tree, b"".join(lines), base.head, f"Trial {name}", [_ref(name)])
    return Snapshot(commit, shadow.tree_of(commit), base.head)


def forget(shadow: ShadowStore, name: str) -> None:
    """Release a variant, so that the next `gc` removes it. Does nothing if there is no such variant."""
    shadow.set_refs({_ref(name): None})


def _ref(name: str) -> str:
    return f"refs/mux/trials/{name}"
