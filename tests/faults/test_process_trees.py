"""Test that cancelling and the end of a run end all processes that the run has started, and nothing else."""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.client import connected
from tests.support.home import wait_for_exit
from tests.support.person import make_repository
from tests.support.runs import processes_of_runs
from tests.support.signals import Signal, signals

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.home import IsolatedHome

DAEMONISE = """
import os, signal, sys
arrived, go = sys.argv[1:]
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for number in range(3):
            os.close(number)
        with open(arrived, "w") as pipe:
            pipe.write("\\n")
        open(go).read()
    os._exit(0)
os.wait()
"""


def tree(arrived: Signal, go: Signal) -> str:
    """Return a shell script that starts four processes, detaches each differently, and then works itself."""
    python = shlex.join([sys.executable, "-c", DAEMONISE, str(arrived.path), str(go.path)])
    return "; ".join(
        [
            python,
            f"nohup sh -c '{arrived.give}; {go.take}' >/dev/null 2>&1 & :",
            f"setsid sh -c '{arrived.give}; {go.take}' & :",
            f'(trap "" TERM HUP INT; {arrived.give}; {go.take}) & :',
        ]
    )


@pytest.mark.parametrize("how", ["cancelled", "finished", "failed"])
async def test_the_whole_tree_ends(mux_home: IsolatedHome, tmp_path: Path, how: str) -> None:
    mux_home.write_config("[runs]\ngrace_seconds = 0.2\n")
    root = make_repository(tmp_path / "project", {"f.txt": "f\n"})
    with signals(tmp_path / "signals", "arrived", "go", "end", "bystander") as (arrived, go, end, bystander):
        async with connected(mux_home, root) as client:
            task = await client.start(
                f"sh:echo x >> f.txt; {tree(arrived, go)}; {end.take}; exit {int(how == 'failed')}"
            )
            (run,) = task["runs"]
            await arrived.happened(4)
            tree_there = processes_of_runs(mux_home)
            assert len(tree_there) >= 5
            (worktree,) = (mux_home.state / "repos").glob("*/worktrees/*/*")
            with subprocess.Popen(  # noqa: ASYNC220  it returns at once
                ["sh", "-c", f"{arrived.give}; {bystander.take}"], cwd=worktree, start_new_session=True
            ) as other:
                await arrived.happened()
                if how == "cancelled":
                    answer = await client.command("mux.run.cancel", run=run["id"])
                    assert answer["run"]["state"] == "cancelled"
                else:
                    end.happens()
                (run,) = await client.ended(task["id"])
                assert (run["state"], run["hunks"]) == (how, 1)
                assert [one for one in tree_there if not wait_for_exit(one, 0)] == []
                assert processes_of_runs(mux_home) == []
                assert other.poll() is None, "who only stands in the worktree is none of the run's"
                bystander.happens()
            assert other.returncode == 0
