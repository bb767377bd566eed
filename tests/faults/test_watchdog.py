"""Test the tests' own watchdog: it detects a blocked event loop of a daemon, and no other process has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.client import connected
from tests.support.editor import Editor
from tests.support.person import make_repository
from tests.support.watchdog import sitecustomize as watchdog

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.home import IsolatedHome


def test_what_holds_the_loop_of_a_daemon_is_reported(fake_home: IsolatedHome) -> None:
    with Editor(fake_home) as editor:
        editor.request("work", {"seconds": watchdog.LIMIT / 2})
        assert fake_home.held() == []
        editor.request("work", {"seconds": watchdog.LIMIT * 1.5})
        editor.request("echo")
        (line,) = fake_home.held()
    assert "event loop held for 0." in line
    assert "session.py" in line
    (fake_home.folder / watchdog.FILE).unlink()  # the block was intended


async def test_agents_and_their_checks_are_not_watched(mux_home: IsolatedHome, tmp_path: Path) -> None:
    root = make_repository(tmp_path / "project", {"f.txt": "one\n"})
    async with connected(mux_home, root) as client:
        run = await client.run('echo "${PYTHONPATH-none}"')
        assert watchdog.FOLDER not in await client.log(run["id"])
