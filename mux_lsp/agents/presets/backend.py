"""Run command-line agents that print machine-readable output, and report it as events."""

from __future__ import annotations

import asyncio
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mux_lsp.agents.backend import Attempt, Host, Outcome
from mux_lsp.agents.command import PROMPT, as_argument, mark, noted, surroundings
from mux_lsp.agents.conversation_recap import earlier
from mux_lsp.agents.events import Notice, Session
from mux_lsp.agents.files import open_to_read, write_anew
from mux_lsp.agents.presets.output_reader import Reader, for_another_turn, raw_name, taken_up
from mux_lsp.agents.presets.preset import Commands, Launch, LaunchRequest, Preset, is_session
from mux_lsp.agents.presets.tail import changing
from mux_lsp.agents.process import STDERR, Process, end, start, wait

if TYPE_CHECKING:
    from collections.abc import Mapping

SESSION_FOLDER: Final = "session-folder"
"""The file in the run's folder that records the folder in which the agent's session was last held."""

MAX_ERROR_BYTES: Final = 4096
"""Maximum number of bytes at the end of an agent's standard error that are searched for the reason for its end."""

_FORGETS: Final = "finds a conversation only in the folder that it was held in, and this is another one"
_NAMELESS: Final = "has not told what its conversation is called"


@dataclass(frozen=True, slots=True)
class PresetBackend:
    """Backend for one of the preset agents."""

    preset: Preset
    model: str | None = None
    """The model if the attempt names none; None for the agent's default."""
    arguments: tuple[str, ...] = ()
    """The person's own arguments, appended to those of the preset."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables added to the person's environment."""
    commands: Commands = field(default_factory=Commands)
    """The commands that it may run and those it may not. The attempt's checks are allowed as well."""
    grace: float = 5.0
    """Seconds between SIGTERM and SIGKILL."""
    person: Mapping[str, str] | None = None
    """The person's environment; None for the daemon's own."""

    async def attempt(self, attempt: Attempt, host: Host) -> Outcome:
        """See `Backend.attempt`."""
        reader = await asyncio.to_thread(for_another_turn, self.preset, attempt)
        prompt = as_argument(attempt.prompt)
        environment = self._environment(attempt)
        request = self._request(attempt, prompt, environment)
        launch = self.preset.launch(request)
        if launch.forgets or (attempt.turn and request.session is None and launch.session is None):
            why = _FORGETS if launch.forgets else _NAMELESS
            what = "it begins anew, on top of what it has made, and is told what was said"
            host.emit(Notice(f"{self.preset.name} {why}: {what}."))
            prompt = as_argument(await asyncio.to_thread(earlier, attempt.run_folder, attempt.prompt))
            launch = self.preset.launch(replace(request, prompt=prompt))
        await asyncio.to_thread(_put_down, attempt, prompt, launch)
        process = start(
            [self.preset.program, *launch.arguments, *self.arguments],
            folder=attempt.folder,
            environment={**environment, **launch.environment},
            run_folder=attempt.run_folder,
            mark=mark(attempt.run, attempt.worktree),
            output=raw_name(attempt.turn),
            input=attempt.run_folder / PROMPT if launch.reads_input else None,
            largest_file=attempt.largest_file,
        )
        await noted(process, host, lambda: self.cancel(attempt, process))
        if launch.session is not None:
            host.emit(Session(launch.session))
        return await self._follow(attempt, process, host, reader)

    async def resume(self, attempt: Attempt, process: Process, host: Host) -> Outcome:
        """See `Backend.resume`. Events that an earlier daemon reported are not reported again."""
        reader = await asyncio.to_thread(taken_up, self.preset, attempt)
        return await self._follow(attempt, process, host, reader)

    async def cancel(self, attempt: Attempt, process: Process | None) -> None:
        """See `Backend.cancel`."""
        await end(
            process,
            mark(attempt.run, attempt.worktree),
            self.grace,
            run_folder=attempt.run_folder,
            output=raw_name(attempt.turn),
        )

    def command_line(self) -> str:
        """Return the command line in shell syntax, with placeholders for values that only a run has.

        Raises UsageError if an administrator's settings prevent the agent from running at all.
        """
        folder = Path("WORKTREE")
        attempt = Attempt(
            "RUN", "TASK", "PROMPT", repository=folder, worktree=folder, folder=folder, run_folder=Path("RUN_FOLDER")
        )
        launch = self.preset.launch(self._request(attempt, attempt.prompt, self._environment(attempt)))
        added = [f"{name}={shlex.quote(value)}" for name, value in launch.environment.items()]
        line = " ".join([*added, shlex.join([self.preset.program, *launch.arguments, *self.arguments])])
        return f"{line} < PROMPT" if launch.reads_input else line

    async def _follow(self, attempt: Attempt, process: Process, host: Host, reader: Reader) -> Outcome:
        telling = asyncio.create_task(_tell(attempt.run_folder, reader, host))
        waiting = asyncio.create_task(wait(process, attempt.run_folder))
        try:
            await asyncio.wait({telling, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            telling.cancel()
            if not waiting.done():
                waiting.cancel()
            await asyncio.gather(telling, waiting, return_exceptions=True)
        if not waiting.cancelled():
            # Processes that it left are ended first, so that nothing is printed after the output has been read to its
            # end.
            await self.cancel(attempt, process)
            status = waiting.result()
            await reader.tell(host)
            reader.finish(host)
            outcome = reader.parser.outcome(status)
            return await asyncio.to_thread(_with_complaint, outcome, attempt.run_folder)
        # Its output could not be recorded, so nothing would follow it any longer.
        await self.cancel(attempt, process)
        telling.result()
        raise AssertionError("whoever tells goes on until it is cancelled")

    def _environment(self, attempt: Attempt) -> dict[str, str]:
        whole = surroundings(attempt, self.person, self.environment)
        return {name: value for name, value in whole.items() if name not in self.preset.dropped}

    def _request(self, attempt: Attempt, prompt: str, environment: Mapping[str, str]) -> LaunchRequest:
        session = attempt.session if attempt.session is not None and is_session(attempt.session) else None
        return LaunchRequest(
            attempt.run,
            prompt,
            attempt.worktree,
            attempt.folder,
            attempt.run_folder,
            environment,
            attempt.model or self.model,
            session,
            session is not None and _session_folder(attempt.run_folder) != str(attempt.folder),
            attempt.trusted,
            Commands((*self.commands.allow, *attempt.checks), self.commands.deny),
        )


async def _tell(run_folder: Path, reader: Reader, host: Host) -> None:
    async with changing(run_folder) as changed:
        while True:
            await changed.wait()
            changed.clear()
            await reader.tell(host)


def _put_down(attempt: Attempt, prompt: str, launch: Launch) -> None:
    attempt.run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    texts = {**launch.files, PROMPT: prompt, SESSION_FOLDER: str(attempt.folder)}
    for name, text in texts.items():
        write_anew(attempt.run_folder / name, text.encode("utf-8", "surrogateescape"))


def _session_folder(run_folder: Path) -> str | None:
    try:
        with open_to_read(run_folder / SESSION_FOLDER) as file:
            return file.read(MAX_ERROR_BYTES).decode("utf-8", "surrogateescape")
    except OSError:
        return None


def _with_complaint(outcome: Outcome, run_folder: Path) -> Outcome:
    """Add the last line of the agent's standard error, if the reason is only an exit status."""
    if outcome.reason is None or not outcome.reason.startswith("ended with exit status"):
        return outcome
    try:
        with open_to_read(run_folder / STDERR) as file:
            file.seek(max(0, file.seek(0, 2) - MAX_ERROR_BYTES))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return outcome
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return Outcome(outcome.exit_status, f"{outcome.reason}: {last[:500]}") if last else outcome
