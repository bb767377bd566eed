"""Make code lenses: one line of them at each open place."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lsprotocol import types

from mux_lsp.core.model import HunkStatus
from mux_lsp.lsp.review import command_links

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mux_lsp.lsp.review.places import DocumentReview, ReviewPlace
    from mux_lsp.lsp.wire.capabilities import ClientCapabilities


def lenses(review: DocumentReview, capabilities: ClientCapabilities) -> list[types.CodeLens]:
    """Return the lenses of each place: headline, Accept, Next, Diff, Reject. A conflict has Merge in place of Accept.

    Each lens has a character of its own, because not every editor keeps the order of lenses at the same character.
    """
    made: list[types.CodeLens] = []
    taken: Counter[int] = Counter()
    for place in review.waiting():
        line = review.reach(place.shown.range).start.line
        for command in _line(review, place, capabilities):
            at = types.Position(line, taken[line])
            made.append(types.CodeLens(types.Range(at, at), command))
            taken[line] += 1
    return made


def _line(review: DocumentReview, place: ReviewPlace, capabilities: ClientCapabilities) -> Iterator[types.Command]:
    variant = place.shown
    # A lens must have a command. This one does nothing but show its title.
    yield command_links.command(headline(place), "mux.review.places", {"uri": review.buffer.uri})
    if variant.status is HunkStatus.PENDING:
        yield command_links.accept(variant, "Accept")
    elif merge := command_links.merge(review, variant, "Merge", capabilities):
        yield merge
    if len(place.open_variants) > 1:
        yield command_links.show(review, place.next(), "Next")
    if diff := command_links.diff(review, variant, "Diff", capabilities):
        yield diff
    yield command_links.reject(variant, "Reject")


def headline(place: ReviewPlace) -> str:
    """Return one line that says what there is to decide at a place."""
    variant = place.shown
    words = [variant.what, variant.run]
    if variant.status is HunkStatus.CONFLICT:
        words.insert(0, f"⚠ conflict: {variant.reason}")
    if len(place.open_variants) > 1:
        words.append(f"{len(place.open_variants)} variants")
    if variant.agreement:
        words.append(variant.agreement)
    return " · ".join(words)
