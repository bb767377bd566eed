"""Define the tools of the built-in agent: their descriptions for the model, and their implementation."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mux_lsp.agents.builtin import edit_tool, search_tool
from mux_lsp.agents.events import FileTouched
from mux_lsp.core.permissions import RUN, WRITE, PermissionRequest
from mux_lsp.errors import AgentError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from mux_lsp.agents.backend import Host
    from mux_lsp.agents.builtin.instructions import Instructions
    from mux_lsp.agents.builtin.shell import Shell
    from mux_lsp.agents.builtin.worktree_files import WorktreeFiles

MAX_RESULT_CHARACTERS: Final = 60_000
"""Maximum number of characters of a tool's result that a model reads."""

SECONDS: Final = 120
MAX_SECONDS: Final = 3600


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReadFile(_Input):
    """Read a text file of the worktree. Lines come with their numbers."""

    path: str = Field(description="Path of the file, relative to the folder you work in.")
    first_line: int = Field(default=1, ge=1, description="The first line wanted, from 1.")
    lines: int = Field(default=edit_tool.MAX_LINES, ge=1, description="How many lines.")


class ListFiles(_Input):
    """List the files below a folder."""

    path: str = Field(default=".", description="The folder.")
    pattern: str | None = Field(default=None, description="A glob such as *.py or src/**.")


class Search(_Input):
    """Search files for lines that match a regular expression."""

    pattern: str = Field(description="The regular expression.")
    path: str = Field(default=".", description="The folder to search in.")
    glob: str | None = Field(default=None, description="Only files that match this glob.")


class EditInput(_Input):
    """One replacement."""

    old: str = Field(description="The exact text to replace, with enough around it to be found just once.")
    new: str = Field(description="What stands in its place.")
    everywhere: bool = Field(default=False, description="Replace each occurrence.")


class EditFile(_Input):
    """Change a text file by exact replacements, carried out in order, all of them or none."""

    path: str
    edits: list[EditInput] = Field(min_length=1)


class WriteFile(_Input):
    """Create a file, or write one anew."""

    path: str
    content: str


class RunCommand(_Input):
    """Run a shell command in the folder you work in. Only its output comes back; there is no terminal and no input."""

    command: str
    timeout_seconds: float = Field(default=SECONDS, gt=0, le=MAX_SECONDS)
    background: bool = Field(default=False, description="Leave it at work; command_output tells what it prints.")


class CommandOutput(_Input):
    """What a command in the background has printed since you last asked."""

    id: str


class StopCommand(_Input):
    """End a command in the background."""

    id: str


class Finish(_Input):
    """Say that the work is done, or that it cannot be. Nothing comes after this."""

    summary: str = Field(description="What you did and how you know that it works, in a few sentences.")


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a call."""

    text: str
    ok: bool = True
    also: str = ""
    """Text that the model reads in addition: the instructions of the folder that it has entered."""


Begin = Callable[[], Awaitable[None]]
"""Called right before a call is carried out, when it has been validated and allowed."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of one attempt."""

    worktree_files: WorktreeFiles
    folder: Path
    """The folder that relative paths start from."""
    shell: Shell
    instructions: Instructions
    host: Host

    async def call(self, name: str, given: Any, begin: Begin) -> Result:
        """Carry out a call. Errors are described in the result, so that the model can correct the call."""
        kind = _KINDS.get(name)
        if kind is None:
            return Result(f"There is no tool {name!r}. The tools are: {', '.join(_KINDS)}.", ok=False)
        try:
            asked = kind.model_validate(given)
            request = self._request(asked)
            if request is not None:
                decision = await self.host.ask(request)
                if not decision.allowed:
                    return Result(f"Not allowed: {decision.reason}", ok=False)
            if not isinstance(asked, Finish):
                await begin()
            result = await self._carry_out(asked)
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'input'}: {one['msg']}" for one in error.errors())
            return Result(f"The input of {name} is not right: {problems}.", ok=False)
        except (UsageError, AgentError) as error:
            return Result(str(error), ok=False)
        return replace(result, text=_shortened(result.text))

    def _request(self, asked: _Input) -> PermissionRequest | None:
        """Return the permission request of a call, or None if it needs no permission."""
        match asked:
            case EditFile(path=path) | WriteFile(path=path):
                return to_write(self.worktree_files.resolve(path, start=self.folder))
            case RunCommand(command=command):
                # Even in a title, a second line must not look like the rest of the first, behind a `#`.
                title = one_line(command.replace("\n", " ⏎ "))
                return PermissionRequest(RUN, command, f"Run `{title}`")
        return None

    async def _carry_out(self, asked: _Input) -> Result:  # noqa: PLR0911  # one answer for each tool
        match asked:
            case ReadFile(path=path):
                place = self.worktree_files.resolve(path, start=self.folder)
                text = await asyncio.to_thread(
                    edit_tool.read, self.worktree_files, place, asked.first_line, asked.lines
                )
                return Result(text, also=await asyncio.to_thread(self.instructions.at, place.parent))
            case ListFiles(path=path):
                place = self.worktree_files.resolve(path, start=self.folder)
                return Result(await asyncio.to_thread(search_tool.files, self.worktree_files, place, asked.pattern))
            case Search(path=path):
                place = self.worktree_files.resolve(path, start=self.folder)
                environment = self.shell.environment()
                return Result(
                    await search_tool.search(self.worktree_files, asked.pattern, place, asked.glob, environment)
                )
            case EditFile(path=path):
                replacements = [edit_tool.Replacement(one.old, one.new, one.everywhere) for one in asked.edits]
                return await self._change(path, lambda place: edit_tool.edit(self.worktree_files, place, replacements))
            case WriteFile(path=path, content=content):
                return await self._change(path, lambda place: edit_tool.write(self.worktree_files, place, content))
            case RunCommand():
                return await self._run(asked)
            case CommandOutput(id=command_id):
                return Result(self.shell.output(command_id))
            case StopCommand(id=command_id):
                return Result(await self.shell.stop(command_id))
            case Finish(summary=summary):
                return Result(summary)
        raise AssertionError(asked)

    async def _change(self, path: str, work: Callable[[Path], str]) -> Result:
        place = self.worktree_files.resolve(path, start=self.folder)
        said = await asyncio.to_thread(work, place)
        self.host.emit(FileTouched(place.as_posix()))
        return Result(said, also=await asyncio.to_thread(self.instructions.at, place.parent))

    async def _run(self, asked: RunCommand) -> Result:
        if asked.background:
            return Result(f"Started in the background as {self.shell.start(asked.command)}.")
        ok, output = await self.shell.run(asked.command, asked.timeout_seconds)
        return Result(output, ok)


FINISH: Final = "finish"
"""The tool that ends the work."""

CHANGING: Final = frozenset({"edit_file", "write_file", "run_command"})
"""The tools after which a call that failed before may succeed."""

_KINDS: Final[dict[str, type[_Input]]] = {
    "read_file": ReadFile,
    "list_files": ListFiles,
    "search": Search,
    "edit_file": EditFile,
    "write_file": WriteFile,
    "run_command": RunCommand,
    "command_output": CommandOutput,
    "stop_command": StopCommand,
    FINISH: Finish,
}


def definitions() -> list[dict[str, Any]]:
    """Return the tools in the format of the Messages API."""
    return [
        {"name": name, "description": (kind.__doc__ or "").strip(), "input_schema": _schema(kind)}
        for name, kind in _KINDS.items()
    ]


def _schema(kind: type[_Input]) -> dict[str, Any]:
    schema = kind.model_json_schema()
    schema.pop("description", None)
    return schema


def to_write(place: Path) -> PermissionRequest:
    """Return the request to write a file of the worktree. It is granted without a question, unless a rule denies it."""
    return PermissionRequest(WRITE, place.as_posix(), f"Write {one_line(place.as_posix())}", unasked=True)


def title(name: str, given: Any) -> str:
    """Return a call as one line, for a person."""
    values = given if isinstance(given, dict) else {}
    subject = values.get("command") or values.get("path") or values.get("pattern") or values.get("id") or ""
    return f"{name.replace('_', ' ')} {one_line(str(subject))}".strip()


def shown_input(given: Any) -> str:
    """Return a call's input as JSON."""
    return json.dumps(given, ensure_ascii=False)


def one_line(text: str) -> str:
    """Return the beginning of a text, as one line."""
    line = " ".join(text.split())
    return line if len(line) <= 160 else f"{line[:159]}…"


def _shortened(text: str) -> str:
    # Bytes of a file that are not UTF-8 cannot be represented in JSON.
    text = text.encode("utf-8", "replace").decode()
    if len(text) <= MAX_RESULT_CHARACTERS:
        return text
    half = MAX_RESULT_CHARACTERS // 2
    return f"{text[:half]}\n[… {len(text) - MAX_RESULT_CHARACTERS:,} characters left out …]\n{text[-half:]}"
