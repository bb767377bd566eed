"""Test tasks that start from a diagnostic of another language server, or from a selection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from mux_lsp.core.text import split_lines
from mux_lsp.lsp import protocol
from mux_lsp.lsp.review import ask_actions, code_action
from mux_lsp.lsp.wire.documents import Document
from tests.unit.lsp.reviewing import range_of

TEXT = """import os
def f(x):
    # TODO: handle an empty list
    return x[0]
    /* FIXME(ada) close the file */
    # TODO
    todo = 1  # nothing
    s = "TODO not a comment"
"""
DOCUMENT = Document("file:///r/sub/a.py", Path("/r/sub/a.py"), 1, TEXT, "utf-8")
BEGIN = ask_actions.Begin()
SUBJECT = ask_actions.Subject.of(DOCUMENT, [Path("/other"), Path("/r")])


def complaint(message: str, line: int = 0, **more: Any) -> types.Diagnostic:
    return types.Diagnostic(range_of(line, line, 0, 6), message, **{"source": "ruff", **more})


def argument(action: types.CodeAction) -> dict[str, Any]:
    assert action.command is not None
    assert action.command.command == "mux.task.start"
    (only,) = action.command.arguments or ()
    assert isinstance(only, dict)
    return only


def test_a_complaint_is_a_task_with_all_that_is_known_of_it() -> None:
    one = complaint("`os` imported but unused", code="F401", severity=types.DiagnosticSeverity.Warning)
    (action,) = ask_actions.fixes(SUBJECT, [one], BEGIN)
    assert (action.title, action.kind) == ("Ask agents to fix: `os` imported but unused", "quickfix.mux.ask")
    assert argument(action) == {
        "prompt": "Fix this warning that ruff (F401) reports in sub/a.py, line 1:\n\n`os` imported but unused\n\n"
        "The line is:\n\nimport os\n",
        "context": [
            {
                "uri": DOCUMENT.uri,
                "range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 6}},
            }
        ],
        "repository": "file:///r",
    }


def test_a_document_outside_of_every_folder_has_its_own() -> None:
    subject = ask_actions.Subject.of(DOCUMENT, [Path("/other")])
    assert (subject.folder, subject.path) == ("file:///r/sub", "a.py")


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ("two\n  lines", "Ask agents to fix: two lines"),
        ("x" * 80, f"Ask agents to fix: {'x' * 80}"),
        ("x" * 81, f"Ask agents to fix: {'x' * 79}…"),
        ("a\x1b]8;;https://evil\x07b\u202ec", "Ask agents to fix: ab<U+202E>c"),
    ],
)
def test_a_title_is_one_short_line(message: str, title: str) -> None:
    (action,) = ask_actions.fixes(SUBJECT, [complaint(message)], BEGIN)
    assert action.title == title


def test_a_prompt_has_a_bound_and_needs_neither_source_nor_code_nor_line() -> None:
    (long,) = ask_actions.fixes(SUBJECT, [complaint("x" * 100_000)], BEGIN)
    assert len(argument(long)["prompt"]) < ask_actions.MAX_MESSAGE + 200
    (bare,) = ask_actions.fixes(SUBJECT, [complaint("bad", 99, source=None)], BEGIN)
    assert argument(bare)["prompt"] == "Fix this problem that a language server reports in sub/a.py, line 100:\n\nbad\n"


def test_ours_are_no_complaints_and_equal_ones_are_one() -> None:
    found = [
        complaint("ours", source="mux"),
        complaint("same"),
        complaint("same", source="pyflakes"),
        complaint("same", 2),
        complaint(" "),
        *(complaint(str(number)) for number in range(20)),
    ]
    assert [(one.message, one.range.start.line) for one in ask_actions.foreign(found)] == [
        ("same", 0),
        ("same", 2),
        ("0", 0),
        ("1", 0),
        ("2", 0),
    ]


@pytest.mark.parametrize(
    ("selected", "titles"),
    [
        (range_of(0, 1), ["Ask agents to work on the selection"]),
        (range_of(0, 2), ["Ask agents to work on the selection"]),
        (range_of(1, 3), ["Ask agents to do: TODO: handle an empty list"]),
        (range_of(2, 2, 0, 5), ["Ask agents to do: TODO: handle an empty list"]),
        (range_of(4, 8), ["Ask agents to do: FIXME(ada) close the file"]),
        (range_of(5, 8), ["Ask agents to work on the selection"]),
        (
            range_of(0, 99),
            ["Ask agents to do: TODO: handle an empty list", "Ask agents to do: FIXME(ada) close the file"],
        ),
    ],
)
def test_a_selection_is_worked_on_by_what_its_comments_say(selected: types.Range, titles: list[str]) -> None:
    made = ask_actions.work(SUBJECT, selected, BEGIN)
    assert [one.title for one in made] == titles
    assert {one.kind for one in made} == {code_action.ASK}
    assert all(argument(one)["context"][0]["range"]["end"]["line"] == selected.end.line for one in made)


def test_what_agents_are_told_of_a_selection() -> None:
    (todo,) = ask_actions.work(SUBJECT, range_of(2, 3), BEGIN)
    assert argument(todo)["prompt"].startswith(
        "TODO: handle an empty list\n\nThis comment stands in sub/a.py, line 3. "
    )
    (lines,) = ask_actions.work(SUBJECT, range_of(0, 2), BEGIN)
    assert argument(lines)["prompt"].startswith("Work on lines 1-2 of sub/a.py: ")
    (line,) = ask_actions.work(SUBJECT, range_of(0, 0, 0, 3), BEGIN)
    assert argument(line)["prompt"].startswith("Work on line 1 of sub/a.py: ")


@pytest.mark.parametrize(
    ("line", "todo"),
    [
        ("x = 1  # TODO(bob): this", "TODO(bob): this"),
        ("// FIXME that", "FIXME that"),
        ("<!-- TODO: a page -->", "TODO: a page"),
        ("-- TODO: a query", "TODO: a query"),
        (" * TODO: in a block */", "TODO: in a block"),
        pytest.param(";" * 300_000, None, id="a line with many signs"),
        pytest.param("# TODO: x" + " " * 300_000 + "y", "TODO: x", id="a line with much room"),
        ("# see TODO.md", None),
        ("TODO: prose", None),
        ("# todo: small", None),
        ("# TODOS", None),
    ],
)
def test_comments_of_most_languages(line: str, todo: str | None) -> None:
    subject = ask_actions.Subject("file:///a", "file:///", "a", split_lines(line))
    (action,) = ask_actions.work(subject, range_of(0, 0, 0, 1), BEGIN)
    assert action.title == (f"Ask agents to do: {todo}" if todo else "Ask agents to work on the selection")


def test_a_comment_at_the_cursor_is_done_without_selecting_it() -> None:
    (action,) = ask_actions.todo(SUBJECT, 2, BEGIN)
    assert (action.title, action.kind) == ("Ask agents to do: TODO: handle an empty list", code_action.ASK)
    assert argument(action)["context"][0]["range"] == {
        "start": {"line": 2, "character": 0},
        "end": {"line": 2, "character": len("    # TODO: handle an empty list")},
    }
    assert argument(action)["prompt"].startswith("TODO: handle an empty list\n\nThis comment stands in sub/a.py, line")
    assert [ask_actions.todo(SUBJECT, line, BEGIN) for line in (0, 5, 6, 7, 99)] == [[]] * 5
    assert ask_actions.may_have_todos(TEXT)
    assert not ask_actions.may_have_todos("todo")


def test_a_client_may_have_its_person_pick_agents() -> None:
    begin = ask_actions.Begin("mux.client.ask")
    for action in (
        *ask_actions.fixes(SUBJECT, [complaint("x")], begin),
        *ask_actions.work(SUBJECT, range_of(0, 4), begin),
    ):
        assert action.command is not None
        assert action.command.command == "mux.client.ask"
        (only,) = action.command.arguments or ()
        protocol.ClientAskParams.model_validate(only)


def test_the_range_of_a_complaint_is_no_selection() -> None:
    one = complaint("x", 3)
    assert not ask_actions.is_selection(one.range, [one])
    assert not ask_actions.is_selection(range_of(3, 3), [])
    assert ask_actions.is_selection(range_of(3, 4), [one])


def test_without_agents_it_says_why() -> None:
    for action in (
        *ask_actions.fixes(SUBJECT, [complaint("x")], ask_actions.Begin(refusal="there is none")),
        *ask_actions.work(SUBJECT, range_of(0, 4), ask_actions.Begin(refusal="there is none")),
    ):
        assert action.disabled is not None
        assert action.disabled.reason == "there is none"
        assert action.command is None
