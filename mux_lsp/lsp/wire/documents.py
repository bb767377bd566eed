"""The documents that one client has open, as that client has them: text, version, and how they would be saved.

pygls keeps documents too, but splits lines as `str.splitlines` does, so that an incremental change behind a form feed
or U+2028 would land in the wrong place.
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

from mux_lsp.agents.log import printable
from mux_lsp.core import text
from mux_lsp.core.model import LeftOut
from mux_lsp.engine.review import items
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
"""What a file may be saved in, likeliest first. Tried when a document is opened, against its text."""

MAX_TEXT = 16 * 1024 * 1024
"""Maximum characters of a document whose text is followed."""

MAX_URI = 16 * 1024
"""Maximum characters of a `file:` URI: a path of 4,096 bytes, each as `%2F`, has fewer."""


@dataclass(frozen=True, slots=True)
class Document:
    """One open document. `encoding` is how its file is saved, or None where that could not be told."""

    uri: str
    path: Path
    version: int
    content: str
    encoding: str | None
    bom: bytes = b""


class Documents:
    """Follows didOpen, didChange and didClose."""

    def __init__(self) -> None:
        self._open: dict[str, Document] = {}
        self.encoding = text.PositionEncoding.UTF16

    def __iter__(self) -> Iterator[Document]:
        # A copy: other threads look at it too.
        return iter(list(self._open.values()))

    def get(self, uri: str) -> Document | None:
        """The open document of a URI."""
        return self._open.get(uri)

    def versions(self, files: Collection[Path] | None = None) -> dict[str, int]:
        """The version of every open document, or of those of some files, by its URI."""
        return {document.uri: document.version for document in self if files is None or document.path in files}

    def by_path(self) -> dict[Path, Document]:
        """Every open document, by its file. Of a file that is open under several URIs it is the one opened last."""
        return {document.path: document for document in self}

    def is_large(self, path: Path) -> bool:
        """Whether a file is open with so much text that work on it is done in a thread."""
        document = self.at(path)
        return document is not None and len(document.content) >= heavy.LARGE

    def at(self, path: Path) -> Document | None:
        """The open document of a file, whatever its client's URI looks like; the same as in `by_path`."""
        return next((document for document in reversed(self._open.values()) if document.path == path), None)

    def uri(self, path: Path) -> str:
        """The URI of a file, as the client spells it where it has the file open."""
        document = self.at(path)
        return document.uri if document else uri_of(path)

    def refuse_two_texts(self, files: Iterable[Path]) -> None:
        """Raise ConflictError where a file is open under several URIs, with different texts: neither is the file's."""
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
        """A document was opened, or has another text now."""
        self._open[document.uri] = document

    def closed(self, uri: str) -> Document | None:
        """A document was closed."""
        return self._open.pop(uri, None)

    def unsaved(self, root: Path) -> tuple[Mapping[str, bytes], tuple[LeftOut, ...]]:
        """Documents below `root` that differ from the disk, as they would be saved, and those that cannot be."""
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
    """A document as it was opened. None where it is not a file."""
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
    """A document after content changes."""
    return replace(document, version=version, content=apply_changes(document.content, changes, encoding))


def as_known(document: Document) -> Document:
    """A document that was saved just now: how can be seen where it could not be before."""
    if document.encoding is not None:
        return document
    encoding, bom = _encoding_of(document.path, document.content)
    return replace(document, encoding=encoding, bom=bom)


def encoded(document: Document) -> bytes | None:
    """A document as it would be saved, or None where its encoding is not known. Raises UnicodeEncodeError."""
    if document.encoding is None:
        return None
    return document.bom + document.content.encode(document.encoding)


def as_saved(document: Document) -> bytes | None:
    """The same, and None where it cannot be saved at all."""
    with contextlib.suppress(LookupError, UnicodeEncodeError):
        return encoded(document)
    return None


def is_saved(document: Document) -> bool:
    """Whether the file on disk is what the document would be saved as."""
    with contextlib.suppress(OSError, LookupError, UnicodeEncodeError):
        return disk.content_of(document.path) == encoded(document)
    return False


class Lives:
    """The live texts of a repository for one client, by path: its documents, or else the disk. Each is read once.

    `documents` is a snapshot of what is open, so that it serves in any thread.
    """

    def __init__(self, root: Path, documents: Mapping[Path, Document]) -> None:
        self._root = root
        self._documents = documents
        self._texts: dict[str, items.LiveText] = {}

    def __call__(self, path: str) -> items.LiveText:
        """The live text of a path."""
        found = self._texts.get(path)
        if found is None:
            found = self._texts[path] = live_text(self._root, path, self._documents.get(self._root / path))
        return found


def live_text(root: Path, path: str, document: Document | None) -> items.LiveText:
    """The live text of a path, given the document of an editor that has it open."""
    live = items.live_text(root, path, document.content if document else None)
    if document is not None and live.unsaved and is_saved(document):
        # A file in another encoding than UTF-8, or behind a symbolic link.
        return replace(live, unsaved=False)
    return live


def apply_changes(
    content: str, changes: Iterable[types.TextDocumentContentChangeEvent], encoding: text.PositionEncoding
) -> str:
    """A text after content changes, incremental or whole, each on what the one before has made of it."""
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
        # The two are one line end now.
        first -= 1
        changed = lines[first] + changed
    lines[first : end[0] + 1] = text.split_lines(changed)


def _place(lines: list[str], position: types.Position, encoding: text.PositionEncoding) -> tuple[int, int]:
    """The line and the character in it. Past the end of the text is behind its last character."""
    if position.line < len(lines):
        return position.line, text.from_units(lines[position.line], position.character, encoding)
    if lines and not lines[-1].endswith(("\n", "\r")):
        return len(lines) - 1, len(lines[-1])
    return len(lines), 0


def _encoding_of(path: Path, content: str) -> tuple[str | None, bytes]:
    """How a file is saved, judged by which encoding gives the text that its editor shows."""
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
    """The file of a `file:` URI with its folder's real path, or None for any other scheme, and for what is no URI."""
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
    # The last part stays as it is: a symbolic link in the repository is an entry of its own.
    return Path(os.path.realpath(path.parent)) / path.name


def uri_of(path: Path) -> str:
    """The `file:` URI of a path, percent-encoded byte by byte, so that names that are not UTF-8 survive."""
    raw = os.fsencode(path.as_posix())
    return "file://" + ("" if raw.startswith(b"/") else "/") + quote(raw, safe="/~!$&'()*+,;=@")
