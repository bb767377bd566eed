"""An agent's tool calls, put together from what it tells of them bit by bit, and what each asks leave for."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from acp.schema import (
    ContentToolCallContent,
    EmbeddedResourceContentBlock,
    FileEditToolCallContent,
    ResourceContentBlock,
    TextContentBlock,
    TextResourceContents,
    ToolCallProgress,
    ToolCallStart,
    ToolCallUpdate,
)

from mux_lsp.core.permissions import RUN, PermissionRequest

READ: Final = "read"
WRITE: Final = "write"
FETCH: Final = "fetch"

LONGEST: Final = 20_000
"""Characters of a call's input or result that are told; head and tail of longer ones."""

_TOOLS: Final = {
    "execute": RUN,
    "edit": WRITE,
    "delete": WRITE,
    "move": WRITE,
    "read": READ,
    "search": READ,
    "fetch": FETCH,
}
"""The tool that rules know, by the protocol's kind. Of any other kind the kind itself is the tool."""

_PATH_KEYS: Final = ("file_path", "path", "abs_path", "filePath", "notebook_path", "destination")


@dataclass(slots=True)
class Call:
    """A tool call as far as it is known."""

    id: str
    title: str = ""
    kind: str = "other"
    status: str = "pending"
    input: Any = None
    output: Any = None
    text: str = ""
    diffs: list[str] = field(default_factory=list)
    """The paths of its diffs, as the agent names them."""
    locations: list[str] = field(default_factory=list)
    told: bool = False

    def learn(self, more: ToolCallStart | ToolCallProgress | ToolCallUpdate) -> None:
        """Take in what an update says. What it leaves out stays as it was."""
        self.title = more.title or self.title
        self.kind = more.kind or self.kind
        self.status = more.status or self.status
        self.input = self.input if more.raw_input is None else more.raw_input
        self.output = self.output if more.raw_output is None else more.raw_output
        if more.locations is not None:
            self.locations = [location.path for location in more.locations]
        if more.content is not None:
            self.diffs = [part.path for part in more.content if isinstance(part, FileEditToolCallContent)]
            shown = [text_of(part.content) for part in more.content if isinstance(part, ContentToolCallContent)]
            self.text = "\n".join(filter(None, shown))

    @property
    def writes(self) -> bool:
        """Whether it changes files, or says so."""
        return bool(self.diffs) or _TOOLS.get(self.kind) == WRITE

    def paths(self) -> list[str]:
        """The files it is about, as the agent names them, each once."""
        named = self.input if isinstance(self.input, dict) else {}
        given = [value for key in _PATH_KEYS if isinstance(value := named.get(key), str)]
        return list(dict.fromkeys([*self.diffs, *self.locations, *given]))

    def result(self) -> str:
        """What came of it, in words."""
        if self.text:
            return shortened(self.text)
        if self.output is not None:
            return shortened(self.output if isinstance(self.output, str) else as_json(self.output))
        return ", ".join(self.diffs)


def requests(call: Call, worktree: Path, folder: Path) -> list[PermissionRequest]:
    """What a call asks leave for. Each file is asked for by itself, so that no rule for one speaks for another."""
    title = call.title or call.kind
    tool = WRITE if call.diffs else _TOOLS.get(call.kind, call.kind.replace(" ", "_"))
    if tool == RUN:
        command = command_of(call)
        return [PermissionRequest(RUN, command, f"Run `{command}`")]
    if tool in {READ, WRITE} and (paths := call.paths()):
        return [PermissionRequest(tool, within(path, worktree, folder), title) for path in paths]
    if tool == FETCH and isinstance(call.input, dict) and isinstance(url := call.input.get("url"), str):
        return [PermissionRequest(tool, url, title)]
    return [PermissionRequest(tool, title, title)]


def command_of(call: Call) -> str:
    """The command line that a call runs; its title where the input does not tell."""
    named = call.input.get("command", call.input.get("cmd")) if isinstance(call.input, dict) else None
    if isinstance(named, str) and named.strip():
        return named
    if isinstance(named, list) and named and all(isinstance(word, str) for word in named):
        return shlex.join(named)
    return call.title.strip().strip("`") or "a command that it does not name"


def within(path: str, worktree: Path, folder: Path) -> str:
    """A path as rules know it: from the worktree's root, or whole where it leads out of that, links followed."""
    if "\0" in path:
        return path.replace("\0", "\N{REPLACEMENT CHARACTER}")
    real, root = os.path.realpath(folder / path), os.path.realpath(worktree)
    return os.path.relpath(real, root) if Path(real).is_relative_to(root) else real


def text_of(block: object) -> str:
    """What a content block says in words."""
    match block:
        case TextContentBlock(text=text):
            return text
        case ResourceContentBlock(uri=uri):
            return str(uri)
        case EmbeddedResourceContentBlock(resource=TextResourceContents(text=text)):
            return text
        case _:
            kind = getattr(block, "type", "content")
            return f"({kind} that cannot be shown here)"


def as_json(value: Any) -> str:
    """A value that came as JSON, as JSON again."""
    return json.dumps(value, ensure_ascii=False)


def shortened(text: str) -> str:
    """Head and tail of a long text."""
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"
