"""Assemble an agent's tool calls from its updates, and derive the permission requests of each."""

from __future__ import annotations

import json
import os
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

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

from mux_lsp.agents.builtin.worktree_files import MAX_PATH_CHARACTERS
from mux_lsp.core import diff
from mux_lsp.core.permissions import RUN, PermissionRequest
from mux_lsp.core.text import split_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

READ: Final = "read"
WRITE: Final = "write"
FETCH: Final = "fetch"

MAX_COMPARED_CHARACTERS: Final = 200_000
"""Maximum number of characters of one message's old and new texts that are compared by line.

The comparison blocks the event loop.
"""

MAX_CHARACTERS: Final = 20_000
"""Maximum number of characters of a call's input or result that are reported; of longer ones, head and tail."""

_TOOLS: Final = {
    "execute": RUN,
    "edit": WRITE,
    "delete": WRITE,
    "move": WRITE,
    "read": READ,
    "search": READ,
    "fetch": FETCH,
}
"""The tool's name in permission rules, by the protocol's kind. Any other kind is itself the name."""

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
    diffs: dict[str, str] = field(default_factory=dict)
    """Its changes to each file as a diff, by the path as the agent names it."""
    locations: list[str] = field(default_factory=list)
    told: bool = False

    def learn(self, more: ToolCallStart | ToolCallProgress | ToolCallUpdate) -> None:
        """Merge an update into the call. Fields that it omits stay unchanged."""
        self.title = more.title or self.title
        self.kind = more.kind or self.kind
        self.status = more.status or self.status
        self.input = self.input if more.raw_input is None else more.raw_input
        self.output = self.output if more.raw_output is None else more.raw_output
        if more.locations is not None:
            self.locations = [location.path for location in more.locations]
        if more.content is not None:
            self.diffs = _diffs(part for part in more.content if isinstance(part, FileEditToolCallContent))
            shown = [text_of(part.content) for part in more.content if isinstance(part, ContentToolCallContent)]
            self.text = _unfenced("\n".join(filter(None, shown)))

    @property
    def writes(self) -> bool:
        """True if the call changes files, by its content or by its kind."""
        return bool(self.diffs) or _TOOLS.get(self.kind) == WRITE

    def paths(self) -> list[str]:
        """Return the files of the call, as the agent names them, without duplicates."""
        named = self.input if isinstance(self.input, dict) else {}
        given = [value for key in _PATH_KEYS if isinstance(value := named.get(key), str)]
        return list(dict.fromkeys([*self.diffs, *self.locations, *given]))

    def result(self) -> str:
        """Return the call's result as text."""
        if self.diffs:
            changed = (f"--- {path}\n+++ {path}\n{lines}" for path, lines in self.diffs.items())
            return shortened("\n".join([*filter(None, [self.text]), *changed]))
        if self.text or self.output is None:
            return shortened(self.text)
        return shortened(self.output if isinstance(self.output, str) else as_json(self.output))


def requests(call: Call, worktree: Path, folder: Path) -> list[PermissionRequest]:
    """Return the permission requests of a call: one for each file, so that a rule for one does not cover another."""
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
    """Return the command line that a call runs; its title if the input does not contain one."""
    named = call.input.get("command", call.input.get("cmd")) if isinstance(call.input, dict) else None
    if isinstance(named, str) and named.strip():
        return named
    if isinstance(named, list) and named and all(isinstance(word, str) for word in named):
        return shlex.join(named)
    return call.title.strip().strip("`") or "a command that it does not name"


def within(path: str, worktree: Path, folder: Path) -> str:
    """Return a path as rules name it: relative to the worktree's root, or absolute if it is outside, links resolved."""
    if "\0" in path:
        return path.replace("\0", "\N{REPLACEMENT CHARACTER}")
    real, root = os.path.join(os.path.realpath(folder), path), os.path.realpath(worktree)  # noqa: PTH118
    if len(real) > MAX_PATH_CHARACTERS:
        # No system call accepts it like this, but the agent may have normalized it before use.
        real = os.path.normpath(real)
    if len(real) <= MAX_PATH_CHARACTERS:
        real = os.path.realpath(real)
    told = os.path.relpath(real, root) if Path(real).is_relative_to(root) else real
    return told if len(told) <= MAX_PATH_CHARACTERS else f"{told[:MAX_PATH_CHARACTERS]}…"


def _diffs(changes: Iterable[FileEditToolCallContent]) -> dict[str, str]:
    """Return the changes of each file, by its path, as the body of a unified diff."""
    bodies: dict[str, list[str]] = {}
    room = MAX_COMPARED_CHARACTERS
    for change in changes:
        old, new = change.old_text or "", change.new_text
        room -= len(old) + len(new)
        told = _changed(change.path, old, new) if room >= 0 else f"({len(old):,} characters become {len(new):,})\n"
        bodies.setdefault(change.path, []).append(told)
    return {path: "".join(parts) for path, parts in bodies.items()}


def _changed(path: str, old: str, new: str) -> str:
    """Return the diff between a file's old and new text, or between parts of them."""
    if old and not old.endswith("\n") and not new.endswith("\n"):
        # Most likely parts of lines. A missing newline at their end is not worth a remark in the diff.
        old, new = f"{old}\n", f"{new}\n"
    return diff.unified(diff.hunks(old, new, path), split_lines(old))


def text_of(block: object) -> str:
    """Return a content block as text."""
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


def _unfenced(text: str) -> str:
    """Remove the Markdown fence around the whole of a text: it is displayed as plain text."""
    match = re.match(r"(`{3,})\w*\n", text)
    if match is None:
        return text
    # A single expression would need up to a day for a text of nothing but backticks.
    body = text[match.end() :].removesuffix("\n")
    return body.removesuffix(match[1]).removesuffix("\n") if body.endswith(match[1]) else text


def as_json(value: Any) -> str:
    """Return a value that was parsed from JSON as JSON again."""
    return json.dumps(value, ensure_ascii=False)


def shortened(text: str) -> str:
    """Return the head and tail of a long text."""
    if len(text) <= MAX_CHARACTERS:
        return text
    half = MAX_CHARACTERS // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"
