"""Enumerate the points of an operation, and kill it, or make it fail, at each of them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tests.faults.crash.acting import END, goal_of, reaches
from tests.faults.crash.bench import Ground
from tests.faults.crash.oracle import processes
from tests.support.home import wait_for_exit
from tests.support.person import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.crash.operations import Operation
    from tests.faults.crash.zygote import Zygote

Json = dict[str, Any]
Mode = Literal["kill", "raise"]

GONE_SECONDS = 20.0


@dataclass
class Enumeration:
    """The findings at an operation's points."""

    operation: str
    mode: Mode
    points: list[str]
    missed: list[str] = field(default_factory=list)
    """Points that were not passed this time, since thread scheduling varies: the operation was completed there."""
    breaches: dict[str, list[str]] = field(default_factory=dict)


class Enumerator:
    """The points of one operation. `work` is an empty folder."""

    def __init__(self, zygote: Zygote, operation: Operation, work: Path) -> None:
        self._zygote = zygote
        self._operation = operation
        self._ground = Ground(work / "case")
        self._template = work / "template"
        self._go = work / "go"
        self._prepare()
        self._git = fingerprint(self._ground.root / ".git")
        self._restore()
        self.before = self._act("look")
        self._restore()
        self.after = self._act("strike", point=None, mode="record", goal=[])
        self._goal = goal_of(operation, self.after["facts"])
        if self.before["breaches"] or self.after["breaches"]:
            raise AssertionError(f"{operation.name}, with no fault: {self.before['breaches'] + self.after['breaches']}")
        if self.after["refused"]:
            raise AssertionError(f"{operation.name}, with no fault: {self.after['refused']}")

    def points(self, mode: Mode, *, own: bool = False) -> list[str]:
        """Return the points of the operation, or its `own`: those between `shared_until` and `shared_from`.

        Kills are at points where something has happened: between them and the next step nothing changes. Errors are at
        points where a step begins, or before it is committed.
        """
        passed: list[str] = self.after["passed"]
        if own and self._operation.shared_until in passed:
            passed = passed[passed.index(self._operation.shared_until) :]
        if own and self._operation.shared_from in passed:
            passed = passed[: passed.index(self._operation.shared_from) + 1]
        begins = [point for point in passed if point.partition("#")[0].endswith((".begins", ".written"))]
        if mode == "raise":
            return begins
        return [*passed[:1], *(point for point in passed[1:] if ".begins" not in point), END]

    def run(self, mode: Mode, points: list[str] | None = None) -> Enumeration:
        """Kill the operation, or make it fail, at each of these points; by default at all."""
        found = Enumeration(self._operation.name, mode, self.points(mode) if points is None else points)
        for point in found.points:
            self._restore()
            try:
                breaches = [*self._strike(mode, point, found)]
            finally:
                self._end_all()
            if breaches:
                found.breaches[point] = breaches
        return found

    def _strike(self, mode: Mode, point: str, found: Enumeration) -> Iterator[str]:
        status, answer = self._zygote.run(
            "strike",
            operation=self._operation.name,
            base=str(self._ground.base),
            point=point,
            mode=mode,
            goal=self._goal,
        )
        if mode == "kill" and status == 0:
            found.missed.append(point)
        elif mode == "kill" and status == 9:
            status, answer = self._recover()
        elif mode == "raise" and status == 0:
            if not answer["reached"]:
                found.missed.append(point)
            yield from self._after_an_error(answer)
        if status != 0:
            yield f"the child ended with status {status}: {self._zygote.log.read_text(errors='replace')[-3000:]}"
        yield from answer.get("breaches", [])
        if fingerprint(self._ground.root / ".git") != self._git:
            yield "the person's .git has changed"

    def kill_after(self, seconds: float) -> tuple[bool, list[str]]:
        """Kill the operation after this many seconds. Return whether it was still in progress, and the breaches."""
        self._restore()
        try:
            status, answer = self._zygote.run(
                "strike",
                operation=self._operation.name,
                base=str(self._ground.base),
                point=str(seconds),
                mode="time",
                goal=self._goal,
            )
            if status == 0:
                return False, answer["breaches"]
            breaches = [] if status == -signal.SIGALRM else [f"the child ended with status {status}"]
            status, answer = self._recover()
            if status != 0:
                breaches.append(f"the next daemon ended with status {status}: {self._zygote.log.read_text()[-3000:]}")
            breaches += answer.get("breaches", [])
            if fingerprint(self._ground.root / ".git") != self._git:
                breaches.append("the person's .git has changed")
            return True, breaches
        finally:
            self._end_all()

    @property
    def seconds(self) -> float:
        """The duration of the operation."""
        return float(self.after["seconds"])

    def _recover(self) -> tuple[int, Json]:
        return self._zygote.run(
            "recover",
            operation=self._operation.name,
            base=str(self._ground.base),
            before=self.before,
            after=self.after,
        )

    def _after_an_error(self, answer: Json) -> Iterator[str]:
        if answer["tree"] != self.after["tree"]:
            yield "done once more, the tree differs"
        refused = answer["refused"]
        if refused is not None and ("Traceback" in refused or "bug in mux-lsp" in refused):
            yield f"not in words: {refused}"
        for task in answer["facts"]["tasks"]:
            for run in task["runs"]:
                if run["reason"] is not None and "a bug" in run["reason"]:
                    yield f"{run['id']} has ended by {run['reason']}"
        # A recovered run that met the error has failed with a reason: nobody has asked for it once more.
        if not self._operation.at_start and not reaches(self._operation, answer["facts"], self._goal):
            yield f"done once more, it is not done: {self._goal} and not {goal_of(self._operation, answer['facts'])}"

    def _prepare(self) -> None:
        if self._operation.dies:
            os.mkfifo(self._go)
        base = str(self._ground.base)
        status, answer = self._zygote.run("prepare", operation=self._operation.name, base=base)
        if status != (9 if self._operation.dies else 0) or answer.get("breaches"):
            log = self._zygote.log.read_text(errors="replace")
            raise AssertionError(f"{self._operation.name} cannot be prepared: {status} {answer} {log}")
        if self._operation.dies:
            left = processes(self._ground.state)
            with self._go.open("w") as go:
                go.write("\n")
            for process in left:
                assert wait_for_exit(process, GONE_SECONDS), process
        shutil.copytree(self._ground.base, self._template, symlinks=True)

    def _restore(self) -> None:
        shutil.rmtree(self._ground.base)
        shutil.copytree(self._template, self._ground.base, symlinks=True)
        know_again(self._ground)

    def _end_all(self) -> None:
        """Kill the processes that a case has left, so that they do not disturb the next one."""
        for process in processes(self._ground.state):
            process.kill()
            wait_for_exit(process, GONE_SECONDS)

    def _act(self, what: str, **said: object) -> Json:
        status, answer = self._zygote.run(what, operation=self._operation.name, base=str(self._ground.base), **said)
        if status != 0:
            raise AssertionError(f"{self._operation.name}: {what}: {self._zygote.log.read_text(errors='replace')}")
        return answer


def know_again(ground: Ground) -> None:
    """Update the recorded identities of folders: the inodes of a copy differ, and it would be taken for another one."""
    for file in ground.state.glob("repos/*/slots/*/slot.json"):
        slot = json.loads(file.read_text())
        base, name = file.parents[2], file.parent.name
        for key, folder in (
            ("inode", base / "worktrees" / name / slot["folder_name"]),
            ("git_inode", base / "gitdirs" / name),
        ):
            if slot.get(key) is not None and folder.is_dir():
                slot[key] = folder.stat().st_ino
        file.write_text(json.dumps(slot))
    identity = json.dumps({"inode": ground.root.stat().st_ino, "git_inode": (ground.root / ".git").stat().st_ino})
    with closing(sqlite3.connect(ground.state / "mux.db", isolation_level=None)) as database:
        database.execute("UPDATE tasks SET data = json_set(data, '$.identity', json(?))", (identity,))


def in_memory() -> str | None:
    """Return a folder with its files in memory, if the system has one: a case writes hundreds of small files."""
    memory = "/dev/shm"  # noqa: S108  (folders in it are made by tempfile)
    return memory if os.access(memory, os.W_OK) else None
