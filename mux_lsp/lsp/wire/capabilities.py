"""What a client can show of lenses, code actions, hints and hovers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsprotocol import types

from mux_lsp.lsp.pages import virtual_documents

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class ClientCapabilities:
    """Read once, from what the client says at initialize."""

    literals: bool = False
    """Code actions; commands without."""
    lazily: bool = False
    """Code actions whose edit is asked for when they are chosen."""
    disabled: bool = False
    """Code actions that cannot be chosen, with the reason."""
    preferred: bool = False
    markdown: bool = True
    faded: bool = False
    """Hints over lines that only go, as such."""
    documents: bool = False
    """Our read-only documents, opened when we ask for it."""
    commands: frozenset[str] = frozenset()
    """Those of `protocol.CLIENT_COMMANDS` that it has."""

    @classmethod
    def of(cls, capabilities: types.ClientCapabilities, commands: Iterable[str] = ()) -> ClientCapabilities:
        """What these capabilities, and the client's own commands, allow."""
        document = capabilities.text_document or types.TextDocumentClientCapabilities()
        action = document.code_action or types.CodeActionClientCapabilities()
        resolves = action.resolve_support.properties if action.resolve_support else ()
        formats = (document.hover and document.hover.content_format) or [types.MarkupKind.Markdown]
        published = document.publish_diagnostics or types.PublishDiagnosticsClientCapabilities()
        tags = published.tag_support.value_set if published.tag_support else ()
        return cls(
            literals=action.code_action_literal_support is not None,
            lazily="edit" in resolves and bool(action.data_support),
            disabled=bool(action.disabled_support),
            preferred=bool(action.is_preferred_support),
            markdown=formats[0] == types.MarkupKind.Markdown,
            faded=types.DiagnosticTag.Unnecessary in tags,
            documents=virtual_documents.can_show(capabilities),
            commands=frozenset(commands),
        )
