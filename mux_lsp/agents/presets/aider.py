"""Launch aider (`aider`), and parse its output: prose that names edited files, tokens and dollars."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mux_lsp.agents.backend import Outcome
from mux_lsp.agents.command import explain
from mux_lsp.agents.events import Event, FileTouched, Text, Usage
from mux_lsp.agents.presets.parser_base import MAX_TEXT_CHARACTERS
from mux_lsp.agents.presets.preset import Launch, LaunchRequest, Preset

if TYPE_CHECKING:
    from collections.abc import Mapping

PROMPT: Final = "aider-message"
HISTORY: Final = "aider-history.md"
CONFIGURATION: Final = "aider-configuration.yml"
"""Files in the run's folder. The history is kept there so that the repository gets none, and a session can continue."""

_SESSION: Final = "chat"
"""The session's name, which is constant: a run's folder has one conversation."""


def launch(request: LaunchRequest) -> Launch:
    """Build the command line.

    aider edits files and runs no commands: those it suggests need a confirmation that it never gets. For an untrusted
    repository its `.aider.conf.yml` is ignored, and linting and testing, which it could configure, are off.
    """
    arguments = [
        "--message-file",
        str(request.run_folder / PROMPT),
        "--yes-always",
        "--no-suggest-shell-commands",
        "--no-auto-commits",
        "--no-dirty-commits",
        "--no-gitignore",
        "--no-stream",
        "--no-pretty",
        "--no-fancy-input",
        "--no-check-update",
        "--no-show-release-notes",
        "--no-detect-urls",
        "--chat-history-file",
        str(request.run_folder / HISTORY),
        "--input-history-file",
        str(request.run_folder / "aider-input"),
    ]
    files = {PROMPT: request.prompt}
    if not request.trusted:
        files[CONFIGURATION] = ""
        arguments += ["--config", str(request.run_folder / CONFIGURATION), "--no-auto-lint", "--no-auto-test"]
    if request.model is not None:
        arguments += ["--model", request.model]
    if request.session is not None:
        arguments.append("--restore-chat-history")
    return Launch(tuple(arguments), files=files, reads_input=False, session=_SESSION)


_EDIT: Final = re.compile(r"(?:Applied edit to|Created new file|Creating empty file) (?P<path>.+)")
_TOKENS: Final = re.compile(
    r"Tokens: (?P<sent>[\d.,]{1,20}[kKmM]?) sent,"
    r"(?: (?P<written>[\d.,]{1,20}[kKmM]?) cache write,)?(?: (?P<read>[\d.,]{1,20}[kKmM]?) cache hit,)?"
    r" (?P<received>[\d.,]{1,20}[kKmM]?) received\.(?: Cost: \$(?P<cost>[\d.,]{1,20}) message)?"
)
_FACTORS: Final[Mapping[str, int]] = {"k": 1_000, "m": 1_000_000}


class AiderParser:
    """Parser of aider's output, a paragraph at a time."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._length = 0

    def begin_turn(self) -> None:
        """See `Parser.begin_turn`."""
        self._lines.clear()
        self._length = 0

    def feed(self, line: str) -> list[Event]:
        """See `Parser.feed`."""
        if match := _EDIT.fullmatch(line.strip()):
            return [*self.finish(), FileTouched(match["path"].strip())]
        if match := _TOKENS.match(line):
            cost = match["cost"]
            usage = Usage(
                _number(match["sent"]),
                _number(match["received"]),
                _number(match["read"]),
                _number(match["written"]),
                float(cost.replace(",", "")) if cost and re.fullmatch(r"[\d,]*\d(?:\.\d+)?", cost) else None,
            )
            return [*self.finish(), usage]
        if not line.strip() or self._length + len(line) > MAX_TEXT_CHARACTERS:
            told = self.finish()
            self._add(line)
            return told
        self._add(line)
        return []

    def finish(self) -> list[Event]:
        """See `Parser.finish`."""
        said = "\n".join(self._lines).strip()
        self.begin_turn()
        return [Text(said)] if said else []

    def outcome(self, exit_status: int | None) -> Outcome:
        """See `Parser.outcome`."""
        return Outcome(exit_status, explain(exit_status))

    def _add(self, line: str) -> None:
        self._lines.append(line[:MAX_TEXT_CHARACTERS])
        self._length += len(line)


def _number(text: str | None) -> int:
    if text is None or not re.fullmatch(r"\d[\d,]*(?:\.\d+)?[kKmM]?", text):
        return 0
    factor = _FACTORS.get(text[-1].lower(), 1)
    return round(float(text.rstrip("kKmM").replace(",", "")) * factor)


AIDER: Final = Preset(
    "aider",
    "aider",
    "uv tool install aider-chat",
    launch,
    AiderParser,
    keys=("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "DEEPSEEK_API_KEY", "OPENROUTER_API_KEY"),
    logins=("~/.aider/oauth-keys.env",),
)
