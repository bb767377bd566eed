"""Run agents that are a command line: any program that reads a prompt and changes the files around it."""

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
"""Prefix of an agent's name if the rest of the name is the command itself."""

PROMPT: Final = "prompt"
"""The name of the prompt's file in the run's folder."""

_VARIABLES: Final = {"prompt": "MUX_PROMPT", "prompt_file": "MUX_PROMPT_FILE", "model": "MUX_MODEL"}
"""The placeholders, each with the environment variable that passes its value to a shell."""

_PLACEHOLDER: Final = re.compile(r"\{(prompt|prompt_file|model)\}")
_QUOTED_PLACEHOLDER: Final = re.compile(r"""(["'])\{(prompt|prompt_file|model)\}\1""")
_SHELLS: Final = frozenset({"ash", "bash", "dash", "fish", "ksh", "sh", "zsh"})


@dataclass(frozen=True, slots=True)
class CommandBackend:
    """Backend for a command line: a string is run by `/bin/sh -c`, a list without a shell."""

    command: str | Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables added to the person's environment."""
    grace: float = 5.0
    """Seconds between SIGTERM and SIGKILL."""
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
    """Return a prompt in a form that can be passed as an argument. Raises UsageError if it holds a NUL."""
    if "\0" in prompt:
        raise UsageError("The prompt holds a NUL character, which no program can take as an argument. Remove it.")
    # JSON can contain lone surrogates, which no encoding can represent.
    return prompt.encode("utf-8", "replace").decode("utf-8")


def surroundings(attempt: Attempt, person: Mapping[str, str] | None, added: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of an agent that is a program.

    It consists of the person's variables (None for the daemon's own), those that the configuration adds, and those that
    describe the run.
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
    """Report a started process to the host. If that fails, the process is ended and the error raised again."""
    try:
        host.emit(Started(process))
    except BaseException:
        await end_it()  # the process is not recorded, so nothing else would ever end it
        raise


def mark(run: str, worktree: Path) -> dict[str, str]:
    """Return the environment variables that every process of a run carries, and that identify the run's processes."""
    return {"MUX_RUN": run, "MUX_WORKTREE": str(worktree)}


def inline_command(agent: str) -> str | None:
    """Return the command in `sh:COMMAND`, or None if `agent` is the name of a configured agent.

    Raises UsageError if nothing follows `sh:`.
    """
    if not agent.startswith(INLINE):
        return None
    command = agent.removeprefix(INLINE).strip()
    if not command:
        raise UsageError("The agent 'sh:' has no command. Write one behind the colon: sh:COMMAND.")
    return command


def expand(command: str | Sequence[str], values: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Replace `{prompt}`, `{prompt_file}` and `{model}`. Return the arguments to run and the environment they need.

    In a list, a placeholder is replaced with its value within its argument. In a string, which a shell reads, it is
    replaced with a quoted reference to a variable, so the shell never runs the text of a prompt as a command. Any other
    `{word}` is kept. Values are not searched for placeholders.

    Raises UsageError for a placeholder without a value, and if a shell would run the value as code.
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
    """Return why an exit status means failure, as words for people; None for 0."""
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

    A placeholder inside quotes together with other text is refused: in `sh -c "tool {prompt}"` the inner shell would
    run the prompt as code. If the quoting of a script is parsed wrongly here (a here-document, for example), the value
    is at worst split into words or misspelled: a shell never runs an expanded variable as a command.
    """
    result: list[str] = []
    used: set[str] = set()
    contexts = [""]  # the open quote, "" for none, for each open $( or (
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
    """Return the number of characters to copy unchanged, and update `contexts` to the shell's state behind them."""
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
