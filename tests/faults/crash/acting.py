"""Act in a zygote's child: prepare an operation, pass its points, be killed at one, and recover."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from mux_lsp import faults
from mux_lsp.errors import GitError, MuxError
from tests.faults.crash.bench import Ground, bench, tree_of
from tests.faults.crash.catalogue import find
from tests.faults.crash.oracle import breaches
from tests.support.client import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.crash.bench import Bench
    from tests.faults.crash.operations import Operation

Json = dict[str, Any]

END = "end"
"""A point after all others: everything is done, and the daemon is killed."""


class Plan:
    """A fault plan: it records each passed point with its name and count, and acts at one of them."""

    def __init__(self, point: str | None, mode: str) -> None:
        self.passed: list[str] = []
        self.reached = False
        self.began = self.seconds = 0.0
        self._point = point
        self._mode = mode
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def __call__(self, name: str, number: int) -> None:
        with self._lock:
            known = f"{name}({number})" if number else name
            self._counts[known] += 1
            point = f"{known}#{self._counts[known]}"
            self.passed.append(point)
            if self.reached or point != self._point:
                return
            self.reached = True
        if self._mode == "kill":
            os._exit(9)
        raise self._error(name)

    def begin(self) -> None:
        """Mark the beginning of the operation. To kill after a time, set a timer whose signal is not handled."""
        if self._mode == "time" and self._point is not None:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, float(self._point))
        self.began = time.monotonic()

    def undisturbed(self, apply: Callable[[Json], Json]) -> Callable[[Json], Json]:
        """Stop the timer while an editor applies an edit."""

        def within(edit: Json) -> Json:
            left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
            result = apply(edit)
            signal.setitimer(signal.ITIMER_REAL, left)
            return result

        return within

    def finish(self) -> None:
        """Mark the end: all points were passed."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.seconds = time.monotonic() - self.began
        if self._point == END and self._mode == "kill":
            os._exit(9)

    def _error(self, name: str) -> Exception:
        area = name.partition(".")[0]
        if area == "journal":
            return sqlite3.OperationalError("database or disk is full")
        if area == "git":
            return GitError(f"git {name.split('.')[1]} failed: No space left on device")
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Bugs(logging.Handler):
    """A handler that collects errors logged as bugs, which are those with a traceback."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.found.append(
                "logged as a bug: "
                + " | ".join(self.format(record).splitlines()[:1] + self.format(record).splitlines()[-3:])
            )


def act(what: str, operation: str, base: str, **said: Any) -> Json:
    """Do one of the things below and return its findings."""
    bugs = Bugs()
    logging.getLogger().addHandler(bugs)
    op, ground = find(operation), Ground(Path(base))
    match what:
        case "prepare":
            found = asyncio.run(_prepare(op, ground))
        case "look":
            found = asyncio.run(_look(op, ground))
        case "strike":
            found = asyncio.run(_strike(op, ground, Plan(said["point"], said["mode"]), said["goal"]))
            if said["mode"] == "raise" and breaches(ground):
                # The next daemon tries again to return worktrees that this one could not.
                asyncio.run(_look(op, ground))
        case "recover":
            found = asyncio.run(_recover(op, ground, said["before"], said["after"]))
        case _:
            raise ValueError(what)
    found["breaches"] = [*found.get("breaches", []), *bugs.found]
    if what != "look":
        found["breaches"] += breaches(ground)
    return found


async def _prepare(op: Operation, ground: Ground) -> Json:
    ground.state.mkdir(parents=True)
    op.repository(ground)
    ground.config.write_text(op.config.replace("{root}", str(ground.root)))
    async with bench(ground, applies=op.applies) as found:
        memory = await op.prepare(found)
        ground.memory.write_text(json.dumps(memory))
        if op.dies:
            os._exit(9)
        await found.settled()
    return {}


async def _look(op: Operation, ground: Ground) -> Json:
    """Return the present state, in an engine of its own."""
    async with bench(ground, applies=op.applies) as found:
        await op.desk(found)
        await found.settled()
        return {"facts": await found.facts(), "tree": tree_of(ground.root)}


async def _strike(op: Operation, ground: Ground, plan: Plan, goal: list[Json]) -> Json:
    """Do the operation under a plan. If it fails, do it once more in the same daemon."""
    refused = None
    if op.at_start:
        faults.install(plan)
        plan.begin()
        try:
            return await _start(op, ground, plan)
        except MuxError as error:
            refused = str(error)
        except OSError as error:
            return {"passed": plan.passed, "breaches": [f"no sentence at start: {error!r}"]}
        finally:
            faults.install(None)
        return {**await _start(op, ground, plan), "refused": refused}
    async with bench(ground, applies=op.applies) as found:
        await op.desk(found)
        await op.lead_in(found)
        # An editor is another process: it is not killed in the middle of its own edit.
        found.client._apply = plan.undisturbed(found.client._apply)  # type: ignore[assignment,method-assign]
        faults.install(plan)
        plan.begin()
        try:
            await op.do(found)
            await found.settled()
        except RefusedError as error:
            refused = str(error)
        finally:
            faults.install(None)
        plan.finish()
        facts = await found.facts()
        if plan.reached:
            if op.waits:
                await found.settled()
            if op.again or not reaches(op, facts, goal):
                await op.do(found)
                await found.settled()
                facts = await found.facts()
        return {
            "passed": plan.passed, "reached": plan.reached, "refused": refused, "facts": facts,
            "tree": tree_of(ground.root), "seconds": plan.seconds,
        }  # fmt: skip


async def _start(op: Operation, ground: Ground, plan: Plan) -> Json:
    async with bench(ground, applies=op.applies) as found:
        await found.settled()
        faults.install(None)
        plan.finish()
        return {
            "passed": plan.passed, "reached": plan.reached, "refused": None, "facts": await found.facts(),
            "tree": tree_of(ground.root),
        }  # fmt: skip


def reaches(op: Operation, facts: Json, goal: list[Json]) -> bool:
    """Return whether an operation has reached its goal."""
    return all(one in goal_of(op, facts) for one in goal)


def goal_of(op: Operation, facts: Json) -> list[Json]:
    """Return the goal of an operation: the ends of runs in any order and number, the acceptances and the verdicts.

    If an error makes an agent work twice, its result may differ. If the error occurs while a run is ended, that run has
    ended by it.
    """
    kept = ("state", "reason", "discarded", "checks") if op.waits else ("discarded", "checks")
    runs = [
        {**{name: run[name] for name in kept}, "hunks": [one[2] for one in run["hunks"]]}
        for task in facts["tasks"]
        for run in task["runs"]
    ]
    return [*runs, *({"accepted": one[1:]} for one in facts["accepted"]), *facts["verdicts"]]


async def _redone(op: Operation, found: Bench, before: Json | None) -> Json:
    if op.waits:
        await found.settled()
    if op.again or await found.facts() == before:
        await op.do(found)
    await found.settled()
    return await found.facts()


async def _recover(op: Operation, ground: Ground, before: Json, after: Json) -> Json:
    """Recover after a kill. The state must be as before or as after, and as after once the operation is done again."""
    found: list[str] = []
    trees = [before["tree"], after["tree"]]
    if not op.transacts and json.loads(json.dumps(tree_of(ground.root))) not in trees:
        found.append(f"right after the kill the tree is neither: {_differs(tree_of(ground.root), after['tree'])}")
    async with bench(ground, applies=op.applies) as one:
        await op.desk(one)
        # Decisions that depend on a text are made with the present texts.
        await one.engine.transactions.settle(ground.root)
        if op.waits:
            await one.settled()
            facts = await one.facts()
            if facts not in [before.get("facts"), after["facts"]]:
                found.append(f"the next daemon shows neither: {_differs(facts, after['facts'])}")
        now = json.loads(json.dumps(tree_of(ground.root)))
        if now not in trees:
            found.append(f"with the next daemon the tree is neither: {_differs(now, after['tree'])}")
        try:
            facts = await _redone(op, one, before.get("facts"))
        except RefusedError as error:
            found.append(f"it cannot be done once more: {error}")
            facts = await one.facts()
        if facts != after["facts"]:
            found.append(f"done once more, it is not done: {_differs(facts, after['facts'])}")
        now = json.loads(json.dumps(tree_of(ground.root)))
        if now != after["tree"]:
            found.append(f"done once more, the tree differs: {_differs(now, after['tree'])}")
    return {"breaches": found}


def _differs(now: Any, wanted: Any, path: str = "") -> str:
    """Return a short description of where two values differ."""
    if isinstance(now, dict) and isinstance(wanted, dict):
        for key in sorted({*now, *wanted}):
            if now.get(key) != wanted.get(key):
                return _differs(now.get(key), wanted.get(key), f"{path}/{key}")
    if isinstance(now, list) and isinstance(wanted, list) and len(now) == len(wanted):
        for number, (one, other) in enumerate(zip(now, wanted, strict=True)):
            if one != other:
                return _differs(one, other, f"{path}/{number}")
    return f"{path}: {str(now)[:300]!r} and not {str(wanted)[:300]!r}"
