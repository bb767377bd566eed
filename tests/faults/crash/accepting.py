"""Define the operations that accept and pick: on disk and through an editor, with every kind of change."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

from tests.faults.crash.operations import Operation
from tests.support.person import make_repository, text_of

if TYPE_CHECKING:
    from tests.faults.crash.bench import Bench, Ground
    from tests.faults.crash.operations import Memory

ALL_KINDS: Final = (
    "sh:sed -i.bak 's/line 3$/LINE 3/' a.txt; rm a.txt.bak; echo b2 >> b.txt; chmod +x b.txt; "
    "mkdir -p new/er; echo new > new/er/file.txt; rm gone.txt; git mv moved.txt moved-to.txt; "
    "printf '\\000\\001\\377' > picture.bin; rm -r folder; echo file > folder; "
    "rm file; mkdir file; echo in > file/in.txt; ln -s a.txt link"
)
"""Edits, a mode, a new file in new folders, a deletion, a rename, a binary, and a folder for a file and the reverse."""

TEXTS: Final = (
    "sh:sed -i.bak 's/line 3$/LINE 3/' a.txt; rm a.txt.bak; echo b2 >> b.txt; echo new > new.txt; rm gone.txt"
)
"""Changes that an editor can apply by itself."""


def repository(ground: Ground) -> None:
    make_repository(
        ground.root,
        {
            "a.txt": text_of(range(20)),
            "b.txt": "b\n",
            "gone.txt": "gone\n",
            "moved.txt": text_of(range(30)),
            "picture.bin": "\x01\x02",
            "folder/one.txt": "1\n",
            "folder/two.txt": "2\n",
            "file": "file\n",
        },
    )


async def all_kinds(bench: Bench) -> Memory:
    """Make a run that changes something of every kind, and two others."""
    runs = await bench.finished(ALL_KINDS, "sh:echo other >> b.txt", "sh:echo third >> b.txt")
    return {"task": runs[0].partition("-")[0], "run": runs[0]}


async def texts(bench: Bench) -> Memory:
    runs = await bench.finished(TEXTS, "sh:echo other >> b.txt")
    return {"task": runs[0].partition("-")[0], "run": runs[0]}


async def rejected(bench: Bench) -> Memory:
    """Make the same runs. The person has first rejected a file of one; accepting it by name withdraws that."""
    memory = await all_kinds(bench)
    await bench.client.command("mux.run.reject", run=memory["run"], paths=["a.txt"])
    return memory


async def accept(bench: Bench) -> None:
    await bench.client.command("mux.run.accept", run=bench.memory["run"])


async def accept_rejected(bench: Bench) -> None:
    items = [item for item in await bench.client.review(bench.memory["run"]) if item["path"] == "a.txt"]
    hunks = [item["hunk"] for item in items]
    await bench.client.command("mux.hunk.accept", run=bench.memory["run"], hunks=hunks)


async def pick(bench: Bench) -> None:
    await bench.client.command("mux.run.pick", run=bench.memory["run"])


_accepting = functools.partial(Operation, again=True, transacts=True, repository=repository)

# `test_accept_points.py` has each point of the files alone; these add the points of the journal, in an engine.
ACCEPTING: Final = (
    _accepting("accept: on disk", all_kinds, accept, every=3),
    _accepting("accept: through an editor", texts, accept, applies=True),
    _accepting("accept: partly on disk", all_kinds, accept, applies=True, every=6),
    _accepting("accept: what was rejected", rejected, accept_rejected, every=3),
    _accepting("pick: on disk", all_kinds, pick, every=6),
    _accepting("pick: through an editor", texts, pick, applies=True, every=3),
    _accepting("pick: partly on disk", all_kinds, pick, applies=True, every=6),
)
