"""Keep the documents that one client has open: text, version, and the encoding in which they are saved.

pygls keeps documents too, but it splits lines like `str.splitlines`, so an incremental change after a form feed or
U+2028 would be applied in the wrong place.
"""

from __future__ import annotations

import codecs
import contextlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes, urlsplit

from lsprotocol import types

from mux_lsp.core import text
from mux_lsp.core.model import LeftOut
from mux_lsp.core.sanitize import printable
from mux_lsp.engine.review.live_text import LiveText, read_live_text
from mux_lsp.engine.working_tree import disk
from mux_lsp.errors import ConflictError
from mux_lsp.lsp.wire import heavy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

ENCODINGS = (
    "utf-8", "utf-16", "utf-32", "cp1252", "iso-8859-1", "iso-8859-15", "shift_jis", "euc_jp", "gb18030", "big5",
    "euc_kr",
    "cp1251", "koi8_r", "iso-8859-2", "cp1250", "iso-8859-7", "cp1253", "iso-8859-9", "cp1255", "cp1256", "mac_roman",
)  # fmt: skip
"""Encodings in which a file may be saved, likeliest first. Opening a document tries them against its text."""

MAX_TEXT = 16 * 1024 * 1024
"""Maximum number of characters of a document whose text is followed."""

MAX_URI = 16 * 1024
"""Maximum number of characters of a `file:` URI: a path of 4,096 bytes, each as `%2F`, has fewer."""


@dataclass(frozen=True, slots=True)
class Document:
    """One open document. `encoding` is the encoding of its file, or None if it is unknown."""

    uri: str
    path: Path
    version: int
    content: str
    encoding: str | None
    bom: bytes = b""


class Documents:
    """The open documents of a client, updated by didOpen, didChange and didClose."""

    def __init__(self) -> None:
        self._open: dict[str, Document] = {}
        self.encoding = text.PositionEncoding.UTF16

    def __iter__(self) -> Iterator[Document]:
        # Iterate over a copy, because other threads iterate too.
        return iter(list(self._open.values()))

    def get(self, uri: str) -> Document | None:
        """Return the open document with a URI."""
        return self._open.get(uri)

    def versions(self, files: Collection[Path] | None = None) -> dict[str, int]:
        """Return the versions of all open documents, or of those of some files, by URI."""
        return {document.uri: document.version for document in self if files is None or document.path in files}

    def by_path(self) -> dict[Path, Document]:
        """Return all open documents by file. If a file is open under several URIs, the one opened last."""
        return {document.path: document for document in self}

    def is_large(self, path: Path) -> bool:
        """Return whether a file is open with so much text that work on it must run in a thread."""
        document = self.at(path)
        return document is not None and len(document.content) >= heavy.LARGE

    def at(self, path: Path) -> Document | None:
        """Return the open document of a file, however its client spells the URI; the same one as in `by_path`."""
        return next((document for document in reversed(self._open.values()) if document.path == path), None)

    def uri(self, path: Path) -> str:
        """Return the URI of a file, in the client's spelling if the client has it open."""
        document = self.at(path)
        return document.uri if document else uri_of(path)

    def refuse_two_texts(self, files: Iterable[Path]) -> None:
        """Raise ConflictError if a file is open under several URIs with different texts: neither is the file's text."""
        texts: dict[Path, Document] = {}
        wanted = frozenset(files)
        for document in self:
            if document.path in wanted and texts.setdefault(document.path, document).content != document.content:
                uris = f"{texts[document.path].uri} and {document.uri}"
                raise ConflictError(
                    f"One file is open with different texts as {printable(uris)}: close one of them. Nothing was "
                    "written."
                )

    def put(self, document: Document) -> None:
        """Store a document that was opened or changed."""
        self._open[document.uri] = document

    def closed(self, uri: str) -> Document | None:
        """Remove a document that was closed, and return it."""
        return self._open.pop(uri, None)

    def unsaved(self, root: Path) -> tuple[Mapping[str, bytes], tuple[LeftOut, ...]]:
        """Return the unsaved documents below `root`, encoded as their files, and those that cannot be encoded."""
        buffers: dict[str, bytes] = {}
        left_out: list[LeftOut] = []
        for document in self:
            if not document.path.is_relative_to(root):
                continue
            path = document.path.relative_to(root).as_posix()
            try:
                on_disk = disk.content_of(document.path)
            except (FileNotFoundError, NotADirectoryError):
                on_disk = None
            except OSError as error:
                left_out.append(
                    LeftOut(path, f"it cannot be read on disk ({error.strerror}); agents see what is there")
                )
                continue
            try:
                content = encoded(document)
            except (LookupError, UnicodeEncodeError):
                left_out.append(
                    LeftOut(path, "its unsaved text cannot be saved in the file's encoding; agents see the saved file")
                )
                continue
            if content is None:
                left_out.append(LeftOut(path, "its encoding could not be told; agents see the saved file"))
            elif content != on_disk and not (on_disk is None and not content):
                buffers[path] = content
        return buffers, tuple(left_out)


def as_opened(item: types.TextDocumentItem) -> Document | None:
    """Return a document as it was opened, or None if its URI is not of a file."""
    path = path_of(item.uri)
    if path is None:
        return None
    encoding, bom = _encoding_of(path, item.text)
    return Document(item.uri, path, item.version, item.text, encoding, bom)


def as_changed(
    document: Document,
    version: int,
    changes: Sequence[types.TextDocumentContentChangeEvent],
    encoding: text.PositionEncoding,
) -> Document:
    """Return a document after content changes."""
    return replace(document, version=version, content=apply_changes(document.content, changes, encoding))


def as_known(document: Document) -> Document:
    """Return a document that was just saved, with its encoding detected if it was unknown before."""
    if document.encoding is not None:
        return document
    encoding, bom = _encoding_of(document.path, document.content)
    return replace(document, encoding=encoding, bom=bom)


def encoded(document: Document) -> bytes | None:
    """Return a document's content as saved, or None if its encoding is unknown. Raises UnicodeEncodeError."""
    if document.encoding is None:
        return None
    return document.bom + document.content.encode(document.encoding)


def as_saved(document: Document) -> bytes | None:
    """Return a document's content as saved, or None if it cannot be saved at all."""
    with contextlib.suppress(LookupError, UnicodeEncodeError):
        return encoded(document)
    return None


def is_saved(document: Document) -> bool:
    """Return whether the file on disk equals the document as saved."""
    with contextlib.suppress(OSError, LookupError, UnicodeEncodeError):
        return disk.content_of(document.path) == encoded(document)
    return False


class Lives:
    """The live texts of a repository for one client, by path: from its documents, or else from disk. Each is read once.

    `documents` is a copy of what is open, so that the texts can be read in any thread.
    """

    def __init__(self, root: Path, documents: Mapping[Path, Document]) -> None:
        self._root = root
        self._documents = documents
        self._texts: dict[str, LiveText] = {}

    def __call__(self, path: str) -> LiveText:
        """Return the live text of a path."""
        found = self._texts.get(path)
        if found is None:
            found = self._texts[path] = live_text(self._root, path, self._documents.get(self._root / path))
        return found


def live_text(root: Path, path: str, document: Document | None) -> LiveText:
    """Return the live text of a path, given the document of an editor that has it open."""
    live = read_live_text(root, path, document.content if document else None)
    if document is not None and live.unsaved and is_saved(document):
        # The file is not UTF-8, or behind a symbolic link.
        return replace(live, unsaved=False)
    return live


def apply_changes(
    content: str, changes: Iterable[types.TextDocumentContentChangeEvent], encoding: text.PositionEncoding
) -> str:
    """Return a text after content changes, incremental or whole, each applied to the result of the one before."""
    lines = text.split_lines(content)
    for change in changes:
        if isinstance(change, types.TextDocumentContentChangeWholeDocument):
            lines = text.split_lines(change.text)
        else:
            _splice(lines, change, encoding)
    return "".join(lines)


def _splice(lines: list[str], change: types.TextDocumentContentChangePartial, encoding: text.PositionEncoding) -> None:
    start = _place(lines, change.range.start, encoding)
    end = max(start, _place(lines, change.range.end, encoding))
    first = start[0]
    before = lines[first][: start[1]] if first < len(lines) else ""
    behind = lines[end[0]][end[1] :] if end[0] < len(lines) else ""
    changed = before + change.text + behind
    if first and lines[first - 1].endswith("\r") and changed.startswith("\n"):
        # The two characters are one line end now.
        first -= 1
        changed = lines[first] + changed
    lines[first : end[0] + 1] = text.split_lines(changed)


def _place(lines: list[str], position: types.Position, encoding: text.PositionEncoding) -> tuple[int, int]:
    """Return a line and a character in it. A position past the end of the text is after its last character."""
    if position.line < len(lines):
        return position.line, text.from_units(lines[position.line], position.character, encoding)
    if lines and not lines[-1].endswith(("\n", "\r")):
        return len(lines) - 1, len(lines[-1])
    return len(lines), 0


def _encoding_of(path: Path, content: str) -> tuple[str | None, bytes]:
    """Detect the encoding and byte order mark of a file: the encoding that gives the text that the editor shows."""
    try:
        data = disk.content_of(path)
    except OSError:
        return "utf-8", b""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if data.startswith(mark) and _decodes(data[len(mark) :], name) is not None:
            return name, mark
    if _decodes(data, "utf-8") is not None:
        return "utf-8", b""
    shown = _one_line_end(content)
    for name in ENCODINGS:
        decoded = _decodes(data, name)
        if decoded is not None and _one_line_end(decoded) == shown:
            return name, b""
    return None, b""


def _decodes(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _one_line_end(content: str) -> str:
    return content.replace("\r\n", "\n").replace("\r", "\n")


def path_of(uri: str) -> Path | None:
    """Return the path of a `file:` URI with its folder resolved; None for any other scheme and for an invalid URI."""
    if len(uri) > MAX_URI:
        return None
    try:
        parts = urlsplit(uri)
        raw = os.fsdecode(unquote_to_bytes(parts.path))
    except ValueError:
        return None
    if os.name == "nt":
        raw = raw.lstrip("/")
    path = Path(raw)
    if parts.scheme != "file" or not path.is_absolute() or "\0" in raw:
        return None
    # The last component is not resolved: a symbolic link in the repository is an entry of its own.
    return Path(os.path.realpath(path.parent)) / path.name


def uri_of(path: Path) -> str:
    """Return the `file:` URI of a path, percent-encoded byte by byte, so that names that are not UTF-8 survive."""
    raw = os.fsencode(path.as_posix())
    return "file://" + ("" if raw.startswith(b"/") else "/") + quote(raw, safe="/~!$&'()*+,;=@")
