"""Connect editors of given capabilities to their daemon, and disconnect them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pytest_lsp import ClientServerConfig

from mux_lsp.lsp import protocol
from tests.e2e.lsp.client import WAIT_SECONDS, Editor, Refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import buffer
    from tests.support.home import IsolatedHome


def capabilities(
    *,
    apply: bool = True,
    versions: bool = True,
    resources: bool = True,
    resolve: bool = True,
    literals: bool = True,
    progress: bool = False,
    content: bool = False,
    registers: bool = False,
    shows: bool = False,
    disables: bool = True,
    fades: bool = False,
    encodings: list[types.PositionEncodingKind | str] | None = None,
) -> types.ClientCapabilities:
    """Return client capabilities; by default a full-featured editor's, without progress and read-only documents."""
    operations = list(types.ResourceOperationKind) if resources else None
    kinds = types.ClientCodeActionKindOptions([types.CodeActionKind.QuickFix, types.CodeActionKind.Refactor])
    lazily = types.ClientCodeActionResolveOptions(["edit"]) if resolve else None
    return types.ClientCapabilities(
        workspace=types.WorkspaceClientCapabilities(
            apply_edit=apply,
            workspace_edit=types.WorkspaceEditClientCapabilities(
                document_changes=versions,
                resource_operations=operations,
                change_annotation_support=types.ChangeAnnotationsSupportOptions() if versions else None,
            ),
            code_lens=types.CodeLensWorkspaceClientCapabilities(refresh_support=True),
            text_document_content=(
                types.TextDocumentContentClientCapabilities(dynamic_registration=registers) if content else None
            ),
        ),
        text_document=types.TextDocumentClientCapabilities(
            code_action=types.CodeActionClientCapabilities(
                code_action_literal_support=types.ClientCodeActionLiteralOptions(kinds) if literals else None,
                data_support=resolve,
                disabled_support=disables,
                is_preferred_support=True,
                resolve_support=lazily,
            ),
            publish_diagnostics=types.PublishDiagnosticsClientCapabilities(
                tag_support=types.ClientDiagnosticsTagOptions([types.DiagnosticTag.Unnecessary]) if fades else None
            ),
        ),
        window=types.WindowClientCapabilities(
            work_done_progress=progress, show_document=types.ShowDocumentClientCapabilities(shows)
        ),
        general=types.GeneralClientCapabilities(position_encodings=encodings) if encodings else None,
    )


async def spawn(home: IsolatedHome) -> Editor:
    """Start a client with its own bridge, before `initialize`."""
    config = ClientServerConfig(home.command("serve"), client_factory=Editor, server_env=home.environment())
    editor = await config.start()
    assert isinstance(editor, Editor)
    return editor


async def connect(
    home: IsolatedHome,
    folder: Path,
    name: str = "test editor",
    *,
    options: dict[str, Any] | None = None,
    **able: Any,
) -> Editor:
    """Return a client that has opened a folder. Raises Refused if the server rejects it."""
    editor = await spawn(home)
    editor.folder = folder
    params = types.InitializeParams(
        capabilities=capabilities(**able),
        root_uri=folder.as_uri(),
        workspace_folders=[types.WorkspaceFolder(folder.as_uri(), folder.name)],
        client_info=types.ClientInfo(name),
        initialization_options={"mux": {"protocol": protocol.PROTOCOL_VERSION}} if options is None else options,
    )
    try:
        answer = await editor.initialize_session(params)
    except JsonRpcException as error:
        await quit_rudely(editor)
        raise Refused(error) from None
    editor.offers = answer.capabilities
    editor.encoding = cast("buffer.Encoding", str(answer.capabilities.position_encoding or "utf-16"))
    return editor


async def quit_rudely(editor: Editor) -> None:
    """Kill the client's process."""
    server = editor._server
    assert server is not None
    if server.returncode is None:
        server.kill()
    await editor.stop()


async def quit_politely(editor: Editor) -> None:
    """Shut down and exit, and wait for the bridge's end."""
    await asyncio.wait_for(editor.shutdown_session(), WAIT_SECONDS)
    await editor.stop()
