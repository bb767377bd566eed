"""Define the operations whose points are enumerated: preparation, operation, and repetition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.support.person import make_repository, text_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.faults.crash.bench import Bench, Ground

    Memory = dict[str, str]


def plain_repository(ground: Ground) -> None:
    """Make a repository of some texts, one of them in a folder."""
    make_repository(ground.root, {"a.txt": text_of(range(20)), "b.txt": "b\n", "src/c.txt": "c\n"})


async def nothing(_: Bench) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Operation:
    """An operation of the person's, or of the daemon itself."""

    name: str
    prepare: Callable[[Bench], Awaitable[Memory]]
    """The preparation, done once and copied for each point. It returns the values for `do`."""
    do: Callable[[Bench], Awaitable[object]]
    lead_in: Callable[[Bench], Awaitable[None]] = nothing
    """The steps before the operation in the same daemon. Their points do not count."""
    desk: Callable[[Bench], Awaitable[None]] = nothing
    """The editor's part: it opens its documents in each daemon that it connects to."""
    again: bool = False
    """True if the operation is repeated even when it was completed: then nothing may change."""
    at_start: bool = False
    """True if the points are those of the engine's start."""
    waits: bool = True
    """True if all work ends without the operation."""
    dies: bool = False
    """True if the daemon is killed at the end of `prepare`, with an agent at work that ends by itself later."""
    shared_until: str | None = None
    """The point up to which it equals another operation, whose points are enumerated."""
    shared_from: str | None = None
    """The point from which on it equals another operation, whose points are enumerated."""
    every: int = 1
    """Distance of the points in `make test` for an operation with many points; `make soak` takes each."""
    applies: bool = False
    """True if the client applies edits itself."""
    transacts: bool = False
    """True if it may be half done until the next daemon has completed or undone it."""
    repository: Callable[[Ground], None] = plain_repository
    config: str = ""


EDITS: Final = "sh:sed -i.bak 's/line 3$/LINE 3/' a.txt; rm a.txt.bak; echo new > src/new.txt"
APPENDS: Final = "sh:echo more >> b.txt"


async def no_task(_: Bench) -> Memory:
    return {}


async def three_runs(bench: Bench) -> Memory:
    """Make a task with three runs that have ended."""
    runs = await bench.finished(EDITS, APPENDS, "sh:echo other >> b.txt")
    return {"task": runs[0].partition("-")[0], "run": runs[0]}


async def appended(bench: Bench) -> Memory:
    """Make a task with a run that has ended, whose agent does more in each turn."""
    (run,) = await bench.finished(APPENDS)
    return {"task": run.partition("-")[0], "run": run}


async def two_tasks(bench: Bench) -> Memory:
    """Make a task with three runs, and an unrelated one."""
    memory = await three_runs(bench)
    await bench.finished(APPENDS)
    return memory


async def discarded(bench: Bench) -> Memory:
    """Make a task with only discarded runs."""
    memory = await three_runs(bench)
    await bench.client.command("mux.task.discard", id=memory["task"])
    return memory


async def at_work_and_queued(bench: Bench) -> Memory:
    """Make a task with an agent at work, which will have ended when the next daemon comes, and a queued run."""
    go = bench.ground.base.with_name("go")
    task = await bench.client.start(f"sh:echo more >> b.txt; read _ < '{go}'; echo end >> b.txt", EDITS)
    await bench.client.until(lambda: bench.client.runs[task["runs"][0]["id"]]["hunks"], "the first hunk")
    return {}


async def start(bench: Bench) -> None:
    await bench.client.start(EDITS, checks=("grep -q new src/new.txt",))


async def has_typed(bench: Bench) -> None:
    bench.client.open(bench.root / "b.txt", "typed\n")


async def append(bench: Bench) -> None:
    await bench.client.start(APPENDS)


async def retry(bench: Bench) -> None:
    await bench.client.command("mux.run.retry", run=bench.memory["run"])


async def carry_on(bench: Bench) -> None:
    await bench.client.command("mux.run.continue", run=bench.memory["run"], message="and more")


async def carry_on_up_to_date(bench: Bench) -> None:
    # When the operation is repeated, the person has typed it already.
    (bench.root / "a.txt").write_text(text_of(range(25)))
    await bench.client.command("mux.run.continue", run=bench.memory["run"], message="and more", up_to_date="saved")


async def agent_at_work(bench: Bench) -> None:
    task = await bench.client.start("sh:echo more >> b.txt; exec sleep 1000")
    await bench.client.until(lambda: bench.client.runs[task["runs"][0]["id"]]["hunks"], "the first hunk")


async def cancel(bench: Bench) -> None:
    for task in bench.engine.registry.tasks():
        await bench.client.command("mux.task.cancel", task=task.id)


async def discard_at_work(bench: Bench) -> None:
    for task in bench.engine.registry.tasks():
        await bench.client.command("mux.task.discard", id=task.id)


async def reject(bench: Bench) -> None:
    await bench.client.command("mux.run.reject", run=bench.memory["run"])


async def discard(bench: Bench) -> None:
    await bench.client.command("mux.task.discard", id=bench.memory["task"], keep=[bench.memory["run"]])


async def restore(bench: Bench) -> None:
    await bench.client.command("mux.task.restore", id=bench.memory["task"])


async def delete(bench: Bench) -> None:
    await bench.client.command("mux.task.delete", id=bench.memory["task"])


async def verify(bench: Bench) -> None:
    await bench.client.command("mux.verify", run=bench.memory["run"], checks=["grep -q new src/new.txt"])


SET_UP: Final = """
[[repository]]
path = "{root}"
setup = ["mkdir made && echo tool > made/tool && echo plain > plain.txt"]
setup_inputs = ["b.txt"]
"""

AGENT: Final = "process.started#1"
"""The point from which on an agent or checks are at work, as for the first task."""

OPERATIONS: Final = (
    Operation("start: the first task", no_task, start, every=2),
    Operation("start: another task", appended, start, shared_from=AGENT, every=3),
    Operation("start: on unsaved text", appended, append, desk=has_typed, shared_from=AGENT, every=3),
    Operation("set-up", no_task, start, config=SET_UP, shared_until=AGENT, shared_from="process.started#2"),
    Operation("retry", appended, retry, shared_from=AGENT, every=3),
    Operation("continue", appended, carry_on, shared_from=AGENT),
    Operation("continue: up to date", appended, carry_on_up_to_date, shared_from=AGENT, every=3),
    Operation("cancel", no_task, cancel, lead_in=agent_at_work, again=True, waits=False),
    Operation("discard: at work", no_task, discard_at_work, lead_in=agent_at_work, again=True, waits=False),
    Operation("reject", three_runs, reject, again=True),
    Operation("discard", three_runs, discard, again=True),
    Operation("restore", discarded, restore, again=True),
    Operation("delete", two_tasks, delete),
    Operation("verify", three_runs, verify, again=True, every=3),
    Operation(
        "adopt", at_work_and_queued, nothing, at_start=True, dies=True, config="[runs]\nconcurrent = 1\n", every=2
    ),
)
