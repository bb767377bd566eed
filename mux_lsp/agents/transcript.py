"""Write and read a run's transcript: one event a line, in JSON, in the run's folder. Render events as text.

Only the daemon writes the file; anything that displays it may read it. An agent's texts are stored as it sent them.
`spoken` does not sanitize them: whoever displays them does.
"""

from __future__ import annotations

import dataclasses
import json
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mux_lsp.agents import events
from mux_lsp.agents.bounded import lines
from mux_lsp.agents.files import append, open_to_read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from _typeshed import DataclassInstance

    from mux_lsp.agents.events import Event

_T = TypeVar("_T", bound="DataclassInstance")

TRANSCRIPT: Final = "transcript.jsonl"
"""The file's name in the run's folder."""

MAX_TEXT_CHARACTERS: Final = 100_000
"""Maximum number of characters stored of one text of an event; of a longer one, its head and tail."""

_KINDS: Final[dict[str, type[Any]]] = {
    "session": events.Session,
    "text": events.Text,
    "thought": events.Thought,
    "tool_call": events.ToolCall,
    "tool_result": events.ToolResult,
    "file_touched": events.FileTouched,
    "usage": events.Usage,
    "plan": events.Plan,
    "final": events.Final,
    "notice": events.Notice,
    "raw": events.Raw,
}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}


@dataclasses.dataclass(frozen=True, slots=True)
class Prompted:
    """A message to the agent: the task's prompt, or a further one."""

    text: str
    turn: int


@dataclasses.dataclass(frozen=True, slots=True)
class TranscriptEntry:
    """One line of a transcript. `at` is in seconds since the epoch."""

    at: float
    event: Event | Prompted
    offset: int | None = None
    """The position up to which the agent's raw output had been read then; None without raw output."""


class Transcript:
    """Writer of a run's transcript."""

    def __init__(self, run_folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = run_folder
        self._clock = clock

    def add(self, event: Event | Prompted, offset: int | None = None) -> bool:
        """Append an event. Return False if it is not stored, because it only matters live.

        These are `Started` and `TextPart`.
        """
        if isinstance(event, Prompted):
            kind = "prompt"
        elif (known := _NAMES.get(type(event))) is not None:
            kind = known
        else:
            return False
        line: dict[str, Any] = {"at": round(self._clock(), 3), "kind": kind}
        if offset is not None:
            line["offset"] = offset
        line |= {name: _bounded(value) for name, value in dataclasses.asdict(event).items()}
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # One write, so that a killed daemon leaves an incomplete line only at the very end.
        append(self._folder / TRANSCRIPT, json.dumps(line).encode() + b"\n")
        return True


def read(run_folder: Path) -> Iterator[TranscriptEntry]:
    """Yield the entries of a run's transcript, if it exists. Lines that cannot be parsed are skipped."""
    try:
        file = open_to_read(run_folder / TRANSCRIPT)
    except OSError:
        return
    with file:
        for line in lines(file):
            entry = _entry(line)
            if entry is not None:
                yield entry


def _entry(line: bytes) -> TranscriptEntry | None:
    try:
        values = json.loads(line)
        at, kind, offset = values.pop("at"), values.pop("kind"), values.pop("offset", None)
        if kind == "prompt":
            return TranscriptEntry(at, _checked(Prompted(values["text"], values["turn"])), offset)
        if kind == "plan":
            values["entries"] = tuple(_checked(events.PlanEntry(**entry)) for entry in values["entries"])
        return TranscriptEntry(at, _checked(_KINDS[kind](**values)), offset)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        # An incomplete line of a killed daemon, a line of a newer version, or one that an agent wrote.
        return None


_TYPES: Final[dict[str, Any]] = {"str": str, "int": int, "bool": bool, "float | None": float | int | None}


def _checked(event: _T) -> _T:
    """Return the event if its values have the declared types. Raises TypeError otherwise."""
    for field in dataclasses.fields(event):
        wanted = _TYPES.get(str(field.type))
        if wanted is not None and not isinstance(getattr(event, field.name), wanted):
            raise TypeError(f"{field.name} is no {field.type}")
    return event


def _bounded(value: Any) -> Any:
    if isinstance(value, str) and len(value) > MAX_TEXT_CHARACTERS:
        half = MAX_TEXT_CHARACTERS // 2
        return f"{value[:half]}\n… {len(value) - MAX_TEXT_CHARACTERS} characters left out …\n{value[-half:]}"
    return value


_END: Final = "\n"


def spoken(event: Event) -> str:  # noqa: PLR0911  # one answer for each kind
    """Return an event as text for a person who watches the run; "" for events without text. It is not sanitized."""
    match event:
        case events.TextPart(text=text):
            return text
        case events.Text(text=text) | events.Raw(text=text):
            return f"{text.rstrip()}\n"
        case events.ToolCall(title=title):
            return f"▸ {_line(title)}\n"
        case events.ToolResult(ok=False, text=text):
            # The end of a command's output is the most informative part.
            return f"  ✗ {_line(text.strip().rsplit(_END, 1)[-1])}\n"
        case events.Plan(entries=entries):
            signs = {"done": "☑", "active": "▶"}
            return "".join(f"{signs.get(entry.state, '☐')} {_line(entry.text)}\n" for entry in entries)
        case events.Notice(text=text):
            return f"mux-lsp: {_line(text)}\n"
        case _:
            return ""


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:199]}…"
