"""Run random operations of a person and agents over a real daemon that is killed at random moments, for a given time.

`python -m tests.faults.soak [--minutes M] [--seed S]`; a breach ends it with its seed, which reproduces it as far as
threads and processes allow. After each round the texts must be those of the model, and nothing may be left: no process,
no worktree that a run holds, no file beside the person's, no more descriptors in the daemon than at the start.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from tests.faults.crash.bench import Ground, tree_of
from tests.faults.crash.oracle import breaches
from tests.support.client import RefusedError, connected
from tests.support.home import isolated_home, wait_for_exit
from tests.support.person import fingerprint, make_repository, text_of
from tests.support.runs import processes_of_runs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.support.client import Client, Json
    from tests.support.home import IsolatedHome

GONE_SECONDS: Final = 30.0

DESCRIPTORS: Final = 40
"""Maximum descriptors that a daemon may have open beyond those at its first client: stores, logs, helpers."""

OPERATIONS_OF_A_ROUND: Final = 6

AGENTS: Final = (
    "sh:echo more >> b.txt",
    "sh:sed -i.bak 's/line 3$/LINE 3/' a.txt; rm a.txt.bak",
    "sh:echo new > src/new-$$.txt; git add -A; git commit -qm done",
    "sh:echo x >> b.txt; exit 3",
    "sh:mkdir -p deep/er; echo deep > deep/er/file.txt",
)


class BreachError(AssertionError):
    """An invariant does not hold."""


class Soak:
    """A person at work. `chance` makes all random choices."""

    def __init__(self, home: IsolatedHome, chance: random.Random) -> None:
        self.home = home
        self.chance = chance
        self.root = home.folder / "project"
        make_repository(self.root, {"a.txt": text_of(range(20)), "b.txt": "b\n", "src/c.txt": "c\n"})
        self.git = fingerprint(self.root / ".git")
        self.done: Counter[str] = Counter()
        self.kills = 0
        self.expected = tree_of(self.root)
        """The tree as the person left it: only accepting or typing changes it."""

    async def round(self) -> None:
        """Do some operations with one daemon, kill it in the middle of the last one, and check the remaining state."""
        async with connected(self.home, self.root) as client:
            daemon = psutil.Process((await client.command("mux.status"))["pid"])
            for _ in range(self.chance.randrange(1, OPERATIONS_OF_A_ROUND)):
                await self._do(client)
                self._tree_is_as_expected()
            last = asyncio.ensure_future(self._do(client))
            # After a random number of messages; the operation may be done with fewer.
            told = len(client.raw) + self.chance.randrange(12)
            reached = asyncio.ensure_future(client.until(lambda: len(client.raw) >= told))
            await asyncio.wait({last, reached}, return_when=asyncio.FIRST_COMPLETED)
            daemon.kill()
            self.kills += 1
            if not wait_for_exit(daemon, GONE_SECONDS):
                raise BreachError("the killed daemon is still there")
            reached.cancel()
            await asyncio.gather(last, reached, return_exceptions=True)
        await self._come_back()

    async def _come_back(self) -> None:
        """Check that with the next daemon all work comes to its end, and nothing is left over."""
        async with connected(self.home, self.root) as client:
            daemon = psutil.Process((await client.command("mux.status"))["pid"])
            before = daemon.num_fds()
            for task in (await client.command("mux.task.list"))["tasks"]:
                await client.ended(task["id"])
            await client.until(lambda: all(run["worktree"] is None for run in client.runs.values()), "worktrees back")
            status = await client.command("mux.status")
            if status["unfinished_runs"]:
                raise BreachError(f"{status['unfinished_runs']} runs have not ended")
            if daemon.num_fds() > before + DESCRIPTORS:
                raise BreachError(f"the daemon has {daemon.num_fds()} descriptors open, and had {before}")
        if left := processes_of_runs(self.home):
            raise BreachError(f"left at work: {[one.cmdline() for one in left]}")
        self._tree_is_as_expected()
        if fingerprint(self.root / ".git") != self.git:
            raise BreachError("the person's .git has changed")

    async def _do(self, client: Client) -> None:
        """Do one operation. A refusal with a reason counts as done."""
        name, operation = self.chance.choice(self._operations())
        try:
            await operation(client)
        except RefusedError as error:
            if "bug" in str(error):
                raise BreachError(f"{name}: {error}") from error
            self.done[f"{name} (refused)"] += 1
        else:
            self.done[name] += 1

    def _operations(self) -> list[tuple[str, Callable[[Client], Awaitable[object]]]]:
        return [
            ("start", self._start), ("start", self._start), ("type", self._type), ("reject", self._reject),
            ("cancel", self._cancel), ("discard", self._discard), ("restore", self._restore), ("delete", self._delete),
            ("continue", self._continue), ("retry", self._retry), ("verify", self._verify),
        ]  # fmt: skip

    async def _start(self, client: Client) -> None:
        agents = self.chance.sample(AGENTS, self.chance.randrange(1, 4))
        checks = ("true",) if self.chance.random() < 0.3 else ()
        task = await client.start(*agents, checks=checks)
        if self.chance.random() < 0.6:
            await client.ended(task["id"])

    async def _type(self, _: Client) -> None:
        """Save another text as the person."""
        path = self.root / self.chance.choice(["a.txt", "b.txt", "src/c.txt"])
        lines = path.read_text().splitlines(keepends=True)
        lines.insert(self.chance.randrange(len(lines) + 1), f"typed {self.chance.randrange(1000)}\n")
        path.write_text("".join(lines))
        self.expected = tree_of(self.root)

    async def _reject(self, client: Client) -> None:
        await client.command("mux.run.reject", run=await self._a_run(client))

    async def _cancel(self, client: Client) -> None:
        await client.command("mux.run.cancel", run=await self._a_run(client))

    async def _discard(self, client: Client) -> None:
        await client.command("mux.task.discard", id=await self._a_run(client))

    async def _restore(self, client: Client) -> None:
        await client.command("mux.task.restore", id=await self._a_run(client))

    async def _delete(self, client: Client) -> None:
        await client.command("mux.task.delete", id=(await self._a_run(client)).partition("-")[0])

    async def _continue(self, client: Client) -> None:
        more: Json = {"up_to_date": "saved"} if self.chance.random() < 0.5 else {}
        await client.command("mux.run.continue", run=await self._a_run(client), message="more", **more)

    async def _retry(self, client: Client) -> None:
        await client.command("mux.run.retry", run=await self._a_run(client))

    async def _verify(self, client: Client) -> None:
        await client.command("mux.verify", checks=["test -f a.txt"])

    async def _a_run(self, client: Client) -> str:
        tasks = (await client.command("mux.task.list"))["tasks"]
        runs = [run["id"] for task in tasks for run in task["runs"]]
        if not runs:
            await self._start(client)
            return await self._a_run(client)
        return str(self.chance.choice(runs))

    def _tree_is_as_expected(self) -> None:
        now = tree_of(self.root)
        if now != self.expected:
            differs = {name for name in {*now, *self.expected} if now.get(name) != self.expected.get(name)}
            raise BreachError(f"the person's tree has changed at {sorted(differs)}")


async def soak(home: IsolatedHome, seed: int, seconds: float, rounds: int | None = None) -> Soak:
    """Go on for this many seconds and at least one round, or for `rounds` rounds. Raises BreachError."""
    person = Soak(home, random.Random(seed))
    end = time.monotonic() + seconds
    while rounds is None or rounds > 0:
        await person.round()
        rounds = None if rounds is None else rounds - 1
        if rounds is None and time.monotonic() >= end:
            break
    return person


def nothing_left(home: IsolatedHome) -> list[str]:
    """Return the breaches of a stopped daemon's state."""
    return breaches(Ground(home.folder))


def main() -> int:
    """Soak with one seed after another, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int)
    asked = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if asked.seed is None else asked.seed
    end = time.monotonic() + asked.minutes * 60
    kills = 0
    done: Counter[str] = Counter()
    while True:
        _say(f"seed {seed}")
        found: list[str] = []
        with isolated_home() as home:
            try:
                person = asyncio.run(soak(home, seed, min(120.0, end - time.monotonic())))
            except BreachError as error:
                found = [str(error)]
            else:
                kills += person.kills
                done += person.done
                home.stop()
                found = nothing_left(home)
            if found:
                kept = Path(tempfile.mkdtemp(prefix="mux-soak-")) / "daemon.log"
                kept.write_text(home.log)
                _say(f"seed {seed}: " + "\n    ".join(found) + f"\nthe daemon's log: {kept}")
                return 1
        if time.monotonic() >= end:
            break
        seed += 1
    _say(f"{kills} kills, nothing lost and nothing left; {sum(done.values())} operations:")
    for name, count in sorted(done.items()):
        _say(f"    {name:24} {count:5}")
    return 0


def _say(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
