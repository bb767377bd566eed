"""Test documents as a client has them: changes land where LSP says, and buffers are saved as their file would be."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from mux_lsp.core import text as core_text
from mux_lsp.core.text import PositionEncoding
from mux_lsp.errors import ConflictError
from mux_lsp.lsp.wire.documents import (
    Documents,
    apply_changes,
    as_opened,
    is_saved,
    live_text,
    path_of,
    uri_of,
)
from tests.support import buffer
from tests.unit.lsp.opening import change_in, open_in

PIECES = [
    "a",
    "bc",
    "\n",
    "\r\n",
    "\r",
    "\x0c",
    "\x0b",
    "\u2028",
    "\u2029",
    "\x85",
    "\x1c",
    "é",
    "日",
    "😀",
    "\U0010ffff",
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
ENCODINGS = st.sampled_from(["utf-8", "utf-16", "utf-32"])


def change(start: tuple[int, int], end: tuple[int, int], text: str) -> types.TextDocumentContentChangePartial:
    return types.TextDocumentContentChangePartial(types.Range(types.Position(*start), types.Position(*end)), text)


@given(st.data(), TEXTS, TEXTS, ENCODINGS)
def test_a_change_lands_where_an_editor_made_it(
    data: st.DataObject, text: str, new: str, encoding: buffer.Encoding
) -> None:
    # A place between \r and \n has no position.
    places = [at for at in range(len(text) + 1) if text[at - 1 : at + 1] != "\r\n"]
    start, end = sorted((data.draw(st.sampled_from(places)), data.draw(st.sampled_from(places))))
    range_ = types.Range(buffer.position_at(text, start, encoding), buffer.position_at(text, end, encoding))
    assert buffer.replaced(text, range_, new, encoding) == text[:start] + new + text[end:]
    edit = types.TextDocumentContentChangePartial(range_, new)
    assert apply_changes(text, [edit], PositionEncoding(encoding)) == text[:start] + new + text[end:]


@pytest.mark.parametrize(
    ("text", "edit", "after"),
    [
        ("", change((0, 0), (0, 0), "x"), "x"),
        ("a\n", change((1, 0), (1, 0), "b"), "a\nb"),
        ("a\nb", change((0, 1), (1, 0), ""), "ab"),
        # Past the end of a line is its end, past the text its end: LSP 3.17, Position.
        ("a\nb\n", change((0, 99), (0, 99), "x"), "ax\nb\n"),
        ("a\r\nb", change((0, 99), (0, 99), "x"), "ax\r\nb"),
        ("a\nb", change((99, 0), (99, 0), "x"), "a\nbx"),
        ("a\nb", change((0, 0), (99, 99), "x"), "x"),
        # A position inside a character is before it; a range in the wrong order removes nothing.
        ("😀b", change((0, 1), (0, 1), "x"), "x😀b"),
        ("abc", change((0, 2), (0, 1), "x"), "abxc"),
        ("a\x0cb\nc", change((1, 0), (1, 1), "x"), "a\x0cb\nx"),
        ("a\u2028b\nc", change((1, 0), (1, 1), "x"), "a\u2028b\nx"),
        ("a", types.TextDocumentContentChangeWholeDocument("b\n"), "b\n"),
    ],
)
def test_changes_at_the_edges(text: str, edit: types.TextDocumentContentChangeEvent, after: str) -> None:
    assert apply_changes(text, [edit], PositionEncoding.UTF16) == after


@given(st.data(), TEXTS, st.lists(TEXTS, max_size=4), ENCODINGS)
def test_many_changes_at_once_are_as_many_one_by_one(
    data: st.DataObject, before: str, new: list[str], encoding: buffer.Encoding
) -> None:
    edits: list[types.TextDocumentContentChangeEvent] = []
    content = before
    for replacement in new:
        if data.draw(st.integers(0, 9)) == 0:
            edits.append(types.TextDocumentContentChangeWholeDocument(replacement))
            content = replacement
            continue
        places = [at for at in range(len(content) + 1) if content[at - 1 : at + 1] != "\r\n"]
        start, end = sorted((data.draw(st.sampled_from(places)), data.draw(st.sampled_from(places))))
        range_ = types.Range(buffer.position_at(content, start, encoding), buffer.position_at(content, end, encoding))
        edits.append(types.TextDocumentContentChangePartial(range_, replacement))
        content = content[:start] + replacement + content[end:]
    assert apply_changes(before, edits, PositionEncoding(encoding)) == content


@pytest.mark.parametrize(
    ("before", "edits", "after"),
    [
        # A \r and a \n that become adjacent are one line end for the next change.
        ("a\rb\n", [change((1, 0), (1, 0), "\n"), change((1, 0), (1, 0), "x")], "a\r\nxb\n"),
        ("a\rb\nc\n", [change((1, 0), (1, 1), ""), change((1, 0), (1, 1), "x")], "a\r\nx\n"),
        ("a\nb\n", [change((0, 1), (0, 1), "\r"), change((1, 0), (1, 0), "x")], "a\r\nxb\n"),
        ("a\n\nb\n", [change((0, 1), (1, 0), "\r"), change((1, 0), (1, 0), "x")], "a\r\nxb\n"),
        ("a\n", [change((1, 0), (1, 0), "b"), change((1, 1), (1, 1), "c\nd"), change((2, 0), (9, 9), "")], "a\nbc\n"),
        ("a", [change((9, 0), (9, 0), "b\n"), change((1, 0), (1, 0), "c")], "ab\nc"),
    ],
)
def test_what_a_change_does_to_lines_holds_for_the_next(
    before: str, edits: list[types.TextDocumentContentChangeEvent], after: str
) -> None:
    assert apply_changes(before, edits, PositionEncoding.UTF16) == after


def test_many_changes_of_a_long_text_take_it_apart_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every other client waits meanwhile."""
    content = "a line of the text\n" * 10_000
    read: list[int] = []
    split = core_text.split_lines

    def counted(part: str) -> list[str]:
        read.append(len(part))
        return split(part)

    monkeypatch.setattr(core_text, "split_lines", counted)
    edits = [change((line, 2), (line, 6), "row") for line in range(0, 10_000, 50)]
    assert apply_changes(content, edits, PositionEncoding.UTF16).count("a row of the text\n") == 200
    assert sum(read) < 2 * len(content)


def test_changes_follow_each_other_in_one_notification(tmp_path: Path) -> None:
    documents = Documents()
    uri = uri_of(tmp_path / "a.txt")
    open_in(documents, uri, "one\ntwo\n")
    change_in(documents, uri, 7, [change((0, 0), (0, 3), "1\n1.5"), change((2, 0), (2, 3), "2")])
    document = documents.get(uri)
    assert document is not None
    assert (document.content, document.version) == ("1\n1.5\n2\n", 7)
    assert documents.versions() == {uri: 7}
    assert documents.at(tmp_path / "a.txt") is document
    documents.closed(uri)
    assert documents.at(tmp_path / "a.txt") is None
    assert documents.get(uri) is None


def opened(path: Path, text: str) -> Documents:
    documents = Documents()
    open_in(documents, uri_of(path), text)
    return documents


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "plain\n"),
        ("utf-8", "ünï\r\ncode\n"),
        ("utf-8-sig", "marked\n"),
        ("utf-16", "both é\n"),
        ("latin-1", "Grüße\n"),
        ("cp1252", "“€”\n"),
        ("iso-8859-15", "\x80\x9d œ\n"),
        ("shift_jis", "日本\n"),
        ("euc_jp", "日本語\n"),
        ("gb18030", "简体\n"),
        ("cp1251", "Привет\n"),
        ("koi8_r", "Привет, мир\n"),
    ],
)
def test_a_buffer_is_saved_as_its_file_was(tmp_path: Path, encoding: str, text: str) -> None:
    path = tmp_path.resolve() / "file.txt"
    path.write_bytes(text.encode(encoding))
    shown = text
    documents = opened(path, shown)
    assert documents.unsaved(path.parent) == ({}, ())
    (document,) = documents
    assert is_saved(document)
    change_in(documents, document.uri, 2, [change((0, 0), (0, 0), "x ")])
    assert documents.unsaved(path.parent) == ({"file.txt": ("x " + text).encode(encoding)}, ())
    (document,) = documents
    assert not is_saved(document)


def test_utf_16_and_32_keep_their_order_and_mark(tmp_path: Path) -> None:
    for mark, name in (
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ):
        path = tmp_path.resolve() / name
        path.write_bytes(mark + "é\n".encode(name))
        documents = opened(path, "é\n")
        change_in(documents, uri_of(path), 2, [change((0, 1), (0, 1), "日")])
        assert documents.unsaved(path.parent)[0] == {name: mark + "é日\n".encode(name)}


def test_what_cannot_be_saved_is_named(tmp_path: Path) -> None:
    path = tmp_path.resolve() / "file.txt"
    path.write_bytes("Grüße\n".encode("latin-1"))
    documents = opened(path, "another text\n")
    assert [(left.path, left.reason) for left in documents.unsaved(path.parent)[1]] == [
        ("file.txt", "its encoding could not be told; agents see the saved file")
    ]
    path.write_text("plain\n")
    documents = opened(path, "half \ud83d\n")
    assert [left.path for left in documents.unsaved(path.parent)[1]] == ["file.txt"]


def test_only_what_is_below_and_differs_is_unsaved(tmp_path: Path) -> None:
    root = tmp_path.resolve() / "root"
    root.mkdir()
    (root / "same.txt").write_text("same\n")
    documents = Documents()
    for path, text in {
        root / "same.txt": "same\n",
        root / "new.txt": "new\n",
        root / "empty.txt": "",
        root.parent / "outside.txt": "outside\n",
        Path(f"{root}-not") / "x.txt": "not\n",
    }.items():
        open_in(documents, uri_of(path), text)
    assert as_opened(types.TextDocumentItem("untitled:Untitled-1", "x", 1, "untitled")) is None
    assert documents.unsaved(root) == ({"new.txt": b"new\n"}, ())


@given(
    st.binary(min_size=1, max_size=12).filter(lambda name: not {0, ord("/")} & {*name} and name not in {b".", b".."})
)
def test_any_name_survives_its_uri(name: bytes) -> None:
    path = Path("/") / os.fsdecode(name)
    uri = uri_of(path)
    assert uri.isascii()
    assert path_of(uri) == path


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b%20c.txt", "/a/b c.txt"),
        ("file:///a/b%23c%3Fd.txt", "/a/b#c?d.txt"),
        ("file:///a/caf%E9", os.fsdecode(b"/a/caf\xe9")),
        ("file:///a/caf%C3%A9", "/a/café"),
        ("untitled:Untitled-1", None),
        ("mux:k3f-1/a.txt", None),
        ("vscode-remote://host/a", None),
        ("", None),
        # No URIs, or not of a possible file.
        ("file://[", None),
        ("file:///a%00b", None),
        ("file:///a%00/b", None),
        ("file:///\ud800", None),
        ("file:a.txt", None),
        ("file:", None),
    ],
)
def test_uris_of_editors(uri: str, path: str | None) -> None:
    assert path_of(uri) == (None if path is None else Path(path))


def test_a_link_in_a_folder_stands_for_itself_and_a_link_to_a_folder_for_the_folder(tmp_path: Path) -> None:
    root = tmp_path.resolve()
    (root / "real").mkdir()
    (root / "folder").symlink_to("real")
    (root / "real" / "link").symlink_to("file")
    assert path_of(uri_of(root / "folder" / "link")) == root / "real" / "link"


def test_of_a_file_that_is_open_twice_all_mean_the_same_document(tmp_path: Path) -> None:
    """An editor that opens a folder and a link to it has two buffers of one file."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    found = Documents()
    uris = [uri_of(tmp_path / name / "a.txt") for name in ("folder", "link")]
    for version, uri in enumerate(uris):
        open_in(found, uri, "a\nb\n", version)
    file = (tmp_path / "folder" / "a.txt").resolve()
    change_in(found, uris[0], 7, [change((0, 0), (0, 1), "a")])
    assert found.at(file) is found.by_path()[file] is found.get(uris[1])
    found.refuse_two_texts([file])
    change_in(found, uris[0], 8, [change((0, 0), (0, 0), "mine\n")])
    found.refuse_two_texts([tmp_path / "other.txt"])
    with pytest.raises(ConflictError, match=r"different texts as \S+folder/a\.txt and \S+link/a\.txt"):
        found.refuse_two_texts([file])


def test_a_link_in_place_of_a_file_has_no_text_of_its_own(tmp_path: Path) -> None:
    """An editor shows the text of the link's target, which is not the text of this path."""
    root = tmp_path.resolve()
    (root / "real.txt").write_text("a\n")
    (root / "a.txt").symlink_to("real.txt")
    found = Documents()
    open_in(found, uri_of(root / "a.txt"), "a\n")
    live = live_text(root, "a.txt", found.at(root / "a.txt"))
    assert (live.lines, live.open, live.unsaved) == (None, True, False)
    change_in(found, uri_of(root / "a.txt"), 2, [change((0, 0), (0, 0), "mine\n")])
    live = live_text(root, "a.txt", found.at(root / "a.txt"))
    assert (live.lines, live.open, live.unsaved) == (None, True, True)


def test_an_empty_document_of_a_file_that_is_not_there_is_no_file(tmp_path: Path) -> None:
    found = Documents()
    open_in(found, (tmp_path / "new.txt").as_uri(), "")
    assert live_text(tmp_path, "new.txt", found.at(tmp_path / "new.txt")).missing
    (tmp_path / "new.txt").write_text("")
    assert not live_text(tmp_path, "new.txt", found.at(tmp_path / "new.txt")).missing
    open_in(found, (tmp_path / "other.txt").as_uri(), "begun\n")
    assert not live_text(tmp_path, "other.txt", found.at(tmp_path / "other.txt")).missing
