"""Launch opencode (`opencode run`), and parse its `--format json` output."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

from mux_lsp.agents.events import (
    Event,
    FileTouched,
    Plan,
    PlanEntry,
    Session,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Usage,
)
from mux_lsp.agents.events import Final as FinalWords
from mux_lsp.agents.files import open_to_read
from mux_lsp.agents.presets.parser_base import Lines, count, dollars, raw, shortened, shown, titled, words
from mux_lsp.agents.presets.preset import Commands, Launch, LaunchRequest, Preset
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_PLUGINS: Final = (".opencode/plugin", ".opencode/plugins")
_SETTINGS: Final = ("opencode.json", "opencode.jsonc", ".opencode/opencode.json", ".opencode/opencode.jsonc")

MAX_SETTINGS_BYTES: Final = 1 << 20
"""Maximum size in bytes of a repository's settings file that is searched for plugins."""

_STATES: Final = {"completed": "done", "in_progress": "active", "cancelled": "done"}


def launch(request: LaunchRequest) -> Launch:
    """Build the command line. Raises UsageError if an untrusted repository has plugins.

    Edits below the folder are allowed, commands by a list; all else is denied without a question. Configuration of an
    untrusted repository is ignored, but its plugins run nevertheless: no option or variable prevents it (as of 1.18).
    """
    if not request.trusted and (plugin := _plugin(request.folder, request.worktree)) is not None:
        raise UsageError(
            f"opencode would run what {plugin} of this repository says, and nothing keeps it from doing so. Name the "
            "repository under `trusted` in [repositories] of config.toml if you want that, or use another agent."
        )
    arguments = ["run", "--format", "json", "--thinking"]
    if request.model is not None:
        arguments += ["--model", request.model]
    environment = {
        "OPENCODE_PERMISSION": json.dumps(_permissions(request.commands)),
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
    }
    if not request.trusted:
        environment["OPENCODE_DISABLE_PROJECT_CONFIG"] = "1"
    # In a folder other than its own, a session cannot continue: the program waits for ever without a message.
    goes_on = request.session is not None and not request.moved
    if request.session is not None and goes_on:
        arguments += ["--session", request.session]
    return Launch(tuple(arguments), environment, forgets=request.session is not None and not goes_on)


def _plugin(folder: Path, worktree: Path) -> Path | None:
    """Return the first path, relative to the worktree, from which plugins of the repository might be loaded."""
    for at in (folder, *folder.parents):
        for name in _PLUGINS:
            if os.path.lexists(at / name):
                return (at / name).relative_to(worktree)
        for name in _SETTINGS:
            if _speaks_of_plugins(at / name):
                return (at / name).relative_to(worktree)
        if at == worktree:
            break
    return None


def _speaks_of_plugins(file: Path) -> bool:
    try:
        with open_to_read(file) as opened:
            text = opened.read(MAX_SETTINGS_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # a link, for example: its target may be another one when opencode reads it
    # With escapes, a name can be written without any of its letters.
    return len(text) > MAX_SETTINGS_BYTES or b"plugin" in text or b"\\u" in text


def _permissions(commands: Commands) -> dict[str, object]:
    # The last pattern that matches decides. ` *` at the end also matches the empty string.
    shell = {"*": "deny"}
    shell |= {pattern: "allow" for one in commands.allow for pattern in _patterns(one)}
    for one in commands.deny:
        for pattern in _patterns(one):
            shell.pop(pattern, None)
            shell[pattern] = "deny"
    return {
        "edit": "allow",
        "bash": shell,
        "external_directory": "deny",
        "doom_loop": "deny",
        "question": "deny",
    }


def _patterns(command: str | None) -> tuple[str, ...]:
    return ("*",) if command is None else (command, f"{command} *")


class OpencodeParser(Lines):
    """Parser of `opencode run --format json`."""

    def __init__(self) -> None:
        super().__init__()
        self._said = ""
        self._session = ""

    def begin_turn(self) -> None:
        """See `Parser.begin_turn`."""
        super().begin_turn()
        self._session = ""

    def read(self, message: dict[str, Any]) -> Iterable[Event]:
        """See `Lines.read`."""
        return [*self._told(message), *self._read(message)]

    def _told(self, message: dict[str, Any]) -> Iterator[Event]:
        session = message.get("sessionID")
        if isinstance(session, str) and session != self._session:
            self._session = session
            yield Session(session)

    def _read(self, message: dict[str, Any]) -> Iterator[Event]:
        part: Any = message.get("part")
        match message["type"]:
            case "step_start":
                return
            case "text":
                self._said = words(part["text"])
                yield Text(self._said)
            case "reasoning":
                yield Thought(words(part["text"]))
            case "tool_use":
                yield from _tool(part)
            case "step_finish":
                tokens = part["tokens"]
                cache = tokens.get("cache") or {}
                yield Usage(
                    count(tokens.get("input")),
                    count(tokens.get("output")) + count(tokens.get("reasoning")),
                    count(cache.get("read")),
                    count(cache.get("write")),
                    # It reports 0 for a model whose price it does not know.
                    dollars(part.get("cost")) or None,
                )
                if part.get("reason") == "stop":
                    yield FinalWords(self._said)
            case "error":
                error = message["error"]
                self.failure = words((error.get("data") or {}).get("message") or error["name"])
            case _:
                yield raw(json.dumps(message))


def _tool(part: dict[str, Any]) -> Iterator[Event]:
    call, name, state = words(part["callID"]), words(part["tool"]), part["state"]
    given = state.get("input") or {}
    yield ToolCall(call, name, titled(name, given), shown(given))
    ok = state["status"] == "completed"
    yield ToolResult(call, ok, shortened(words(state.get("output" if ok else "error") or "")))
    if not ok:
        return
    if name in {"write", "edit", "multiedit"}:
        yield FileTouched(words(given["filePath"]))
    elif name in {"patch", "apply_patch"}:
        for one in (state.get("metadata") or {}).get("files", ()):
            yield FileTouched(words(one["filePath"] if isinstance(one, dict) else one))
    elif name == "todowrite":
        yield Plan(
            tuple(PlanEntry(words(one["content"]), _STATES.get(one["status"], "pending")) for one in given["todos"])
        )


OPENCODE: Final = Preset(
    "opencode",
    "opencode",
    "npm install -g opencode-ai",
    launch,
    OpencodeParser,
    keys=("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY", "OPENCODE_API_KEY"),
    logins=("$XDG_DATA_HOME/opencode/auth.json", "~/.local/share/opencode/auth.json"),
)
