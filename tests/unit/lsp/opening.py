"""Open and change documents as a client does, without a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from mux_lsp.lsp.wire.documents import as_changed, as_opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mux_lsp.lsp.wire.documents import Documents


def open_in(documents: Documents, uri: str, text: str, version: int = 1) -> None:
    """Open a document."""
    document = as_opened(types.TextDocumentItem(uri, "plaintext", version, text))
    assert document is not None
    documents.put(document)


def change_in(
    documents: Documents, uri: str, version: int, changes: Sequence[types.TextDocumentContentChangeEvent]
) -> None:
    """Change an open document."""
    document = documents.get(uri)
    assert document is not None
    documents.put(as_changed(document, version, changes, documents.encoding))
