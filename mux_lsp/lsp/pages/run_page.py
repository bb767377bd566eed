"""Write the page of a run, as Markdown. The words of agents are in code spans and fences, made harmless."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mux_lsp.core.model import CheckState
from mux_lsp.core.phrases import count
from mux_lsp.core.text import shown_path
from mux_lsp.lsp.pages.transcript import conversation_parts
from mux_lsp.lsp.wire import markdown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mux_lsp.agents.transcript import TranscriptEntry
    from mux_lsp.core.model import Check, LeftOut, Run, Task

MAX_PROMPT = 50_000
"""Maximum number of characters of a prompt on a page."""

MAX_MESSAGES = 20
"""Maximum number of messages of a run on a page, the last ones."""

MAX_FILES = 200
"""Maximum number of files that a page names."""


@dataclass(frozen=True, slots=True)
class Printed:
    """The end of an output. `missing` is the number of bytes before it."""

    text: str
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Output:
    """The output of a run: of its agent and, by number, of its failed checks; and its messages after the prompt."""

    stdout: Printed
    stderr: Printed
    checks: Mapping[int, Printed]
    messages: Sequence[str] = ()
    conversation: Sequence[TranscriptEntry] = ()
    """The conversation of an agent whose output can be read as events. It replaces `messages` and `stdout`."""


def page(task: Task, run: Run, output: Output) -> str:
    """Return the page of a run: its prompt, output, checks and changes, and how it ended."""
    parts = [f"# {run.id}", _standing(run), "## Prompt", shortened(task.prompt)]
    if output.conversation:
        parts += ["## Conversation", *conversation_parts(output.conversation, f"mux-lsp log {run.id} --json-lines")]
    elif output.messages:
        parts += ["## Messages that followed", *map(shortened, output.messages[-MAX_MESSAGES:])]
    for title, printed, option in (("Output", output.stdout, ""), ("Errors", output.stderr, " --stderr")):
        if printed.text.strip() and not (output.conversation and title == "Output"):
            parts += [f"## {title}", *_printed(printed, f"mux-lsp log {run.id}{option}")]
    if run.checks:
        parts.append("## Checks")
        for number, check in enumerate(run.checks):
            parts.append(f"{_check(check)}: {markdown.code(check.command)}")
            if number in output.checks:
                parts += _printed(output.checks[number], f"mux-lsp log {run.id} --check {number + 1}")
    if run.tampered:
        parts += ["## Changed what judges it", _list(_meddled(run), len(run.tampered))]
    if run.restored_checks:
        parts.append("## Checks with that as the snapshot had it")
        parts += [f"{_check(check)}: {markdown.code(check.command)}" for check in run.restored_checks]
    if run.files:
        parts += ["## Files", _list(_files(run), len(run.files))]
    if run.left_out:
        parts += ["## Left out of the result", _list(_left_out(run.left_out), len(run.left_out))]
    return "\n\n".join(parts) + "\n"


def _standing(run: Run) -> str:
    words = [markdown.code(_agent(run)), _state(run)]
    if run.started is not None and run.finished is not None:
        words[-1] += f" after {max(0.0, run.finished - run.started):.1f} s"
    if run.exit_status is not None:
        words.append(f"exit status {run.exit_status}")
    if run.files:
        words.append(f"{count(len(run.files), 'file')}, {_lines(run)}")
    if run.checks:
        words.append(f"checks {_checks(run.checks)}")
    if run.cost_usd is not None:
        words.append(f"{run.cost_usd:.4f} US dollars")
    if run.tokens is not None:
        words.append(count(run.tokens, "token"))
    reason = f"\n\nReason: {markdown.code(run.reason)}" if run.reason else ""
    return " · ".join(words) + reason


def _agent(run: Run) -> str:
    return f"{run.agent}:{run.model}" if run.model else run.agent


def _state(run: Run) -> str:
    return run.state.value


def _checks(checks: Sequence[Check]) -> str:
    if any(check.state is CheckState.RUNNING for check in checks):
        return "running"
    passed = sum(check.state is CheckState.PASSED for check in checks)
    return f"{passed} of {len(checks)} passed" if checks else ""


def _check(check: Check) -> str:
    status = "" if check.exit_status in {None, 0} else f" with exit status {check.exit_status}"
    if check.missing_report:
        status = " without a word of its tests"
    after = "" if check.seconds is None else f" after {check.seconds:.1f} s"
    failed = check.state is CheckState.FAILED
    before = " (before too)" if failed and check.baseline_state is CheckState.FAILED else ""
    return f"{check.state.value.capitalize()}{before}{status}{after}"


def _lines(run: Run) -> str:
    added = sum(change.lines_added or 0 for change in run.files)
    removed = sum(change.lines_removed or 0 for change in run.files)
    return f"+{added} −{removed}" if run.files else ""  # noqa: RUF001  a minus sign


def _files(run: Run) -> Iterable[str]:
    for change in run.files[:MAX_FILES]:
        was = f" from {markdown.code(shown_path(change.old_path))}" if change.old_path else ""
        lines = "not text"
        if change.lines_added is not None:
            lines = f"+{change.lines_added} −{change.lines_removed}"  # noqa: RUF001  a minus sign
        yield f"{markdown.code(shown_path(change.path))} {change.kind.value}{was}, {lines}"


def _meddled(run: Run) -> Iterable[str]:
    return (markdown.code(shown_path(path)) for path in run.tampered[:MAX_FILES])


def _left_out(left_out: Sequence[LeftOut]) -> Iterable[str]:
    for left in left_out[:MAX_FILES]:
        yield f"{markdown.code(shown_path(left.path))}: {markdown.code(left.reason)}"


def _list(entries: Iterable[str], count: int) -> str:
    more = [f"… and {count - MAX_FILES} more"] if count > MAX_FILES else []
    return "\n".join(f"- {entry}" for entry in (*entries, *more))


def shortened(words: str) -> str:
    """Return a prompt or message as a code block, shortened to its beginning if it is long."""
    more = f"\n… {len(words) - MAX_PROMPT} more characters" if len(words) > MAX_PROMPT else ""
    return markdown.fenced(words[:MAX_PROMPT] + more, "text")


def _printed(printed: Printed, whole: str) -> list[str]:
    block = markdown.fenced(printed.text, "text")
    if not printed.missing:
        return [block]
    return [f"The first {count(printed.missing, 'byte')} are left out; `{whole}` prints all of it.", block]
