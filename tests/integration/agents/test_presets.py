"""Test a command-line agent from start to end, with programs that print what the real ones do."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil
import pytest

from mux_lsp.agents.backend import Attempt, Decision
from mux_lsp.agents.events import Notice, Session, Started, Text
from mux_lsp.agents.presets.backend import PresetBackend
from mux_lsp.agents.presets.registry import PRESETS
from mux_lsp.agents.transcript import Prompted, Transcript, read
from tests.support.signals import signals

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.agents.events import Event
    from mux_lsp.agents.process import Process
    from mux_lsp.core.permissions import PermissionRequest


@dataclass
class Keeper:
    """A host that keeps a transcript."""

    folder: Path
    told: list[Event] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def emit(self, event: Event, offset: int | None = None) -> None:
        Transcript(self.folder).add(event, offset)
        self.told.append(event)
        self.news.set()

    async def ask(self, request: PermissionRequest) -> Decision:
        raise NotImplementedError

    async def hears(self, event: Event) -> None:
        """Wait until the event has been emitted."""
        async with asyncio.timeout(20):
            while event not in self.told:
                self.news.clear()
                await self.news.wait()

    @property
    def process(self) -> Process:
        return next(event.process for event in self.told if isinstance(event, Started))


@dataclass
class Scene:
    """A fake `codex`, and a worktree for it."""

    root: Path

    def backend(self, script: str, **settings: str) -> PresetBackend:
        program = self.root / "bin" / "codex"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        person = {"PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(self.root)}
        return PresetBackend(PRESETS["codex"], grace=1, person=person, environment=settings)

    def attempt(self, prompt: str = "do it", turn: int = 0, session: str | None = None) -> Attempt:
        work, run = self.root / "work", self.root / "run"
        work.mkdir(exist_ok=True)
        run.mkdir(exist_ok=True)
        return Attempt("k3f-1", "k3f", prompt, work, work, work, run, turn=turn, session=session)

    def keeper(self) -> Keeper:
        (self.root / "run").mkdir(exist_ok=True)
        return Keeper(self.root / "run")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def said(text: str) -> str:
    return f"""echo '{{"type":"item.completed","item":{{"id":"1","type":"agent_message","text":"{text}"}}}}'"""


async def test_it_reads_its_prompt_and_is_heard(scene: Scene) -> None:
    keeper = scene.keeper()
    backend = scene.backend(f"""cat > got; printf '%s\\n' "$@" > arguments; {said("hello")}; exit 0""")
    outcome = await backend.attempt(scene.attempt("-x\nsay 'hello' \ud800"), keeper)
    assert (outcome.exit_status, outcome.reason) == (0, None)
    assert (scene.root / "work" / "got").read_text() == "-x\nsay 'hello' ?"
    assert "workspace-write" in (scene.root / "work" / "arguments").read_text()
    assert keeper.told[1:] == [Text("hello")]
    # Its raw output is for machines; the events go to the transcript.
    assert not (scene.root / "run" / "stdout").exists()


async def test_it_says_why_it_ended(scene: Scene) -> None:
    outcome = await scene.backend("echo first >&2; echo 'no such model' >&2; exit 3").attempt(
        scene.attempt(), scene.keeper()
    )
    assert (outcome.exit_status, outcome.reason) == (3, "ended with exit status 3: no such model")


async def test_a_session_goes_on(scene: Scene) -> None:
    keeper = scene.keeper()
    begun = """echo '{"type":"thread.started","thread_id":"abc"}'; printf '%s\\n' "$@" > arguments"""
    await scene.backend(begun).attempt(scene.attempt(), keeper)
    assert Session("abc") in keeper.told
    await scene.backend(begun).attempt(scene.attempt("more", 1, "abc"), keeper)
    assert (scene.root / "work" / "arguments").read_text().split("\n")[-3:] == ["abc", "-", ""]


async def test_a_name_that_is_not_utf_8_does_not_silence_it(scene: Scene) -> None:
    keeper = scene.keeper()
    bad = """touch "$(dirname "$MUX_PROMPT_FILE")/$(printf '\\377')" """
    with signals(scene.root / "signals", "go") as (go,):
        backend = scene.backend(f"{bad}; {said('one')}; {go.take}; {said('two')}; {go.take}")
        working = asyncio.create_task(backend.attempt(scene.attempt(), keeper))
        await keeper.hears(Text("one"))
        go.happens()
        await keeper.hears(Text("two"))
        go.happens()
        assert (await working).exit_status == 0


async def test_another_daemon_takes_it_up(scene: Scene) -> None:
    gate = scene.root / "gate"
    os.mkfifo(gate)
    keeper, backend = scene.keeper(), scene.backend(f'{said("one")}; read go < "$GATE"; {said("two")}', GATE=str(gate))
    Transcript(keeper.folder).add(Prompted("do it", 0))
    first = asyncio.create_task(backend.attempt(scene.attempt(), keeper))
    await keeper.hears(Text("one"))
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert alive(keeper.process.pid)

    later = scene.keeper()
    second = asyncio.create_task(backend.resume(scene.attempt(), keeper.process, later))
    await asyncio.to_thread(gate.write_text, "go\n")
    assert (await second).exit_status == 0
    assert later.told == [Text("two")]
    assert [entry.event for entry in read(keeper.folder)][1:] == [Text("one"), Text("two")]


async def test_cancelling_ends_what_has_cleared_its_environment(scene: Scene) -> None:
    keeper = scene.keeper()
    # Only its open file identifies it.
    stray = "(setsid env -i /bin/sh -c 'echo $$ > stray; exec sleep 1000' 2>/dev/null &)"
    backend = scene.backend(f"{stray}; until test -s stray; do :; done; {said('one')}; sleep 1000")
    working = asyncio.create_task(backend.attempt(scene.attempt(), keeper))
    await keeper.hears(Text("one"))
    pid = int((scene.root / "work" / "stray").read_text())
    await backend.cancel(scene.attempt(), keeper.process)
    assert (await working).exit_status == 143
    assert not alive(pid)


async def test_what_is_not_noted_ends_the_agent(scene: Scene) -> None:
    class Full(Keeper):
        def emit(self, event: Event, offset: int | None = None) -> None:
            super().emit(event, offset)
            if isinstance(event, Text):
                raise OSError("no space left")

    keeper = Full(scene.keeper().folder)
    with pytest.raises(OSError, match="no space left"):
        await scene.backend(f"{said('one')}; sleep 1000").attempt(scene.attempt(), keeper)
    assert not alive(keeper.process.pid)


@pytest.mark.parametrize(
    ("session", "why"),
    [("ses_1", "finds a conversation only in the folder"), (None, "has not told what its conversation is called")],
)
async def test_a_conversation_that_cannot_go_on_is_told_anew(scene: Scene, session: str | None, why: str) -> None:
    program = scene.root / "bin" / "opencode"
    scene.backend("")
    program.write_text("#!/bin/sh\ncat > got\n")
    program.chmod(0o755)
    backend = PresetBackend(PRESETS["opencode"], person={"PATH": f"{program.parent}:{os.environ['PATH']}"})
    keeper = scene.keeper()
    transcript = Transcript(keeper.folder)
    for entry in (Prompted("do it", 0), Text("It is done."), Prompted("more", 1)):
        transcript.add(entry)
    await backend.attempt(scene.attempt("more", 1, session), keeper)
    [notice] = [event for event in keeper.told if isinstance(event, Notice)]
    assert notice.text.startswith(f"opencode {why}")
    assert "it begins anew" in notice.text
    got = (scene.root / "work" / "got").read_text()
    for words in ("You were told:\n\ndo it", "It is done.", "Now you are told:\n\nmore"):
        assert words in got
