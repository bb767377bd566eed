"""Map every command of the protocol to its implementation, and call it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mux_lsp import __version__
from mux_lsp.errors import UsageError
from mux_lsp.lsp import protocol
from mux_lsp.lsp.commands import (
    authority,
    choose,
    documents,
    history,
    permissions,
    repository,
    review,
    runs,
    status,
    tasks,
    verify,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from mux_lsp.lsp.commands.caller import CallerSession

    Implementation = Callable[[CallerSession, Any], Awaitable[protocol.Shape]]

IMPLEMENTATIONS: Final[Mapping[str, Implementation]] = {
    "mux.task.start": tasks.task_start,
    "mux.task.list": tasks.task_list,
    "mux.task.get": tasks.task_get,
    "mux.task.compare": tasks.task_compare,
    "mux.task.cancel": tasks.task_cancel,
    "mux.task.pause": tasks.task_pause,
    "mux.task.resume": tasks.task_resume,
    "mux.task.prioritize": tasks.task_prioritize,
    "mux.task.discard": choose.task_discard,
    "mux.task.restore": choose.task_restore,
    "mux.task.delete": tasks.task_delete,
    "mux.id.find": choose.id_find,
    "mux.run.get": runs.run_get,
    "mux.run.log": runs.run_log,
    "mux.run.diff": runs.run_diff,
    "mux.run.cancel": runs.run_cancel,
    "mux.run.continue": runs.run_continue,
    "mux.run.retry": runs.run_retry,
    "mux.review.list": review.review_list,
    "mux.review.places": review.review_places,
    "mux.variant.show": review.variant_show,
    "mux.versions.show": documents.versions_show,
    "mux.hunk.accept": review.hunk_accept,
    "mux.hunk.reject": review.hunk_reject,
    "mux.file.accept": review.file_accept,
    "mux.file.reject": review.file_reject,
    "mux.run.accept": review.run_accept,
    "mux.run.reject": review.run_reject,
    "mux.run.pick": choose.run_pick,
    "mux.permission.list": permissions.permission_list,
    "mux.permission.reply": permissions.permission_reply,
    "mux.document.get": documents.document_get,
    "mux.document.show": documents.document_show,
    "mux.history.list": history.history_list,
    "mux.repository.get": repository.repository_get,
    "mux.repository.trust": repository.repository_trust,
    "mux.repository.distrust": repository.repository_distrust,
    "mux.repository.list": repository.repository_list,
    "mux.agent.list": status.agent_list,
    "mux.status": status.status,
    "mux.verify": verify.verify,
}
"""Implementations of all commands by name. Argument and answer have the types that the protocol declares."""


async def run(client: CallerSession, name: str, argument: protocol.Params) -> protocol.Shape:
    """Carry out a command for a client. Raises UsageError if the client may not call it, MuxError if it fails."""
    command = protocol.COMMANDS.get(name)
    if command is None:
        raise UsageError(f"There is no command {name!r} in mux-lsp {__version__}.")
    authority.refuse(client.engine, client.asker, command, argument)
    return await IMPLEMENTATIONS[name](client, argument)
