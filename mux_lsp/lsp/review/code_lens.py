"""Code lenses: one line at each place that waits for a decision."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lsprotocol import types

from mux_lsp.core.model import HunkStatus
from mux_lsp.lsp.review import command_links

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mux_lsp.lsp.review.places import DocumentReview, Place
    from mux_lsp.lsp.wire.capabilities import ClientCapabilities


def lenses(found: DocumentReview, shows: ClientCapabilities) -> list[types.CodeLens]:
    """What there is, Accept, Next, Diff and Reject at each place; a conflict says why, and has Merge for Accept.

    Each is at a character of its own: not every editor keeps the order of lenses that are at the same one.
    """
    made: list[types.CodeLens] = []
    taken: Counter[int] = Counter()
    for place in found.waiting():
        line = found.reach(place.shown.range).start.line
        for command in _line(found, place, shows):
            at = types.Position(line, taken[line])
            made.append(types.CodeLens(types.Range(at, at), command))
            taken[line] += 1
    return made


def _line(found: DocumentReview, place: Place, shows: ClientCapabilities) -> Iterator[types.Command]:
    variant = place.shown
    # A lens must have a command, and this one does nothing but show its title.
    yield command_links.command(headline(place), "mux.review.places", {"uri": found.buffer.uri})
    if variant.status is HunkStatus.PENDING:
        yield command_links.accept(variant, "Accept")
    elif merge := command_links.merge(found, variant, "Merge", shows):
        yield merge
    if len(place.open_variants) > 1:
        yield command_links.show(found, place.next(), "Next")
    if diff := command_links.diff(found, variant, "Diff", shows):
        yield diff
    yield command_links.reject(variant, "Reject")


def headline(place: Place) -> str:
    """What there is to decide at a place, in one line."""
    variant = place.shown
    words = [variant.what, variant.run]
    if variant.status is HunkStatus.CONFLICT:
        words.insert(0, f"⚠ conflict: {variant.reason}")
    if len(place.open_variants) > 1:
        words.append(f"{len(place.open_variants)} variants")
    if variant.agreement:
        words.append(variant.agreement)
    return " · ".join(words)
