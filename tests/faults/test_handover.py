"""Test that a newer release replaces the daemon while an agent is at work, and migrates the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mux_lsp import __version__
from mux_lsp.daemon.client import request_status, request_stop
from tests.support.client import RefusedError, connected
from tests.support.person import make_repository, text_of
from tests.support.runs import processes_of_runs
from tests.support.signals import signals
from tests.support.tree import release

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.home import IsolatedHome

SECONDS = 30.0


async def test_runs_go_on_when_a_newer_release_replaces_the_daemon(mux_home: IsolatedHome, tmp_path: Path) -> None:
    root = make_repository(tmp_path / "project", {"f.txt": text_of(range(20))})
    newer = release(mux_home, "9.9.9", "CREATE TABLE later (name TEXT) STRICT")
    copies = mux_home.state.glob
    with signals(tmp_path / "signals", "arrived", "go") as (arrived, go):
        async with connected(mux_home, root) as old:
            work = f"echo before; sed -i 's/line 3$/LINE 3/' f.txt; {arrived.give}; {go.take}; echo after"
            task = await old.start(f"sh:{work}", checks=("grep -q 'LINE 3' f.txt",))
            await arrived.happened()
            at_work = {process.pid for process in processes_of_runs(mux_home)}
            async with connected(newer, root) as client:
                assert await old.bridge.wait() == 1  # its editor starts the server again
                assert request_status(mux_home.paths)["version"] == "9.9.9"
                (run,) = (await client.command("mux.task.get", task=task["id"]))["task"]["runs"]
                assert run["state"] == "running"
                assert {process.pid for process in processes_of_runs(mux_home)} == at_work
                go.happens()
                (run,) = await client.ended(task["id"])
                assert (run["state"], run["reason"], run["exit_status"], run["hunks"]) == ("finished", None, 0, 1)
                assert [check["state"] for check in run["checks"]] == ["passed"]
                assert await client.log(run["id"]) == "before\nafter\n"
                (copy,) = copies("mux.db-before-*")
                assert f"{copy} has what was before" in mux_home.log
                with pytest.raises(
                    RefusedError, match=f"daemon that runs is 9.9.9 .*, but this is mux-lsp {__version__}:"
                ):
                    async with connected(mux_home, root):
                        pass
                assert (await client.command("mux.status"))["unfinished_runs"] == 0
    assert request_stop(SECONDS, home=mux_home.paths)
    with pytest.raises(RefusedError, match=rf"written by a newer mux-lsp .*copy {copy.name} there as mux\.db"):
        async with connected(mux_home, root):
            pass
