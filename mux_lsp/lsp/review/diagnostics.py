"""Make hint diagnostics: one over each open place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from mux_lsp.core.model import HunkStatus
from mux_lsp.lsp.review.code_lens import headline

if TYPE_CHECKING:
    from mux_lsp.lsp.review.places import DocumentReview, ReviewVariant
    from mux_lsp.lsp.wire.capabilities import ClientCapabilities

SOURCE = "mux"
"""The source of our diagnostics."""


def diagnostics(review: DocumentReview, capabilities: ClientCapabilities) -> list[types.Diagnostic]:
    """Return one diagnostic per open place: its headline, over the lines that the shown variant changes."""
    return [
        types.Diagnostic(
            range=place.shown.range,
            severity=types.DiagnosticSeverity.Hint,
            source=SOURCE,
            code=place.shown.hunk_id,
            message=headline(place),
            tags=[types.DiagnosticTag.Unnecessary] if capabilities.faded and _only_goes(place.shown) else None,
        )
        for place in review.waiting()
    ]


def _only_goes(variant: ReviewVariant) -> bool:
    """Return whether a variant only removes lines."""
    hunk = variant.item.hunk
    return hunk is not None and variant.status is HunkStatus.PENDING and not hunk.added
