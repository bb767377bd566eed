"""Test `kill -9` of the real daemon while an editor applies its part of an accept: the editor's edits count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.faults.test_kill import kill_at_once
from tests.support.client import connected
from tests.support.person import make_repository, text_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.client import Client
    from tests.support.home import IsolatedHome

TEXT = text_of(range(20))
EDITED = TEXT.replace("line 3\n", "LINE 3\n")
AGENT = (
    "sh:sed -i 's/line 3$/LINE 3/' f.txt; printf '\\000\\001' > new.bin; chmod +x tool.sh; rm gone.bin; "
    "git mv moves.bin there.bin"
)
BEFORE = {"f.txt": TEXT, "tool.sh": "#!/bin/sh\n", "gone.bin": "\x01\x00", "moves.bin": "\x02\x00" * 40}
AFTER = {"f.txt": TEXT, "tool.sh": "#!/bin/sh\n", "new.bin": "\x00\x01", "there.bin": "\x02\x00" * 40}
"""The files on disk. The editor has its text unsaved."""
CHANGES = 5


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "project", BEFORE)


def files(root: Path) -> dict[str, str]:
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and ".git" not in path.parts:
            found[path.relative_to(root).as_posix()] = path.read_bytes().decode("latin-1")
    return found


def warnings(client: Client) -> list[str]:
    return [str(body) for body in client.raw if b"window/showMessage" in body]


async def on_record(client: Client) -> int:
    found = (await client.command("mux.history.list"))["acceptances"]
    return sum(one["withdrawn"] is None for one in found)


@pytest.mark.parametrize("command", ["mux.run.accept", "mux.run.pick"])
@pytest.mark.parametrize("applied", [True, False])
async def test_killed_while_the_editor_applies(
    mux_home: IsolatedHome, root: Path, command: str, *, applied: bool
) -> None:
    async with connected(mux_home, root, applies=True) as client:
        task = await client.start(AGENT, "sh:echo other >> f.txt")
        run, other = (one["id"] for one in await client.ended(task["id"]))
        daemon = psutil.Process((await client.command("mux.status"))["pid"])
        client.open(root / "f.txt")
        apply = client._apply

        def killed(edit: Any) -> Any:
            result = apply(edit) if applied else {"applied": False}
            kill_at_once(daemon)
            return result

        client._apply = killed  # type: ignore[method-assign]
        with pytest.raises(EOFError):
            await client.command(command, run=run)
        text = client.buffers[root / "f.txt"].text
        assert text == (EDITED if applied else TEXT)
    async with connected(mux_home, root, applies=True) as client:
        # The editor starts its server anew, and opens its documents.
        client.open(root / "f.txt", text)
        if applied:
            await client.until(lambda: client.diagnostics.get(root / "f.txt") is not None, "a look at the text")
            client.change(root / "f.txt", f"{text}typed\n")
        # No decision is made against an editor that may still be applying, except by a new accept.
        answer = await client.command("mux.run.accept", run=run)
        assert answer["accepted"] + answer["already"] == CHANGES
        assert answer["already"] == (CHANGES if applied else 0)
        assert files(root) == AFTER
        assert await on_record(client) == CHANGES
        runs = (await client.command("mux.task.get", task=task["id"]))["task"]["runs"]
        thrown = {one["id"]: one["discarded"] is not None for one in runs}
        assert thrown == {run: False, other: applied and command == "mux.run.pick"}
        assert bool(warnings(client)) is not applied
