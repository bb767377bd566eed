"""Test a repository's own settings from an editor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mux_lsp.lsp import protocol
from tests.e2e.lsp.client import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.e2e.lsp.client import Editor

    Join = Callable[..., Awaitable[Editor]]

SAID = 'setup = ["echo ready > ready.txt"]\n'


async def look(editor: Editor, **more: str) -> protocol.RepositoryResult:
    return await editor.command("mux.repository.get", protocol.RepositoryResult, **more)


async def test_what_was_shown_is_what_is_trusted(editor: Editor, repository: Path) -> None:
    assert (await look(editor)).digest is None
    (repository / "mux.toml").write_text(SAID)
    shown = await look(editor)
    assert (shown.trusted, shown.setup, shown.checks) == (False, ["echo ready > ready.txt"], None)
    (repository / "mux.toml").write_text(SAID.replace("ready", "other"))
    with pytest.raises(Refused) as refused:
        await editor.command("mux.repository.trust", protocol.RepositoryResult, digest=shown.digest)
    assert refused.value.message == f"The mux.toml of {repository} is not what was shown any more: look at it again."
    (repository / "mux.toml").write_text(SAID)
    assert (await editor.command("mux.repository.trust", protocol.RepositoryResult, digest=shown.digest)).trusted
    listed = await editor.command("mux.repository.list", protocol.TrustListResult)
    assert [one.repository for one in listed.trusted].count(repository.as_uri()) == 1
    task = await editor.ended((await editor.start("x", "cat ready.txt > got.txt")).id)
    assert (task.setup, [file.path for file in task.runs[0].files]) == (["echo ready > ready.txt"], ["got.txt"])
    left = await editor.command("mux.repository.distrust", protocol.TrustListResult)
    assert repository.as_uri() not in [one.repository for one in left.trusted]


async def test_the_unsaved_text_is_what_counts(editor: Editor, repository: Path) -> None:
    (repository / "mux.toml").write_text(SAID)
    shown = await look(editor)
    await editor.command("mux.repository.trust", protocol.RepositoryResult, digest=shown.digest)
    editor.open("mux.toml")
    editor.retype("mux.toml", SAID.replace("ready", "evil"))
    assert (await look(editor)).setup == ["echo evil > evil.txt"]
    assert (await look(editor, unsaved="none")).trusted
    task = await editor.start("x", "true")
    assert (task.setup, len(task.notices)) == ([], 1)
    task = await editor.start("x", "true", unsaved="none")
    assert (task.setup, task.notices) == (["echo ready > ready.txt"], [])


async def test_an_editor_with_no_plugin_of_ours_is_told_what_does_not_count(
    editor: Editor, join: Join, repository: Path
) -> None:
    (repository / "mux.toml").write_text(SAID)
    plain = await join(options={})
    task = await plain.start("x", "true")
    await plain.until(lambda: [one.message for one in plain.messages] == task.notices)
    task = await editor.start("x", "true")
    await editor.ended(task.id)
    assert (len(task.notices), editor.messages) == (1, []), "it has them in the answer, and would tell them twice"


async def test_the_log_of_a_set_up(editor: Editor, repository: Path) -> None:
    (repository / "mux.toml").write_text('setup = ["echo one; echo two >&2; exit 3"]\n')
    shown = await look(editor)
    await editor.command("mux.repository.trust", protocol.RepositoryResult, digest=shown.digest)
    task = await editor.ended((await editor.start("x", "true")).id)
    (run,) = task.runs
    assert run.state == "failed"
    log = await editor.command("mux.run.log", protocol.RunLogResult, run=run.id, setup=True)
    assert log.text == "$ echo one; echo two >&2; exit 3\none\ntwo\n"
    (repository / "mux.toml").unlink()
    task = await editor.ended((await editor.start("x", "true")).id)
    with pytest.raises(Refused) as refused:
        await editor.command("mux.run.log", protocol.RunLogResult, run=task.runs[0].id, setup=True)
    assert refused.value.message == f"{task.runs[0].id} had no set-up."
