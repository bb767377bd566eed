"""Test `compare --markdown` and `log --markdown`: the pages that editors show, on standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.cli.terminal import Terminal

TEN = "sed -i 's/^line 10$/LINE TEN/' notes.txt"


def test_a_run_and_a_task_are_printed_as_markdown(terminal: Terminal) -> None:
    task = terminal.run("x", "-a", f"sh:{TEN}; printf 'told\\033[2J\\n'*2")
    run = task["runs"][0]["id"]
    page = terminal.ok("log", run, "--markdown")
    assert page.startswith(f"# {run}\n\n")
    assert "```text\ntold\n" in page
    assert "- `notes.txt` modified, +1 −1\n" in page  # noqa: RUF001  a minus sign
    assert terminal.ok("compare", task["id"], "--svg").startswith("<svg ")
    compared = terminal.ok("compare", task["id"], "--markdown")
    assert f"| 2/2 | {run}, {task['id']}-2 | +1 −1 | `+ LINE TEN` |" in compared  # noqa: RUF001


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("log", "k3f-1", "--markdown", "--stderr"), "no other option"),
        (("log", "k3f-1", "--markdown", "-f"), "no other option"),
        (("compare", "k3f", "--markdown", "--json"), "choose one"),
        (("compare", "k3f", "--markdown", "--svg"), "choose one"),
        (("compare", "zzz", "--svg"), "There is no task 'zzz'"),
        (("compare", "zzz", "--markdown"), "There is no task 'zzz'"),
    ],
)
def test_what_does_not_go_together_is_bad_usage(terminal: Terminal, arguments: tuple[str, ...], words: str) -> None:
    done = terminal(*arguments)
    assert done.status == 2
    assert words in done.err
