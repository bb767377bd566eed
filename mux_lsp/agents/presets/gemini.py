"""Launch Gemini CLI (`gemini`), and parse its `stream-json` output."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mux_lsp.agents.events import Event, FileTouched, Notice, Session, Text, ToolCall, ToolResult, Usage
from mux_lsp.agents.events import Final as FinalWords
from mux_lsp.agents.presets.parser_base import Lines, count, raw, shortened, shown, titled, words
from mux_lsp.agents.presets.preset import Commands, Launch, LaunchRequest, Preset
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

POLICY: Final = "gemini-policy.toml"
"""The file of permission rules in the run's folder."""

TRUSTED: Final = "gemini-trusted-folders.json"
"""The file in the run's folder that lists trusted folders. It does not list the run's own."""

_ADMINISTRATOR: Final = "/etc/gemini-cli/settings.json"
_NO_SERVER: Final = "none-of-an-untrusted-repository"
"""A name that no server has: an empty list of allowed servers would allow all."""


def launch(request: LaunchRequest) -> Launch:
    """Build the command line.

    Edits are accepted, commands only if our own policy allows them. In an untrusted folder the repository's hooks,
    servers, tools and `.env` have no effect; `--skip-trust` lets gemini work there nevertheless. A person who trusts
    the home folder has trusted every worktree in it, so for an untrusted repository gemini gets our own list of trusted
    folders.
    """
    arguments = ["--output-format", "stream-json", "--approval-mode", "auto_edit"]
    arguments += ["--policy", str(request.run_folder / POLICY)]
    files = {POLICY: _policy(request.commands)}
    if request.trusted:
        environment = {"GEMINI_CLI_TRUST_WORKSPACE": "true"}
    else:
        _check_that_trust_matters(request)
        files[TRUSTED] = json.dumps(dict.fromkeys([str(request.worktree), str(request.folder)], "DO_NOT_TRUST"))
        environment = {
            "GEMINI_CLI_TRUST_WORKSPACE": "false",
            "GEMINI_CLI_TRUSTED_FOLDERS_PATH": str(request.run_folder / TRUSTED),
        }
        arguments += ["--skip-trust", "--allowed-mcp-server-names", _NO_SERVER]
    if request.model is not None:
        arguments += ["--model", request.model]
    # gemini finds a session only in the folder in which it was held.
    goes_on = request.session is not None and not request.moved
    if request.session is not None and goes_on:
        arguments += ["--resume", request.session]
    return Launch(tuple(arguments), environment, files, forgets=request.session is not None and not goes_on)


def _check_that_trust_matters(request: LaunchRequest) -> None:
    """Raise UsageError if the repository has configuration for gemini, and the person has switched folder trust off.

    Then gemini would follow that configuration even in an untrusted folder.
    """
    home = request.environment.get("GEMINI_CLI_HOME") or request.environment.get("HOME") or "/"
    brought = next((name for name in (".gemini", ".env") if os.path.lexists(request.folder / name)), None)
    if brought is None:
        return
    for file in (Path(home, ".gemini", "settings.json"), Path(_ADMINISTRATOR)):
        if _has_switched_trust_off(file):
            raise UsageError(
                f"gemini would do what {brought} of this repository says: folder trust is switched off in {file}. "
                "Switch it on there, or name the repository under `trusted` in [repositories] of config.toml."
            )


def _has_switched_trust_off(file: Path) -> bool:
    try:
        text = file.read_text(errors="replace")
    except OSError:
        return False
    try:
        return json.loads(text)["security"]["folderTrust"]["enabled"] is False
    except ValueError:
        return "folderTrust" in text  # the file may contain comments, so it is not parsed
    except (KeyError, TypeError):
        return False


def _policy(commands: Commands) -> str:
    # These rules take precedence over those of a repository, so that it cannot allow commands itself.
    rules: list[tuple[str, str | None, int]] = [("deny", None, 1)]
    rules += [("allow", one, 100) for one in commands.allow]
    rules += [("deny", one, 900) for one in commands.deny]
    lines = []
    for decision, prefix, priority in rules:
        lines += ["[[rule]]", 'toolName = "run_shell_command"']
        if prefix is not None:
            # A JSON string is a TOML string.
            lines.append(f"commandPrefix = {json.dumps(prefix)}")
        lines += [f'decision = "{decision}"', f"priority = {priority}", ""]
    return "\n".join(lines)


class GeminiParser(Lines):
    """Parser of `--output-format stream-json`."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[str] = []
        """The pieces of the message in progress."""
        self._said = ""
        self._writing: dict[str, str] = {}

    def read(self, message: dict[str, Any]) -> Iterable[Event]:
        """See `Lines.read`."""
        if message["type"] == "message":
            if message["role"] == "assistant":
                self._pieces.append(words(message["content"]))
            return []
        return [*self.finish(), *self._read(message)]

    def finish(self) -> list[Event]:
        """See `Parser.finish`."""
        said = "".join(self._pieces)
        self._pieces.clear()
        if not said.strip():
            return []
        self._said = said
        return [Text(said)]

    def _read(self, message: dict[str, Any]) -> Iterator[Event]:
        match message["type"]:
            case "init":
                yield Session(words(message["session_id"]))
            case "tool_use":
                call, name, given = words(message["tool_id"]), words(message["tool_name"]), message["parameters"]
                yield ToolCall(call, name, titled(name, given), shown(given))
                if name in {"write_file", "replace"}:
                    self._writing[call] = words(given["file_path"])
            case "tool_result":
                call, ok = words(message["tool_id"]), message["status"] == "success"
                failed = "" if ok else message.get("error", {}).get("message", "")
                yield ToolResult(call, ok, shortened(words(message.get("output") or failed or "")))
                file = self._writing.pop(call, None)
                if ok and file is not None:
                    yield FileTouched(file)
            case "error":
                yield Notice(words(message["message"]))
            case "result":
                yield from self._ended(message)
            case _:
                yield raw(json.dumps(message))

    def _ended(self, message: dict[str, Any]) -> Iterator[Event]:
        stats = message.get("stats") or {}
        cached, prompt = count(stats.get("cached")), count(stats.get("input_tokens"))
        # Only the total includes thinking.
        yield Usage(max(0, prompt - cached), max(0, count(stats.get("total_tokens")) - prompt), cached)
        if message["status"] == "error":
            self.failure = words(message["error"]["message"])
        else:
            yield FinalWords(self._said)


GEMINI: Final = Preset(
    "gemini",
    "gemini",
    "npm install -g @google/gemini-cli",
    launch,
    GeminiParser,
    keys=("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI"),
    logins=("$GEMINI_CLI_HOME/.gemini/oauth_creds.json", "~/.gemini/oauth_creds.json"),
    dropped=frozenset({"GEMINI_CLI"}),
)
