"""Provide what an operation works with: a person's repository, its engine, and a client."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import stat
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mux_lsp.engine.engine import Engine
from tests.support.desk import at_desk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.client import Client

Json = dict[str, Any]


@dataclass(frozen=True)
class Ground:
    """The folders of one case.

    The template of an operation is copied to the same path each time, since git directories, worktrees and the journal
    contain it.
    """

    base: Path

    @property
    def root(self) -> Path:
        return self.base / "project"

    @property
    def state(self) -> Path:
        return self.base / "state"

    @property
    def config(self) -> Path:
        return self.base / "config.toml"

    @property
    def memory(self) -> Path:
        return self.base / "memory.json"


@dataclass
class Bench:
    """An open engine with a client. `memory` passes values from the preparation: the ids of tasks and runs."""

    ground: Ground
    engine: Engine
    client: Client
    memory: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.ground.root

    async def settled(self) -> None:
        """Wait until nothing is at work: runs have ended, worktrees were returned, checks are done."""
        changed = asyncio.Event()
        stop = self.engine.subscribe(lambda _: changed.set())
        try:
            while self.engine.busy():
                changed.clear()
                # No event announces the check of a snapshot if it makes no difference to a run.
                waiting = asyncio.ensure_future(changed.wait())
                await asyncio.wait({waiting, *self.engine.background.pending}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
        finally:
            stop()
        await self.engine.runs.settled(*(run.id for task in self.engine.registry.tasks() for run in task.runs))

    async def finished(self, *agents: str, **more: Any) -> list[str]:
        """Start a task and wait for its end. Return the ids of its runs."""
        task = await self.client.start(*agents, **more)
        await self.settled()
        return [run["id"] for run in task["runs"]]

    async def facts(self) -> Json:
        """Return everything that a person can see of tasks, runs, hunks and acceptances, without ids and times."""
        tasks = []
        for task in self.engine.registry.tasks():
            shadow = self.engine.repositories.get(self.root).shadow
            runs = []
            for run in task.runs:
                reviewed = await self.client.review(run.id) if run.files and run.discarded is None else []
                patch = shadow.patch(run.base, run.result) if run.base and run.result else b""
                runs.append(
                    {
                        "id": run.id,
                        "state": run.state,
                        "reason": run.reason,
                        "turn": run.turn,
                        "message": run.message,
                        "discarded": run.discarded is not None,
                        "holds a worktree": run.worktree is not None,
                        "patch": patch.decode(errors="replace"),
                        "hunks": [[item["path"], item["hunk"], item["status"]] for item in reviewed],
                        "checks": [[check.command, check.state] for check in run.checks],
                    }
                )
            tasks.append({"id": task.id, "prompt": task.prompt, "paused": task.paused, "runs": runs})
        history = (await self.client.command("mux.history.list"))["acceptances"]
        accepted = sorted([one["run"], one["path"], str(one["hunk"]), one["withdrawn"] is None] for one in history)
        status = await self.client.command("mux.status")
        verdicts = [
            {key: one["verdict"][key] for key in ("passed", "stale")}
            for one in status["repositories"]
            if one.get("verdict")
        ]
        found = json.dumps({"tasks": tasks, "accepted": accepted, "verdicts": verdicts})
        for number, task in enumerate(self.engine.registry.tasks(), 1):
            # A number that a killed retry was to have is given to nobody any more.
            for position, run in enumerate(task.runs, 1):
                found = re.sub(rf"\b{run.id}\b", f"T{number}.{position}", found)
            found = re.sub(rf"\b{task.id}\b", f"T{number}", found)
        facts: Json = json.loads(found)
        return facts


@asynccontextmanager
async def bench(ground: Ground, *, applies: bool = False) -> AsyncIterator[Bench]:
    """An engine over what is on the ground, as a daemon opens it, with a client."""
    async with (
        Engine.open(ground.state, ground.config) as engine,
        at_desk(engine, ground.root, applies=applies) as client,
    ):
        memory = json.loads(ground.memory.read_text()) if ground.memory.exists() else {}
        yield Bench(ground, engine, client, memory)


def tree_of(root: Path) -> dict[str, tuple[int, str]]:
    """Return every file, link and folder of the person's working tree, but `.git`, with its mode and content."""
    found: dict[str, tuple[int, str]] = {}
    for place in sorted(root.rglob("*")):
        name = place.relative_to(root).as_posix()
        if name == ".git" or name.startswith(".git/"):
            continue
        status = place.lstat()
        content = ""
        if stat.S_ISLNK(status.st_mode):
            content = str(place.readlink())
        elif stat.S_ISREG(status.st_mode):
            content = hashlib.sha256(place.read_bytes()).hexdigest()[:16]
        found[name] = (status.st_mode, content)
    return found
