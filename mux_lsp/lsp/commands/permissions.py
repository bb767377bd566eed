"""Implement the commands about agents' open questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mux_lsp.lsp import protocol
from mux_lsp.lsp.wire import convert

if TYPE_CHECKING:
    from mux_lsp.lsp.commands.caller import CallerSession


async def permission_list(client: CallerSession, _: protocol.NoParams) -> protocol.PermissionListResult:
    return protocol.PermissionListResult(
        permissions=[
            convert.permission_shape(asked.id, asked.task, asked.runs, asked.request)
            for asked in client.engine.permissions.open()
        ]
    )


async def permission_reply(
    client: CallerSession, params: protocol.PermissionReplyParams
) -> protocol.PermissionListResult:
    answered = client.engine.permissions.reply(params.id, params.answer, params.reason)
    left = await permission_list(client, protocol.NoParams())
    return protocol.PermissionListResult(permissions=[one for one in left.permissions if one.id != answered.id])
