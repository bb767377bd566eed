"""Build the commands of lenses and code actions, each with its title and argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsprotocol import types

from mux_lsp.core.ids import task_of
from mux_lsp.engine.review.resolutions import AcceptMode
from mux_lsp.lsp.wire.uris import Address, Kind

if TYPE_CHECKING:
    from mux_lsp.lsp.review.places import DocumentReview, ReviewVariant
    from mux_lsp.lsp.wire.capabilities import ClientCapabilities


def command(title: str, name: str, argument: dict[str, Any]) -> types.Command:
    """Return one of the protocol's commands."""
    return types.Command(title=title, command=name, arguments=[argument])


def accept(variant: ReviewVariant, title: str, mode: AcceptMode = AcceptMode.EXACT) -> types.Command:
    """Return the command that accepts a change in a mode."""
    what = "file" if variant.hunk_id is None else "hunk"
    return command(title, f"mux.{what}.accept", accept_argument(variant, mode))


def accept_argument(variant: ReviewVariant, mode: AcceptMode = AcceptMode.EXACT) -> dict[str, Any]:
    """Return the argument that names a change and the mode in which to accept it."""
    return _name(variant) | ({} if mode is AcceptMode.EXACT else {"mode": mode.value})


def reject(variant: ReviewVariant, title: str) -> types.Command:
    """Return the command that rejects a change for all runs that share it."""
    if variant.hunk_id is None:
        return command(title, "mux.file.reject", _name(variant))
    return command(title, "mux.hunk.reject", _name(variant) | {"shared": True})


def _name(variant: ReviewVariant) -> dict[str, Any]:
    if variant.hunk_id is None:
        # The hunks of the file have places of their own.
        only = {"what": "file"} if variant.item.review.hunks else {}
        return {"run": variant.run, "path": variant.path, **only}
    return {"run": variant.run, "hunks": [variant.hunk_id]}


def show(review: DocumentReview, variant: ReviewVariant, title: str) -> types.Command:
    """Return the command that shows another variant at its place."""
    return command(title, "mux.variant.show", _place(review, variant))


def diff(
    review: DocumentReview, variant: ReviewVariant, title: str, capabilities: ClientCapabilities
) -> types.Command | None:
    """Return the command that shows a change as a diff, the client's own if there is one; None if there is no way."""
    change = variant.item.review.change
    document = Address(Kind.DIFF, variant.run, change.path, variant.hunk_id).uri
    if "mux.client.diff" in capabilities.commands:
        return command(title, "mux.client.diff", _place(review, variant) | {"diff": document})
    return command(title, "mux.document.show", {"uri": document}) if capabilities.documents else None


def merge(
    review: DocumentReview, variant: ReviewVariant, title: str, capabilities: ClientCapabilities
) -> types.Command | None:
    """Return the command that opens text, snapshot and result side by side; None if that is not possible."""
    change = variant.item.review.change
    if not change.old_mode:
        return None  # the snapshot has no version of the file
    base = Address(Kind.SNAPSHOT, task_of(variant.item.review.run), change.base_path).uri
    theirs = Address(Kind.RUN, variant.run, change.path).uri
    if "mux.client.merge" in capabilities.commands:
        return command(title, "mux.client.merge", _place(review, variant) | {"base": base, "theirs": theirs})
    return (
        command(title, "mux.versions.show", {"run": variant.run, "path": variant.path})
        if capabilities.documents
        else None
    )


def _place(review: DocumentReview, variant: ReviewVariant) -> dict[str, Any]:
    return {"uri": review.buffer.uri, "run": variant.run, "hunk": variant.hunk_id}
