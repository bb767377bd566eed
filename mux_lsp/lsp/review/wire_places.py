"""Convert the places of a document to the protocol's types, for clients that draw them themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mux_lsp.core.model import HunkStatus
from mux_lsp.core.sanitize import printable
from mux_lsp.engine.review.resolutions import AcceptMode
from mux_lsp.lsp import protocol
from mux_lsp.lsp.review.overwrite import lost_lines
from mux_lsp.lsp.wire import convert

if TYPE_CHECKING:
    from mux_lsp.lsp.review.places import DocumentReview, ReviewPlace, ReviewVariant


def places(review: DocumentReview) -> protocol.ReviewPlacesResult:
    """Return every place with a variant that was not rejected."""
    return protocol.ReviewPlacesResult(
        uri=review.buffer.uri,
        version=review.buffer.version,
        places=[_place(review, place) for place in review.places if place.shown.status is not HunkStatus.REJECTED],
    )


def _place(review: DocumentReview, place: ReviewPlace) -> protocol.PlaceShape:
    variants = [variant for variant in place.variants if variant.status is not HunkStatus.REJECTED]
    return protocol.PlaceShape(
        task=place.task,
        range=convert.wire_range(place.shown.range),
        open=place.is_open,
        shown=variants.index(place.shown),
        variants=[_variant(review, variant) for variant in variants],
    )


def _variant(review: DocumentReview, variant: ReviewVariant) -> protocol.VariantShape:
    item, hunk = variant.item, variant.item.hunk
    offered = review.offers(variant)
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
