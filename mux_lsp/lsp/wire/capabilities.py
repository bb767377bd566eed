"""Read from `initialize` which parts of LSP, and of mux's own protocol, a client supports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lsprotocol import types

from mux_lsp.lsp import protocol


def registers_content(capabilities: types.ClientCapabilities) -> bool:
    """Return whether a client wants `workspace/textDocumentContent` registered. LSP forbids announcing it twice."""
    content = capabilities.workspace and capabilities.workspace.text_document_content
    return bool(content and content.dynamic_registration)


def takes_content(capabilities: types.ClientCapabilities) -> bool:
    """Return whether a client requests documents of our scheme with `workspace/textDocumentContent`."""
    return bool(capabilities.workspace and capabilities.workspace.text_document_content)


def can_show(capabilities: types.ClientCapabilities) -> bool:
    """Return whether a client can be asked to show a document."""
    window = capabilities.window
    return bool(window and window.show_document and window.show_document.support)


@dataclass(frozen=True, slots=True)
class MuxOptions:
    """The `mux` object of a client's initialization options."""

    protocol: Any = None
    """Version of mux's own protocol that the client speaks, as it sent it; None if it speaks none."""
    draws: bool = False
    commands: frozenset[str] = frozenset()

    @classmethod
    def of(cls, options: Any) -> MuxOptions:
        """Read the options from initialization options, which may be anything."""
        said = options.get("mux") if isinstance(options, dict) else None
        if not isinstance(said, dict):
            return cls()
        named = said.get("commands")
        return cls(
            protocol=said.get("protocol"),
            draws=said.get("draws") is True,
            commands=frozenset(name for name in protocol.CLIENT_COMMANDS if isinstance(named, list) and name in named),
        )


@dataclass(frozen=True, slots=True)
class EditCapabilities:
    """The workspace edits that a client can apply."""

    edits: bool = False
    versions: bool = False
    """documentChanges: edits that name the version of the text they apply to."""
    create: bool = False
    rename: bool = False
    delete: bool = False
    annotations: bool = False

    @classmethod
    def of(cls, capabilities: types.ClientCapabilities) -> EditCapabilities:
        """Read the capabilities from those of `initialize`."""
        workspace = capabilities.workspace
        if workspace is None:
            return cls()
        edit = workspace.workspace_edit
        operations = set((edit and edit.resource_operations) or ())
        versions = bool(edit and edit.document_changes)
        return cls(
            edits=bool(workspace.apply_edit),
            versions=versions,
            create=versions and types.ResourceOperationKind.Create in operations,
            rename=versions and types.ResourceOperationKind.Rename in operations,
            delete=versions and types.ResourceOperationKind.Delete in operations,
            annotations=versions and bool(edit and edit.change_annotation_support),
        )


@dataclass(frozen=True, slots=True)
class ClientCapabilities:
    """The client's capabilities, read once at `initialize`."""

    literals: bool = False
    """Code actions as objects; without, only commands."""
    lazily: bool = False
    """Code actions with an edit that is requested when they are selected."""
    disabled: bool = False
    """Code actions that cannot be selected, with the reason."""
    preferred: bool = False
    markdown: bool = True
    faded: bool = False
    """Diagnostics tagged as unnecessary, over lines that are only deleted."""
    draws: bool = False
    """The client draws the places itself and gets no diagnostics for them."""
    refreshes_lenses: bool = False
    documents: bool = False
    """Our read-only documents, opened at our request."""
    content: bool = False
    """Our read-only documents under their own URIs, with `workspace/textDocumentContent`."""
    registers_content: bool = False
    """The client wants a registration of `workspace/textDocumentContent`."""
    registers_watchers: bool = False
    """Notifications of changes to files on disk, by registration."""
    progress: bool = False
    """Work-done progress that the server starts."""
    commands: frozenset[str] = frozenset()
    """The `protocol.CLIENT_COMMANDS` that the client implements."""
    edits: EditCapabilities = EditCapabilities()

    @classmethod
    def of(cls, capabilities: types.ClientCapabilities, options: MuxOptions | None = None) -> ClientCapabilities:
        """Combine a client's LSP capabilities with its options for mux."""
        options = options or MuxOptions()
        edits = EditCapabilities.of(capabilities)
        document = capabilities.text_document or types.TextDocumentClientCapabilities()
        action = document.code_action or types.CodeActionClientCapabilities()
        resolves = action.resolve_support.properties if action.resolve_support else ()
        formats = (document.hover and document.hover.content_format) or [types.MarkupKind.Markdown]
        published = document.publish_diagnostics or types.PublishDiagnosticsClientCapabilities()
        tags = published.tag_support.value_set if published.tag_support else ()
        workspace = capabilities.workspace or types.WorkspaceClientCapabilities()
        watched = workspace.did_change_watched_files
        return cls(
            literals=action.code_action_literal_support is not None,
            # An edit kept until it is selected belongs to a version of its text, which not every client can be sent.
            lazily="edit" in resolves and bool(action.data_support) and edits.versions,
            disabled=bool(action.disabled_support),
            preferred=bool(action.is_preferred_support),
            markdown=formats[0] == types.MarkupKind.Markdown,
            faded=types.DiagnosticTag.Unnecessary in tags,
            draws=options.draws,
            refreshes_lenses=bool(workspace.code_lens and workspace.code_lens.refresh_support),
            documents=can_show(capabilities),
            content=takes_content(capabilities),
            registers_content=registers_content(capabilities),
            registers_watchers=bool(watched and watched.dynamic_registration),
            progress=bool(capabilities.window and capabilities.window.work_done_progress),
            commands=options.commands,
            edits=edits,
        )
