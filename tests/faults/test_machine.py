"""Test a person with one editor, in any order of steps: after each the text and the review are those of a model.

Agents change every fourth line of a text and the person types in others, so that a model of lines predicts the outcome.
Each example has an engine of its own, over real git and real agents.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mux_lsp.engine.engine import Engine
from tests.faults.crash.bench import Bench, Ground
from tests.faults.crash.enumerating import in_memory
from tests.faults.crash.oracle import breaches
from tests.support.client import RefusedError
from tests.support.desk import at_desk
from tests.support.person import make_repository, text_of

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import TypeVar

    T = TypeVar("T")

LINES = 24
AGENTS_LINES = st.sampled_from(range(0, LINES, 4))
PERSONS_LINES = st.sampled_from(range(2, LINES, 4))
WHICH = st.integers(min_value=0, max_value=7)

AGENT = (
    "sh:for n in $(grep -o '[0-9][0-9]*' \"$MUX_PROMPT_FILE\"); do "
    'sed -i.bak "s/^line $n\\$/LINE $n/" f.txt; rm f.txt.bak; done'
)


@dataclass
class Run:
    """A run of the model. `hunks` are the lines that it changes from its base."""

    id: str
    base: list[str]
    hunks: set[int] = field(default_factory=set)
    rejected: set[int] = field(default_factory=set)
    discarded: bool = False

    def told(self, lines: list[int]) -> None:
        """Add the lines that its agent was asked to change."""
        self.hunks |= {line for line in lines if self.base[line] == f"line {line}"}


class Person(RuleBasedStateMachine):
    """One editor, one file, and the engines that serve it one after another."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="mux-machine-", dir=in_memory()))
        self.ground = Ground(self.folder)
        self.ground.state.mkdir()
        self.file = make_repository(self.ground.root, {"f.txt": text_of(range(LINES))}) / "f.txt"
        self.lines = [f"line {number}" for number in range(LINES)]
        self.undone: list[list[str]] = []
        """The texts to which undo returns."""
        self.runs: list[Run] = []
        self.typed = 0
        self.runner = asyncio.Runner()
        self._do(self._sit_down())

    # The person's steps

    @rule(lines=st.lists(AGENTS_LINES, min_size=1, max_size=2, unique=True))
    def start(self, lines: list[int]) -> None:
        task = self._command("mux.task.start", prompt=_told(lines), agents=[{"agent": AGENT}], checks=[])["task"]
        self._do(self.bench.settled())
        self.runs.append(Run(task["runs"][0]["id"], list(self.lines)))
        self.runs[-1].told(lines)

    @rule(line=PERSONS_LINES)
    def type(self, line: int) -> None:
        self.typed += 1
        self._keep()
        self.lines[line] = f"typed {self.typed}"
        self.bench.client.change(self.file, self.text)

    @precondition(lambda self: self.undone)
    @rule()
    def undo(self) -> None:
        self.lines = self.undone.pop()
        self.bench.client.change(self.file, self.text)

    @precondition(lambda self: self.runs)
    @rule(which=WHICH)
    def accept(self, which: int) -> None:
        run = self._run(which)
        if self._refused("mux.run.accept", run, run=run.id):
            return
        self._accepted(run.hunks - (run.rejected - self._there(run)))

    @precondition(lambda self: any(run.hunks for run in self.runs))
    @rule(which=WHICH, line=WHICH)
    def accept_one(self, which: int, line: int) -> None:
        """Accept one hunk, even if it was rejected."""
        changing = [run for run in self.runs if run.hunks]
        run = changing[which % len(changing)]
        if run.discarded:
            return
        number = sorted(run.hunks)[line % len(run.hunks)]
        (item,) = [one for one in self._review(run) if one["range"]["start"]["line"] == number]
        self._command("mux.hunk.accept", run=run.id, hunks=[item["hunk"]])
        run.rejected.discard(number)
        self._accepted({number})

    @precondition(lambda self: self.runs)
    @rule(which=WHICH)
    def reject(self, which: int) -> None:
        run = self._run(which)
        if not self._refused("mux.run.reject", run, run=run.id):
            run.rejected |= run.hunks

    @precondition(lambda self: self.runs)
    @rule(which=WHICH, line=AGENTS_LINES)
    def carry_on(self, which: int, line: int) -> None:
        run = self._run(which)
        if not self._refused("mux.run.continue", run, run=run.id, message=_told([line])):
            self._do(self.bench.settled())
            run.told([line])

    @precondition(lambda self: self.runs)
    @rule(which=WHICH)
    def discard(self, which: int) -> None:
        run = self._run(which)
        self._command("mux.task.discard", id=run.id)
        run.discarded = True

    @precondition(lambda self: self.runs)
    @rule(which=WHICH)
    def restore(self, which: int) -> None:
        run = self._run(which)
        self._command("mux.task.restore", id=run.id)
        run.discarded = False

    @rule()
    def another_engine(self) -> None:
        """Replace the engine. The editor stays as it is, and connects to the next one with its text."""
        self._do(self.stack.aclose())
        self._do(self._sit_down())

    # Invariants after each step

    @invariant()
    def the_text_is_the_models(self) -> None:
        assert self.bench.client.buffers[self.file].text == self.text
        assert self.file.read_text() == text_of(range(LINES)), "nothing was saved"

    @invariant()
    def what_there_is_to_review_is_the_models(self) -> None:
        for run in self.runs:
            if run.discarded:
                continue
            there = self._there(run)
            wanted = {
                line: "applied" if line in there else "rejected" if line in run.rejected else "pending"
                for line in run.hunks
            }
            assert {one["range"]["start"]["line"]: one["status"] for one in self._review(run)} == wanted, run.id

    def teardown(self) -> None:
        self._do(self.bench.settled())
        self._do(self.stack.aclose())
        self.runner.close()
        try:
            assert breaches(self.ground) == []
        finally:
            shutil.rmtree(self.folder)

    # Internals

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)

    def _keep(self) -> None:
        self.undone.append(list(self.lines))

    def _accepted(self, lines: set[int]) -> None:
        if any(self.lines[line] != f"LINE {line}" for line in lines):
            self._keep()
        for line in lines:
            self.lines[line] = f"LINE {line}"

    def _there(self, run: Run) -> set[int]:
        return {line for line in run.hunks if self.lines[line] == f"LINE {line}"}

    def _run(self, which: int) -> Run:
        return self.runs[which % len(self.runs)]

    def _review(self, run: Run) -> list[dict[str, Any]]:
        return self._do(self.bench.client.review(run.id))

    def _refused(self, command: str, of: Run, **said: Any) -> bool:
        """Execute a command, which must be refused if the run is discarded, and only then."""
        try:
            self._command(command, **said)
        except RefusedError as error:
            assert of.discarded, error
            assert "is discarded" in str(error)
            return True
        assert not of.discarded
        return False

    def _command(self, command: str, **said: Any) -> Any:
        return self._do(self.bench.client.command(command, **said))

    def _do(self, work: Awaitable[T]) -> T:
        async def done() -> T:
            return await work

        return self.runner.run(done())

    async def _sit_down(self) -> None:
        self.stack = AsyncExitStack()
        engine = await self.stack.enter_async_context(Engine.open(self.ground.state, self.ground.config))
        client = await self.stack.enter_async_context(at_desk(engine, self.ground.root, applies=True))
        self.bench = Bench(self.ground, engine, client)
        client.open(self.file, self.text)


def _told(lines: list[int]) -> str:
    return "change " + " ".join(map(str, lines))


# Always the same examples; `make soak` tries others.
Person.TestCase.settings = settings(
    max_examples=10,
    stateful_step_count=12,
    derandomize=True,
    deadline=None,
    # An example takes seconds: searching for a shorter one would take minutes.
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
TestPerson = Person.TestCase
