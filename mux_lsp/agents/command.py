"""Agents that are a command line: any program that reads a prompt and changes the files around it."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mux_lsp.agents.backend import Attempt, Host, Outcome
from mux_lsp.agents.environment import scrubbed
from mux_lsp.agents.events import Started
from mux_lsp.agents.files import write_anew
from mux_lsp.agents.process import Process, end, start, wait
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

INLINE: Final = "sh:"
"""What an agent's name begins with when the rest of it is the command itself."""

PROMPT: Final = "prompt"
"""The prompt's file in the run's folder."""

_VARIABLES: Final = {"prompt": "MUX_PROMPT", "prompt_file": "MUX_PROMPT_FILE", "model": "MUX_MODEL"}
"""The placeholders, each with the environment variable that carries its value into a shell."""

_PLACEHOLDER: Final = re.compile(r"\{(prompt|prompt_file|model)\}")
_QUOTED_PLACEHOLDER: Final = re.compile(r"""(["'])\{(prompt|prompt_file|model)\}\1""")
_SHELLS: Final = frozenset({"ash", "bash", "dash", "fish", "ksh", "sh", "zsh"})


@dataclass(frozen=True, slots=True)
class CommandBackend:
    """Runs a command line: a string by `/bin/sh -c`, a list as it stands."""

    command: str | Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the person's environment."""
    grace: float = 5.0
    """Seconds between TERM and KILL."""
    person: Mapping[str, str] | None = None
    """The person's environment; None for the daemon's own."""

    async def attempt(self, attempt: Attempt, host: Host) -> Outcome:
        """See `Backend.attempt`."""
        prompt = as_argument(attempt.prompt)
        prompt_file = attempt.run_folder / PROMPT
        values = {"prompt": prompt, "prompt_file": str(prompt_file)}
        if attempt.model is not None:
            values["model"] = attempt.model
        arguments, passed = expand(self.command, values)
        attempt.run_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_anew(prompt_file, prompt.encode())
        process = start(
            arguments,
            folder=attempt.folder,
            environment={**surroundings(attempt, self.person, self.environment), **passed},
            run_folder=attempt.run_folder,
            mark=mark(attempt.run, attempt.worktree),
            largest_file=attempt.largest_file,
        )
        await noted(process, host, lambda: self.cancel(attempt, process))
        return await self.resume(attempt, process, host)

    async def resume(self, attempt: Attempt, process: Process, host: Host) -> Outcome:
        """See `Backend.resume`."""
        status = await wait(process, attempt.run_folder)
        await self.cancel(attempt, process)
        return Outcome(status, explain(status))

    async def cancel(self, attempt: Attempt, process: Process | None) -> None:
        """See `Backend.cancel`."""
        await end(process, mark(attempt.run, attempt.worktree), self.grace, run_folder=attempt.run_folder)


def as_argument(prompt: str) -> str:
    """A prompt as a program can take it. Raises UsageError where it holds a NUL."""
    if "\0" in prompt:
        raise UsageError("The prompt holds a NUL character, which no program can take as an argument. Remove it.")
    # Lone surrogates, which JSON can bring, are in no encoding.
    return prompt.encode("utf-8", "replace").decode("utf-8")


def surroundings(attempt: Attempt, person: Mapping[str, str] | None, added: Mapping[str, str]) -> dict[str, str]:
    """The environment of an agent that is a program: the person's (None for the daemon's own), what configuration adds
    to it, and what we tell it of its run.
    """
    ours = {
        "MUX_TASK": attempt.task,
        "MUX_REPOSITORY": str(attempt.repository),
        "MUX_PROMPT_FILE": str(attempt.run_folder / PROMPT),
    }
    if attempt.port is not None:
        ours["MUX_PORT"] = str(attempt.port)
    if attempt.model is not None:
        ours["MUX_MODEL"] = attempt.model
    kept = scrubbed(os.environ if person is None else person, attempt.folder)
    return {**kept, **added, **ours, **attempt.environment}


async def noted(process: Process, host: Host, end_it: Callable[[], Awaitable[None]]) -> None:
    """Tell the host of a process that has been started; it is ended where that fails."""
    try:
        host.emit(Started(process))
    except BaseException:
        await end_it()  # nobody knows of it, so nobody would ever end it
        raise


def mark(run: str, worktree: Path) -> dict[str, str]:
    """What every process of a run carries in its environment, and by which the run's processes are found again."""
    return {"MUX_RUN": run, "MUX_WORKTREE": str(worktree)}


def inline_command(agent: str) -> str | None:
    """The command in `sh:COMMAND`, or None where `agent` is the name of a configured one.

    Raises UsageError where nothing follows `sh:`.
    """
    if not agent.startswith(INLINE):
        return None
    command = agent.removeprefix(INLINE).strip()
    if not command:
        raise UsageError("The agent 'sh:' has no command. Write one behind the colon: sh:COMMAND.")
    return command


def expand(command: str | Sequence[str], values: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Replace `{prompt}`, `{prompt_file}` and `{model}`; give the arguments to run and the environment they need.

    In a list a placeholder becomes its value within its argument. In a string, which a shell reads, it becomes a quoted
    reference to a variable: so whatever a prompt holds, the shell never reads it as a command. Any other `{word}`
    is left alone. A value is never searched for placeholders.

    Raises UsageError for a placeholder that has no value, and where a shell would take the value for code.
    """
    if isinstance(command, str):
        script, used = _expand_script(command)
        missing = [name for name in used if name not in values]
        arguments = ["/bin/sh", "-c", script]
        passed = {_VARIABLES[name]: values[name] for name in used if name in values}
    else:
        _refuse_shell_code(command)
        missing = [name for argument in command for name in _PLACEHOLDER.findall(argument) if name not in values]
        arguments = [_PLACEHOLDER.sub(lambda match: values.get(match[1], ""), argument) for argument in command]
        passed = {}
    if missing:
        raise UsageError(
            f"The agent's command uses {{{missing[0]}}}, but no {missing[0]} was given. "
            "Name one with the agent (AGENT:MODEL), or take the placeholder out of the command."
        )
    return arguments, passed


def explain(status: int | None) -> str | None:
    """In words why an exit status is not a good one; None for 0."""
    if status == 0:
        return None
    if status is None:
        return (
            "its exit status was not recorded: the machine went down, the disk was full, its supervisor was killed, or "
            "the run's folder was removed"
        )
    known = {126: "a command could not be executed", 127: "a command was not found"}.get(status)
    if status == 128 + signal.SIGXFSZ:
        known = (
            "a file that it wrote, maybe its output, came to the largest size that is allowed: largest_file_mb under "
            "[runs] in config.toml"
        )
    elif status > 128:
        try:
            known = signal.Signals(status - 128).name
        except ValueError:
            known = None
    return f"ended with exit status {status}" + (f" ({known})" if known else "")


def _expand_script(script: str) -> tuple[str, set[str]]:
    """Replace the placeholders of a shell script, following its quotes.

    Inside quotes together with other text a placeholder is refused. `sh -c "tool {prompt}"` is why: the inner shell
    would take the prompt for code. Should a script's quoting be misjudged here all the same (a here-document, say),
    then the value is at worst split into words or spelled wrong: an expanded variable is never read as a command.
    """
    result: list[str] = []
    used: set[str] = set()
    contexts = [""]  # the open quote, "" for none; one more for each $( or ( that is open
    position = 0
    while position < len(script):
        context = contexts[-1]
        if context == "" and (
            match := _QUOTED_PLACEHOLDER.match(script, position) or _PLACEHOLDER.match(script, position)
        ):
            name = match[match.lastindex or 1]
            used.add(name)
            result.append(f'"${{{_VARIABLES[name]}}}"')
            position = match.end()
            continue
        if match := _PLACEHOLDER.match(script, position):
            raise UsageError(
                f"The agent's command has {match[0]} inside quotes with other text, where it might be run as code. "
                f"Write {match[0]} outside of them: mux-lsp quotes it itself."
            )
        length = _step(script, position, contexts)
        result.append(script[position : position + length])
        position += length
    return "".join(result), used


def _step(script: str, position: int, contexts: list[str]) -> int:
    """How many characters to take over as they stand; keeps `contexts` as the shell would see them afterwards."""
    character, context = script[position], contexts[-1]
    length = 1
    if character == "\\" and context != "'":
        length = 2
    elif context in {"'", '"'} and character == context:
        contexts[-1] = ""
    elif context == '"' and script.startswith("$(", position):
        contexts.append("")
        length = 2
    elif context == "":
        if character in {"'", '"'}:
            contexts[-1] = character
        elif character == "(":
            contexts.append("")
        elif character == ")" and len(contexts) > 1:
            contexts.pop()
        elif character == "#" and (position == 0 or script[position - 1] in " \t\n;&|("):
            length = len(script[position:].split("\n", 1)[0])
    return length


def _refuse_shell_code(command: Sequence[str]) -> None:
    if Path(command[0]).name not in _SHELLS:
        return
    for option, argument in pairwise(command[1:]):
        if re.fullmatch(r"-[A-Za-z]*c", option) and (match := _PLACEHOLDER.search(argument)):
            raise UsageError(
                f"The agent's command puts {match[0]} into a script for {command[0]}, which would run it as code. "
                "Write the command as one string in place of a list: mux-lsp then quotes it."
            )
