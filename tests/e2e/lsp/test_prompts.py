"""Test asking agents from a diagnostic of another language server, and from a selection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from lsprotocol import types

from mux_lsp.engine.backends import NO_AGENT
from mux_lsp.lsp import protocol
from tests.e2e.lsp.conftest import NUMBERS, configured
from tests.e2e.lsp.menus import offered, span, titles

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from tests.e2e.lsp.client import Editor
    from tests.support.home import IsolatedHome

    Join = Callable[..., Awaitable[Editor]]


@pytest.fixture
def noop(home: IsolatedHome) -> Iterator[None]:
    """Configure a default agent that does nothing."""
    with configured(home, '[agents.noop]\nkind = "command"\ncommand = "true"\n[defaults]\nagents = ["noop"]\n'):
        yield


def complaint(line: int, message: str, **more: Any) -> types.Diagnostic:
    return types.Diagnostic(span(line, line, 4), message, severity=types.DiagnosticSeverity.Error, **more)


async def prompted(editor: Editor, home: IsolatedHome, action: types.CodeAction) -> str:
    """Start a task with an action and return the prompt that its agent got."""
    answer = protocol.TaskResult.model_validate(await editor.carry_out(action.command))
    (run,) = (await editor.ended(answer.task.id)).runs
    assert (run.agent, run.state) == ("noop", "finished")
    return (home.state / "runs" / run.id / "prompt").read_text()


@pytest.mark.usefixtures("noop")
async def test_agents_are_asked_to_fix_what_another_server_complains_about(editor: Editor, home: IsolatedHome) -> None:
    editor.open("numbers.txt", "unsaved\n" + NUMBERS)
    found = complaint(3, "Undefined name `line`\nhere", source="pyflakes", code="F821")
    ours = complaint(3, "+1 −1", source="mux")  # noqa: RUF001
    (action,) = await offered(editor, "numbers.txt", span(3, 3), found, ours)
    assert (action.kind, action.title) == ("quickfix.mux.ask", "Ask agents to fix: Undefined name `line` here")
    told = await prompted(editor, home, action)
    for part in (
        "error",
        "pyflakes",
        "F821",
        "Undefined name `line`\nhere",
        "line 4",
        "line 3\n",
        "This is about:\n- numbers.txt, lines 4",
    ):
        assert part in told, told


@pytest.mark.usefixtures("noop")
async def test_agents_are_asked_to_do_what_a_selection_says(editor: Editor, home: IsolatedHome) -> None:
    editor.open("numbers.txt", NUMBERS.replace("line 4\n", "# TODO: count in French\n"))
    (action,) = await offered(editor, "numbers.txt", span(2, 6))
    assert (action.kind, action.title) == ("refactor.mux.ask", "Ask agents to do: TODO: count in French")
    told = await prompted(editor, home, action)
    assert told.startswith("TODO: count in French\n")
    assert "- numbers.txt, lines 3-6\n" in told
    (action,) = await offered(editor, "numbers.txt", span(7, 9))
    assert action.title == "Ask agents to work on the selection"
    assert "- numbers.txt, lines 8-9\n" in await prompted(editor, home, action)
    assert await offered(editor, "numbers.txt", span(7, 7)) == [], "neither a complaint nor a selection"
    (action,) = await offered(editor, "numbers.txt", span(3, 3))
    assert action.title == "Ask agents to do: TODO: count in French"


async def test_where_no_agents_are_configured_it_says_so(join: Join) -> None:
    for able, shown in (({}, [f"[Ask agents to fix: wrong: {NO_AGENT}]"]), ({"disables": False}, [])):
        editor = await join(**able)
        editor.open("numbers.txt")
        assert titles(await offered(editor, "numbers.txt", span(3, 3), complaint(3, "wrong"))) == shown


async def test_an_editor_that_has_agents_picked_needs_none_configured(join: Join) -> None:
    editor = await join(options={"mux": {"commands": ["mux.client.ask"]}})
    editor.open("numbers.txt")
    (action,) = await offered(editor, "numbers.txt", span(3, 3), complaint(3, "wrong"))
    assert action.disabled is None
    assert action.command is not None
    assert action.command.command == "mux.client.ask"
    (wanted,) = action.command.arguments or ()
    asked = protocol.ClientAskParams.model_validate(wanted)
    assert asked.prompt.startswith("Fix this error that a language server reports in numbers.txt, line 4:\n\nwrong\n")
    assert [place.uri for place in asked.context] == [editor.uri("numbers.txt")]
    assert asked.repository == editor.folder.as_uri()
