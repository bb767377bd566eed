"""The places of a document in the shapes of the wire, for clients that draw them themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mux_lsp.core.model import HunkStatus
from mux_lsp.core.sanitize import printable
from mux_lsp.engine.review.resolutions import AcceptMode
from mux_lsp.lsp import protocol
from mux_lsp.lsp.review.overwrite import lost_lines
from mux_lsp.lsp.wire import convert

if TYPE_CHECKING:
    from mux_lsp.lsp.review.places import DocumentReview, Place, Variant


def places(found: DocumentReview) -> protocol.ReviewPlacesResult:
    """Every place with something in it that was not rejected."""
    return protocol.ReviewPlacesResult(
        uri=found.buffer.uri,
        version=found.buffer.version,
        places=[_place(found, place) for place in found.places if place.shown.status is not HunkStatus.REJECTED],
    )


def _place(found: DocumentReview, place: Place) -> protocol.PlaceShape:
    variants = [variant for variant in place.variants if variant.status is not HunkStatus.REJECTED]
    return protocol.PlaceShape(
        task=place.task,
        range=convert.wire_range(place.shown.range),
        open=place.is_open,
        shown=variants.index(place.shown),
        variants=[_variant(found, variant) for variant in variants],
    )


def _variant(found: DocumentReview, variant: Variant) -> protocol.VariantShape:
    item, hunk = variant.item, variant.item.hunk
    offered = found.offers(variant)
    ways = (AcceptMode.EXACT,) if variant.status is HunkStatus.PENDING else offered.names
    return protocol.VariantShape(
        run=variant.run,
        runs=list(variant.runs),
        agreed=variant.agreed,
        total=variant.total,
        agent=printable(item.review.agent),
        path=variant.path,
        hunk=variant.hunk_id,
        what=variant.what,
        status=variant.status.value,
        reason=item.reason,
        range=convert.wire_range(variant.range),
        removed="".join(hunk.removed) if hunk else "",
        added="".join(hunk.added) if hunk else "",
        resolutions=[how.value for how in ways],
        lost=lost_lines(item, offered.take) if offered.take else [],
    )
