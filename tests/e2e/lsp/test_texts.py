"""Test texts that invite off-by-one errors: position encodings, line ends, odd characters, other encodings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from lsprotocol import types

from mux_lsp.lsp import protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.e2e.lsp.client import Editor

    Join = Callable[..., Awaitable[Editor]]


async def seen_by_agent(editor: Editor, path: str) -> bytes:
    """Return the bytes of a file as an agent gets them."""
    task = await editor.done(f"od -An -v -tx1 {path}")
    log = await editor.command("mux.run.log", protocol.RunLogResult, run=task.runs[0].id)
    return bytes.fromhex(log.text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_positions_are_in_the_units_agreed_upon(join: Join, repository: Path, encoding: str) -> None:
    place = repository / "faces.txt"
    place.write_text("😀 one é\ntwo 😀😀\nthree\nfour\nlast é😀 end", encoding="utf-8")
    editor = await join(encodings=[encoding])
    assert editor.encoding == encoding
    editor.open("faces.txt")
    task = await editor.done(
        r"printf '\360\237\230\200 one \303\251\nTWO\nthree\nfour\nLAST \360\237\230\200' > faces.txt"
    )
    _, last = await editor.review("faces.txt")
    units = {"utf-8": 15, "utf-16": 12, "utf-32": 11}[encoding]
    assert (last.range.end.line, last.range.end.character) == (4, units)
    # Typed after characters of several units, in the lines above and beside the last line.
    editor.insert("faces.txt", " one é", "😀é")
    editor.insert("faces.txt", "three\n", "😀", replacing="")
    editor.insert("faces.txt", "one é\n", "", replacing=" ")
    editor.insert("faces.txt", "\nfour", " 😀 zzz")
    editor.insert("faces.txt", " zzz", "é")
    assert editor.text("faces.txt") == "😀😀éone é\ntwo 😀😀\n😀three 😀é zzz\nfour\nlast é😀 end"
    assert [item.status for item in await editor.review("faces.txt")] == ["conflict", "pending"]
    editor.insert("faces.txt", "three", "", replacing="😀")
    editor.insert("faces.txt", "\nfour", "", replacing=" 😀é zzz")
    editor.insert("faces.txt", "four", "😀\n")
    assert [item.status for item in await editor.review("faces.txt")] == ["conflict", "pending"]
    editor.insert("faces.txt", "one é", " ", replacing="😀é")
    assert editor.text("faces.txt") == "😀 one é\ntwo 😀😀\nthree\n😀\nfour\nlast é😀 end"
    assert (await editor.accept("run", run=task.runs[0].id)).accepted == 2
    assert editor.text("faces.txt") == "😀 one é\nTWO\nthree\n😀\nfour\nLAST 😀"


async def test_a_client_that_says_nothing_of_encodings_counts_in_utf_16(editor: Editor, repository: Path) -> None:
    (repository / "faces.txt").write_text("😀", encoding="utf-8")
    editor.open("faces.txt")
    await editor.done("echo x > faces.txt")
    (item,) = await editor.review("faces.txt")
    assert item.range.end.character == 2


async def test_lines_are_lsps_and_not_pythons(editor: Editor, repository: Path) -> None:
    text = "a\x0cb\u2028c\x0bd\x85e\x1cf\nsecond\nthird\x0c\nfourth\n"
    (repository / "odd.txt").write_bytes(text.encode())
    editor.open("odd.txt")
    task = await editor.done("sed -i 's/^fourth/vierte/' odd.txt")
    editor.insert("odd.txt", "second", "\u2029 the \x0c")
    editor.insert("odd.txt", "f\n", "", replacing="e\x1c")
    editor.insert("odd.txt", "cond", "\u2028", replacing="se")
    (item,) = await editor.review("odd.txt")
    assert (item.range.start.line, item.status) == (3, "pending")
    typed = editor.text("odd.txt")
    assert typed == "a\x0cb\u2028c\x0bd\x85f\n\u2029 the \x0c\u2028cond\nthird\x0c\nfourth\n"
    await editor.accept("run", run=task.runs[0].id)
    assert editor.text("odd.txt") == typed.replace("fourth", "vierte")
    assert await seen_by_agent(editor, "odd.txt") == editor.text("odd.txt").encode()


async def test_carriage_returns_stay_what_they_are(editor: Editor, repository: Path) -> None:
    text = "one\r\ntwo\r\n.\r\nthree\r\nfour\r\n.\r\nfive\r\n"
    (repository / "dos.txt").write_bytes(text.encode())
    editor.open("dos.txt")
    task = await editor.done(r"sed -i -e 's/^two/zwei/' -e 's/^five/f\xc3\xbcnf/' dos.txt")
    editor.insert("dos.txt", "\r\nfour", "!")
    editor.insert("dos.txt", "four", "3.5\r\n")
    assert [item.status for item in await editor.review("dos.txt")] == ["pending", "pending"]
    await editor.accept("run", run=task.runs[0].id)
    assert editor.text("dos.txt") == "one\r\nzwei\r\n.\r\nthree!\r\n3.5\r\nfour\r\n.\r\nfünf\r\n"


async def test_a_buffer_whose_line_ends_the_editor_changed_takes_hunks_in_its_own(join: Join, repository: Path) -> None:
    editor, other = await join(), await join("other")
    text = "one\r\ntwo\r\nthree\r\n"
    (repository / "dos.txt").write_bytes(text.encode())
    task = await other.done("sed -i 's/^two/zwei/' dos.txt")
    await editor.ended(task.id)
    editor.open("dos.txt", text.replace("\r\n", "\n"))
    (item,) = await editor.review("dos.txt")
    assert item.status == "pending"
    await editor.accept("run", run=task.runs[0].id)
    assert editor.text("dos.txt") == "one\nzwei\nthree\n"
    assert await editor.statuses("dos.txt") == ["applied"]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("latin-1", "Grüße aus Köln\n"),
        ("cp1252", "“quoted”\n"),
        ("shift_jis", "日本語のテキスト\n"),
        ("utf-16", "with a byte order mark é\n"),
        ("utf-8-sig", "marked é\n"),
    ],
)
async def test_unsaved_text_reaches_agents_in_the_encoding_of_its_file(
    editor: Editor, repository: Path, encoding: str, text: str
) -> None:
    (repository / "old.txt").write_bytes(text.encode(encoding))
    editor.open("old.txt", encoding=encoding)
    assert await seen_by_agent(editor, "old.txt") == text.encode(encoding)
    editor.insert("old.txt", text[3:], "unsaved ")
    changed = text[:3] + "unsaved " + text[3:]
    assert await seen_by_agent(editor, "old.txt") == changed.encode(encoding)


async def test_text_that_its_file_cannot_hold_is_left_out_and_named(editor: Editor, repository: Path) -> None:
    (repository / "old.txt").write_bytes("Grüße\n".encode("latin-1"))
    editor.open("old.txt", encoding="latin-1")
    editor.insert("old.txt", "Grüße", "日本 ")
    task = await editor.done("od -An -v -tx1 old.txt")
    assert [(left.path, left.reason) for left in task.left_out] == [
        ("old.txt", "its unsaved text cannot be saved in the file's encoding; agents see the saved file")
    ]
    log = await editor.command("mux.run.log", protocol.RunLogResult, run=task.runs[0].id)
    assert bytes.fromhex(log.text) == "Grüße\n".encode("latin-1")


async def test_a_document_that_is_a_pipe_holds_up_nobody(join: Join, repository: Path) -> None:
    """`vim <(command)` opens one: reading it would wait for a writer that never comes, or consume another's data."""
    editor, other = await join(), await join("other")
    os.mkfifo(repository / "pipe")
    uri = editor.uri("pipe")
    editor.text_document_did_open(types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, "x", 1, "typed\n")))
    assert await editor.hover("pipe", 0) == ""
    task = await other.done("cat numbers.txt", unsaved="all")
    assert task.runs[0].state == "finished"


async def test_a_commit_message_in_an_editor_is_no_part_of_the_snapshot(editor: Editor, repository: Path) -> None:
    """`git commit` opens a file of `.git` in the editor; the text typed there is not part of the project."""
    (repository / ".git" / "COMMIT_EDITMSG").write_text("\n")
    editor.open(".git/COMMIT_EDITMSG", "half a message\n")
    editor.open("unborn.txt", "not on disk yet\n")
    task = await editor.done("cat unborn.txt; ls -A")
    log = await editor.command("mux.run.log", protocol.RunLogResult, run=task.runs[0].id)
    assert log.text.splitlines()[0] == "not on disk yet"
    assert set(log.text.splitlines()[1:]) == {".git", "numbers.txt", "unborn.txt"}
