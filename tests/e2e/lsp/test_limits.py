"""Test how an editor shows limits to its person, with our protocol and without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from mux_lsp.lsp import protocol
from tests.e2e.lsp.connecting import connect, quit_politely
from tests.support.replaying import DONE, agent, call, replaying, turn

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.home import IsolatedHome


def edit(line: int, tokens: int) -> str:
    """Return a turn of a model that edits a line and costs this many tokens."""
    return turn(
        call("edit_file", path="numbers.txt", edits=[{"old": f"line {line}\n", "new": f"LINE {line}\n"}]),
        more=f"usage = {{ input = {tokens}, output = 0 }}",
    )


async def test_a_warning_and_then_the_end(mux_home: IsolatedHome, repository: Path, tmp_path: Path) -> None:
    with replaying(tmp_path, edit(5, 850), edit(6, 200), edit(7, 200), DONE) as url:
        mux_home.write_config(agent(url) + "[limits]\nrepository_tokens = 1000\n")
        editor = await connect(mux_home, repository)
        plain = await connect(mux_home, repository, "an editor of before", options={})
        params = {"prompt": "Change lines", "agents": [{"agent": "built"}]}
        task = (await editor.command("mux.task.start", protocol.TaskResult, **params)).task
        (run,) = (await editor.ended(task.id)).runs
    told = editor.told_of(protocol.LimitReachedParams)
    assert [(one.scope, one.unit, one.spent, one.most, one.stopped) for one in told] == [
        ("repository", "tokens", 850, 1000, False),
        ("repository", "tokens", 1050, 1000, True),
    ]
    assert told[0].message.startswith(f"The limit of 1,000 tokens a day in {repository} is near: 850 tokens is spent (")
    assert (run.state, run.added, run.removed) == ("cancelled", 1, 1), "what it had changed is kept"
    await plain.until(lambda: len(plain.messages) == 2)
    assert [(one.type, one.message) for one in plain.messages] == [
        (types.MessageType.Warning, told[0].message),
        (types.MessageType.Error, told[1].message),
    ]
    # An editor with our protocol shows it in its own way.
    assert not editor.messages
    for one in (editor, plain):
        await quit_politely(one)
