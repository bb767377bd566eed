"""Test read-only documents in an editor: under `mux:` URIs, by a command, and as files."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
import watchfiles
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from mux_lsp.lsp import protocol
from mux_lsp.lsp.pages.virtual_documents import MAX_FOLLOWED
from tests.e2e.lsp.client import WAIT_SECONDS, Editor, Refused
from tests.e2e.lsp.conftest import NUMBERS
from tests.e2e.lsp.connecting import connect, quit_politely

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.support.home import IsolatedHome

    Join = Callable[..., Awaitable[Editor]]

THREE_LINES = "sed -i -e s/^line.2$/two/ -e s/^line.10$/ten/ -e s/^line.18$/eighteen/ numbers.txt"


async def text(editor: Editor, uri: str) -> str:
    """Return the text that the editor shows for a URI."""
    try:
        answer = await editor.workspace_text_document_content_async(types.TextDocumentContentParams(uri))
    except JsonRpcException as error:
        raise Refused(error) from None
    return answer.text


async def got(editor: Editor, uri: str) -> protocol.DocumentResult:
    return await editor.command("mux.document.get", protocol.DocumentResult, uri=uri)


async def show(editor: Editor, uri: str, **more: object) -> str:
    return (await editor.command("mux.document.show", protocol.DocumentShowResult, uri=uri, **more)).uri


def edited(**lines: str) -> str:
    """Return the text of `numbers.txt` with some lines replaced: `_2="two"`."""
    return "".join(lines.get(f"_{number}", f"line {number}") + "\n" for number in range(1, 21))


def file_of(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))


async def test_every_kind_of_document_can_be_read(join: Join, repository: Path) -> None:
    editor = await join(content=True)
    editor.open("numbers.txt")
    task = await editor.done(
        f"{THREE_LINES}; echo hello; echo oh >&2", f"{THREE_LINES}; echo x > 'new file.txt'", checks=["false"]
    )
    one, two = (run.id for run in task.runs)
    changed = edited(_2="two", _10="ten", _18="eighteen")
    editor.insert("numbers.txt", "line 5\n", "typed\n")
    editor.insert("numbers.txt", "line 10", "my ")
    typed = editor.text("numbers.txt")
    hunks = [item.hunk for item in await editor.review("numbers.txt", one)]
    await editor.reject("hunk", run=one, hunks=[hunks[2]])
    assert await text(editor, f"mux:/run/{one}/numbers.txt") == changed
    assert await text(editor, f"mux:/snapshot/{task.id}/numbers.txt") == NUMBERS
    # The second hunk is in conflict and the third was rejected.
    assert await text(editor, f"mux:/pending/{one}/numbers.txt") == typed.replace("line 2\n", "two\n")
    assert await text(editor, f"mux:/diff/{one}/numbers.txt.diff") == (
        f"# {one}: 1 pending, 1 conflict, 1 rejected\n--- live/numbers.txt\n+++ {one}/numbers.txt\n"
        "@@ -1,5 +1,5 @@\n line 1\n-line 2\n+two\n line 3\n line 4\n typed\n"
    )
    conflict = await text(editor, f"mux:/diff/{one}/numbers.txt.diff?hunk={hunks[1]}")
    assert conflict.startswith(f"# {one}: conflict;")
    assert "--- snapshot/numbers.txt" in conflict
    assert "-line 10\n+ten\n" in conflict
    # A query in VS Code's encoding.
    rejected = await text(editor, f"mux:/diff/{one}/numbers.txt.diff?hunk%3D{hunks[2]}")
    assert "-line 18\n+eighteen\n" in rejected
    assert "two" not in rejected
    assert await text(editor, f"mux:/run/{two}/new%20file.txt") == "x\n"
    assert await text(editor, f"mux:/snapshot/{task.id}/new%20file.txt") == ""
    assert await text(editor, f"mux:/pending/{two}/new file.txt") == "x\n"
    transcript = await text(editor, f"mux:/transcript/{one}.md")
    assert "## Messages" not in transcript
    for part in (
        f"# {one}\n", "finished", "1 file, +3 −3", "```text\ndo it\n```", "```text\nhello\n```",  # noqa: RUF001
        "```text\noh\n```", " with exit status 1", "`false`", "- `numbers.txt` modified",
    ):  # fmt: skip
        assert part in transcript
    comparison = await text(editor, f"mux:/compare/{task.id}.md")
    for part in (f"| {one} |", "### `numbers.txt`", f"| `{hunks[0]}` | 2/2 | {one}, {two} | +1 −1 | `+ two` |"):  # noqa: RUF001
        assert part in comparison
    assert "have the same result" not in comparison


async def test_documents_come_by_a_command_too_with_their_language(editor: Editor) -> None:
    task = await editor.done(THREE_LINES, THREE_LINES)
    run = task.runs[0].id
    assert (await got(editor, f"mux:/run/{run}/numbers.txt")).language is None
    assert (await got(editor, f"mux:/diff/{run}/numbers.txt.diff")).language == "diff"
    assert (await got(editor, f"mux:/transcript/{run}.md")).language == "markdown"
    comparison = await got(editor, f"mux:/compare/{task.id}.md")
    assert f"{run}, {task.runs[1].id} have the same result." in comparison.text
    assert comparison.language == "markdown"
    plot = await got(editor, f"mux:/plot/{task.id}.svg")
    assert plot.language == "xml"
    assert plot.text.startswith("<svg ")
    assert f"{run}, rank 1:" in plot.text


REFUSALS = [
    ("mux:/run/zzz-1/numbers.txt", "There is no run 'zzz-1'"),
    ("mux:/snapshot/zzz/numbers.txt", "There is no task 'zzz'"),
    ("mux:/transcript/zzz-1.md", "There is no run 'zzz-1'"),
    ("mux:/compare/zzz.md", "There is no task 'zzz'"),
    ("mux:/plot/zzz.svg", "There is no task 'zzz'"),
    ("mux:/plot/TASK.md", "names no document"),
    ("mux:/run/RUN/missing.txt", "RUN has no file 'missing.txt'"),
    ("mux:/run/RUN/numbers.txt/", "names no document"),
    ("mux:/run/RUN/../../../../etc/passwd", "names no document"),
    ("mux:/run/RUN/%2Fetc/passwd", "names no document"),
    ("mux:/run/RUN/numbers.txt%00", "names no document"),
    ("mux:/run/RUN/.git/config", "has no file"),
    ("mux:/snapshot/TASK/HEAD:numbers.txt", "has no file"),
    ("mux:/run/RUN/numbers.txt%0D", "has no file"),
    ("mux:/pending/RUN/same.txt", "RUN does not change 'same.txt'"),
    ("mux:/diff/RUN/numbers.txt.diff?hunk=0000000000", "RUN has no hunk '0000000000'"),
    ("mux:/run/RUN/binary", "binary of RUN is not a text in UTF-8"),
    ("mux:/pending/RUN/binary", "binary of RUN is not a text in UTF-8"),
    ("mux:/run/RUN/big.txt", "has 2000001 bytes"),
    ("mux:/other/RUN/numbers.txt", "names no document"),
    ("file:///etc/passwd", "names no document"),
]  # fmt: skip


async def test_what_is_not_there_or_no_text_is_refused_in_one_sentence(join: Join, repository: Path) -> None:
    editor = await join(content=True)
    (repository / "same.txt").write_text("same\n")
    task = await editor.done(
        f"{THREE_LINES}; printf 'a\\0b' > binary; head -c 2000001 /dev/zero | tr '\\0' x > big.txt"
    )
    for row in REFUSALS:
        uri, words = (one.replace("RUN", task.runs[0].id).replace("TASK", task.id) for one in row)
        with pytest.raises(Refused) as refused:
            await text(editor, uri)
        assert words in refused.value.message
        assert "\n" not in refused.value.message


async def test_names_that_are_not_utf_8_survive(join: Join, repository: Path) -> None:
    name = b"caf\xe9 %41 #?.py"
    (repository / os.fsdecode(name)).write_bytes(b"old\n")
    (repository / "caf\ufffd %41 #?.py").write_text("another\n")
    editor = await join(content=True, shows=True)
    task = await editor.done('for one in caf*; do echo new >> "$one"; done')
    run = task.runs[0].id
    shown = "caf%EF%BF%BD%20%2541%20%23%3F.py"
    assert await text(editor, f"mux:/run/{run}/{shown}?bytes={name.hex()}") == "old\nnew\n"
    assert await text(editor, f"mux:/snapshot/{task.id}/{shown}?bytes%3D{name.hex()}") == "old\n"
    assert await text(editor, f"mux:/pending/{run}/{shown}?bytes={name.hex()}") == "old\nnew\n"
    assert await text(editor, f"mux:/run/{run}/{shown}") == "another\nnew\n"
    with pytest.raises(Refused, match="names no document"):
        await text(editor, f"mux:/run/{run}/other.py?bytes={name.hex()}")


async def test_what_a_client_looks_at_follows_what_is_typed(join: Join) -> None:
    editor = await join(content=True)
    editor.open("numbers.txt")
    task = await editor.done(THREE_LINES)
    run = task.runs[0].id
    pending, diff, result = (
        f"mux:/pending/{run}/numbers.txt",
        f"mux:/diff/{run}/numbers.txt.diff",
        f"mux:/run/{run}/numbers.txt",
    )
    for uri in (pending, diff, result):
        await text(editor, uri)
    assert editor.refreshed == []
    editor.insert("numbers.txt", "line 5\n", "typed\n")
    await editor.until(lambda: {pending, diff} <= set(editor.refreshed))
    assert "line 4\ntyped\nline 5" in await text(editor, pending)
    editor.refreshed.clear()
    await editor.accept("hunk", run=run, hunks=[(await editor.review("numbers.txt"))[0].hunk])
    # The resulting text is the same; the remaining changes are not.
    await editor.until(lambda: diff in editor.refreshed)
    assert "2 pending, 1 applied" in await text(editor, diff)
    assert result not in editor.refreshed


async def test_what_is_typed_while_a_document_is_read_is_not_missed(join: Join) -> None:
    editor = await join(content=True)
    editor.open("numbers.txt")
    run = (await editor.done(THREE_LINES)).runs[0].id
    for number in range(10):
        uri = f"mux:/pending/{run}/numbers.txt?{'&' * number}"
        reading = asyncio.ensure_future(text(editor, uri))
        # The request goes out, and then the typed text.
        await asyncio.wait([reading], timeout=0)
        editor.insert("numbers.txt", "line 5\n", f"typed {number}\n")
        if f"typed {number}" not in await reading:
            await editor.until(lambda uri=uri: uri in editor.refreshed)  # type: ignore[misc]  # mypy cannot tell


async def test_only_so_many_documents_are_followed_and_the_last_ones_are(join: Join) -> None:
    editor = await join(content=True)
    editor.open("numbers.txt")
    task = await editor.done(THREE_LINES, THREE_LINES)
    one, two = (f"mux:/pending/{run.id}/numbers.txt" for run in task.runs)
    for uri in (one, two):
        await text(editor, uri)
    for number in range(1, MAX_FOLLOWED + 1):
        await text(editor, two)
        # One document in different spellings.
        await text(editor, f"mux:/snapshot/{task.id}/numbers.txt?{'&' * number}")
    editor.insert("numbers.txt", "line 5\n", "typed\n")
    await editor.until(lambda: two in editor.refreshed)
    await text(editor, two)
    assert one not in editor.refreshed


async def test_documents_follow_the_run(join: Join, repository: Path) -> None:
    editor = await join(content=True)
    go, on = repository.parent / "go", repository.parent / "on"
    os.mkfifo(go)
    os.mkfifo(on)
    waits = f"echo first; read go < {go}; echo second; read go < {on}"
    task = await editor.start("do it", f"{waits}; {THREE_LINES}")
    run = task.runs[0].id
    transcript, compare, result = (
        f"mux:/transcript/{run}.md",
        f"mux:/compare/{task.id}.md",
        f"mux:/run/{run}/numbers.txt",
    )
    assert await text(editor, result) == NUMBERS
    await text(editor, transcript)
    assert "finished" not in await text(editor, compare)
    go.write_text("go\n")
    while "first\nsecond\n" not in await text(editor, transcript):
        # Only its output changes here.
        await editor.until(lambda: transcript in editor.refreshed)
        editor.refreshed.clear()
    on.write_text("go\n")
    await editor.ended(task.id)
    await editor.until(lambda: {transcript, compare, result} <= set(editor.refreshed))
    assert await text(editor, result) == edited(_2="two", _10="ten", _18="eighteen")
    editor.refreshed.clear()
    for place in (go, on):
        place.unlink()
        place.write_text("go\n")
    for message in ("tell me `more`", "and more"):
        await editor.command("mux.run.continue", protocol.RunResult, run=run, message=message)
        await editor.ended(run)
    await editor.until(lambda: transcript in editor.refreshed)
    assert "followed\n\n```text\ntell me `more`\n```\n\n```text\nand more\n```\n\n" in await text(editor, transcript)


async def test_a_client_learns_of_the_scheme_in_the_one_way_it_wants(join: Join) -> None:
    plain, dynamic = await join("plain", content=True), await join("dynamic", content=True, registers=True)
    assert plain.offers.workspace is not None
    assert plain.offers.workspace.text_document_content is not None
    assert list(plain.offers.workspace.text_document_content.schemes) == ["mux"]
    assert plain.registered == []
    assert dynamic.offers.workspace is not None
    assert dynamic.offers.workspace.text_document_content is None
    (registration,) = await dynamic.until(lambda: dynamic.registered)
    assert registration.method == "workspace/textDocumentContent"
    assert registration.register_options["schemes"] == ["mux"]  # type: ignore[index]  # an LSPAny


async def test_a_client_that_knows_the_scheme_is_asked_to_show_the_uri(join: Join) -> None:
    editor = await join(content=True, shows=True)
    task = await editor.done(THREE_LINES)
    uri = f"mux:/run/{task.runs[0].id}/numbers.txt"
    assert await show(editor, uri, take_focus=True) == uri
    assert [(one.uri, one.take_focus) for one in editor.shown_documents] == [(uri, True)]
    with pytest.raises(Refused, match="has no file"):
        await show(editor, f"{uri}.missing")
    assert len(editor.shown_documents) == 1


async def test_any_other_client_is_shown_a_read_only_file_that_follows_and_goes(home: IsolatedHome, join: Join) -> None:
    editor, other = await join(shows=True), await join("other", shows=True)
    editor.open("numbers.txt")
    task = await editor.done(THREE_LINES, "echo x > .hidden.py")
    run = task.runs[0].id
    uri = await show(editor, f"mux:/pending/{run}/numbers.txt", take_focus=False)
    assert [(one.uri, one.take_focus) for one in editor.shown_documents] == [(uri, False)]
    file = file_of(uri)
    assert file.name == "numbers.txt"
    assert file.read_text() == edited(_2="two", _10="ten", _18="eighteen")
    assert stat.S_IMODE(file.stat().st_mode) == 0o444
    assert home.state in file.parents
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in file.parents[:3]] == [0o700] * 3
    assert await show(editor, f"mux:/pending/{run}/numbers.txt") == uri
    assert file_of(await show(editor, f"mux:/diff/{run}/numbers.txt.diff")).name == "numbers.txt.diff"
    assert file_of(await show(editor, f"mux:/run/{task.runs[1].id}/.hidden.py")).name == ".hidden.py"
    page = file_of(await show(editor, f"mux:/compare/{task.id}.md"))
    assert page.read_text() == (await got(editor, f"mux:/compare/{task.id}.md")).text
    others = file_of(await show(other, f"mux:/pending/{run}/numbers.txt"))
    assert editor.refreshed == []

    follows = await watching(other, file.parent, lambda: "typed\n" in file.read_text())
    editor.insert("numbers.txt", "line 5\n", "typed\n")
    await follows
    assert stat.S_IMODE(file.stat().st_mode) == 0o444
    assert "typed" not in others.read_text()
    assert list(file.parent.iterdir()) == [file]

    goes = await watching(other, file.parents[2], lambda: not file.parents[1].exists())
    await quit_politely(editor)
    await goes
    assert others.exists()


async def watching(editor: Editor, folder: Path, met: Callable[[], bool]) -> asyncio.Task[None]:
    """Watch a folder. Return a task that ends when `met` holds; the watch has begun by then."""

    async def watch() -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            async for _ in watchfiles.awatch(folder, watch_filter=None, debounce=50, rust_timeout=0):
                if met():
                    return

    task = asyncio.create_task(watch())
    await editor.command("mux.status", protocol.StatusResult)
    return task


async def test_what_a_killed_daemon_left_for_its_clients_is_removed(mux_home: IsolatedHome, repository: Path) -> None:
    left = mux_home.state / "clients" / "abc" / "1" / "numbers.txt"
    left.parent.mkdir(parents=True)
    left.write_text("old\n")
    left.chmod(0o444)
    editor = await connect(mux_home, repository)
    assert not left.parents[1].exists()
    await quit_politely(editor)


async def test_a_client_that_cannot_show_documents_is_told_what_to_do(editor: Editor) -> None:
    task = await editor.done(THREE_LINES)
    with pytest.raises(Refused, match=r"test editor cannot be asked to show .* mux\.document\.get") as refused:
        await show(editor, f"mux:/run/{task.runs[0].id}/numbers.txt")
    assert refused.value.kind == "usage"


async def test_a_client_that_does_not_show_it_after_all_is_believed(join: Join) -> None:
    editor = await join(shows=True)
    task = await editor.done(THREE_LINES)
    editor.refuses_to_show = True
    with pytest.raises(Refused, match="test editor did not show file:///"):
        await show(editor, f"mux:/run/{task.runs[0].id}/numbers.txt")
