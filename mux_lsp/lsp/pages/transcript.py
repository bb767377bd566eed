"""Write an agent's words and tool calls as Markdown, in which they can only be text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mux_lsp.agents import events
from mux_lsp.agents.transcript import Prompted
from mux_lsp.lsp.wire import markdown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mux_lsp.agents.transcript import TranscriptEntry

MAX_EVENTS: Final = 500
"""Maximum number of events of a conversation on a page, the last ones."""

MAX_TEXT: Final = 20_000
"""Maximum number of characters of a message."""

MAX_RESULT: Final = 2_000
"""Maximum number of characters of a tool's input or output: its beginning and its end."""

_SIGNS: Final = {"done": "[x]", "active": "[>]"}


def conversation_parts(entries: Sequence[TranscriptEntry], whole: str) -> list[str]:
    """Return the blocks of a conversation, oldest first. `whole` is the command that prints all of it."""
    shown = entries[-MAX_EVENTS:]
    calls = {one.event.id: one.event for one in entries if isinstance(one.event, events.ToolCall)}
    found: list[str] = []
    left_out = len(entries) - len(shown)
    if left_out:
        found.append(f"The first {left_out} events are left out; `{whole}` prints them.")
    spent = events.Usage()
    said = ""
    for entry in shown:
        event = entry.event
        if isinstance(event, events.Usage):
            spent = spent.plus(event)
        elif isinstance(event, events.Final) and event.text.strip() == said:
            continue
        else:
            found += _blocks(event, calls)
            said = event.text.strip() if isinstance(event, events.Text) else said
    if spent.tokens:
        found.append(_usage(spent))
    return found


def _blocks(event: events.Event | Prompted, calls: dict[str, events.ToolCall]) -> Iterable[str]:  # noqa: PLR0911
    match event:
        case Prompted(text=text):
            return ["### Message", _said(text)]
        case events.Text(text=text):
            return [_said(text)]
        case events.Final(text=text):
            return ["Closing words:", _said(text)]
        case events.Thought(text=text):
            return ["Thought:", _said(text)] if text.strip() else []
        case events.ToolCall(title=title, name=name, input=given):
            call = f"**Tool** {markdown.code(title or name)}"
            return [call, markdown.fenced(_shortened(given), "json")] if given.strip("{} ") else [call]
        case events.ToolResult(id=call_id, ok=ok, text=text):
            name = markdown.code(calls[call_id].name) if call_id in calls else "a tool"
            said = f"{'Result' if ok else '**Failed:** result'} of {name}"
            return [said, markdown.fenced(_shortened(text), "text")] if text.strip() else [f"{said}: nothing"]
        case events.FileTouched(path=path):
            return [f"Wrote {markdown.code(path)}"]
        case events.Plan(entries=steps):
            lines = (f"- {_SIGNS.get(step.state, '[ ]')} {markdown.code(step.text)}" for step in steps)
            return ["Plan:", "\n".join(lines)]
        case events.Notice(text=text):
            return [f"mux-lsp: {markdown.code(text)}"]
        case events.Raw(text=text):
            return ["Could not be read as an event:", markdown.fenced(_shortened(text), "text")]
    return []


def _said(text: str) -> str:
    return markdown.fenced(_cut(text, MAX_TEXT), "text")


def _shortened(text: str) -> str:
    return _cut(text, MAX_RESULT)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def _usage(spent: events.Usage) -> str:
    words = f"{spent.input} tokens in, {spent.output} out, {spent.cache_read} read from the cache"
    return words if spent.cost_usd is None else f"{words}, {spent.cost_usd:.4f} US dollars"
