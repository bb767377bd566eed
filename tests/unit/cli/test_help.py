"""Test `mux-lsp help`: topics, commands, and suggestions for an unknown word."""

from __future__ import annotations

import pytest

from mux_lsp.cli import help as help_module
from mux_lsp.cli.help import DOCUMENTS, TOPICS, document, summary
from mux_lsp.cli.main import main


def test_each_document_is_a_topic() -> None:
    assert {file.name for file in DOCUMENTS.iterdir()} == {f"{topic}.md" for topic in TOPICS}


@pytest.mark.parametrize("topic", TOPICS)
def test_a_document_begins_with_its_title_and_one_sentence(topic: str) -> None:
    assert document(topic).startswith("# ")
    sentence = summary(topic)
    assert sentence.endswith(".")
    assert ". " not in sentence
    assert len(sentence) < 120


@pytest.mark.parametrize("width", [60, 80, 120])
def test_without_a_topic_they_are_listed(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["help"]) == 0
    printed = capsys.readouterr().out
    words = " ".join(printed.split())
    for topic in TOPICS:
        assert f"{topic} {summary(topic)}" in words
    assert max(map(len, printed.splitlines())) <= width


@pytest.mark.parametrize("named", ["review", "Review", "review.md"])
def test_a_topic_is_shown(named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", named]) == 0
    assert capsys.readouterr().out.startswith("# Review\n\nInspect what agents changed")


def test_a_topic_comes_before_the_command_of_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "agents"]) == 0
    assert capsys.readouterr().out.startswith("# Agents\n")


def test_a_command_has_its_own_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "stop"]) == 0
    of_help = capsys.readouterr().out
    assert of_help.startswith("Usage: mux-lsp stop [OPTIONS]\n")
    assert main(["stop", "--help"]) == 0
    assert capsys.readouterr().out == of_help


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("reviw", "did you mean review?"),
        ("rank", "did you mean checks-and-ranking?"),
        ("started", "did you mean getting-started?"),
        ("config", "did you mean configuration?"),
        ("acept", "did you mean accept?"),
        ("re", "did you mean review, record or refuse?"),
        ("worktreeinclude", "configuration and troubleshooting mention it."),
        ("xyzzy", "`mux-lsp help` lists the topics."),
        ("", "`mux-lsp help` lists the topics."),
    ],
)
def test_an_unknown_topic_names_what_may_be_meant(typed: str, answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", typed]) == 2
    assert capsys.readouterr() == ("", f"There is no topic '{typed}'; {answer}\n")


def test_an_unknown_topic_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "\x1b[2J"]) == 2
    assert "'\\x1b[2J'" in capsys.readouterr().err


def test_a_terminal_gets_its_pager(monkeypatch: pytest.MonkeyPatch) -> None:
    paged: list[str] = []
    monkeypatch.setattr(help_module, "on_terminal", lambda: True)
    monkeypatch.setattr(help_module, "coloured", lambda: True)
    monkeypatch.setattr("click.echo_via_pager", paged.append)
    assert main(["help", "review"]) == 0
    [text] = paged
    assert "\x1b[" in text
    assert "Inspect what agents changed" in text
