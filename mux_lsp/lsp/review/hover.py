"""Show the diffs of the variants at a place in a hover. An agent's words can only be text in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from mux_lsp.core import diff
from mux_lsp.core.model import HunkStatus
from mux_lsp.core.phrases import few_with_commas
from mux_lsp.lsp.review.places import MAX_NAMES
from mux_lsp.lsp.wire import markdown

if TYPE_CHECKING:
    from mux_lsp.lsp.review.places import DocumentReview, ReviewPlace, ReviewVariant
    from mux_lsp.lsp.wire.capabilities import ClientCapabilities

MAX_LINES = 200
"""Maximum number of diff lines in a hover, shared among the variants."""

MIN_LINES = 10
"""Minimum number of diff lines for each variant that a hover shows."""

MAX_WIDTH = 400
"""Maximum number of characters of a line."""


def hover(review: DocumentReview, position: types.Position, capabilities: ClientCapabilities) -> types.Hover | None:
    """Return a hover with the diffs of the changes at a position, the shown variant of each place first."""
    here = review.at(types.Range(position, position))
    variants = [(place, variant) for place in here for variant in (place.in_order or place.others)]
    if not variants:
        return None
    shown = variants[: MAX_LINES // MIN_LINES]
    parts: list[str] = []
    for place, variant in shown:
        title, code = _title(place, variant), _diff(variant, MAX_LINES // len(shown))
        if capabilities.markdown:
            parts += [markdown.escaped(title), markdown.fenced(code, "diff")]
        else:
            parts += [markdown.line(title), markdown.plain(code)]
    if left := len(variants) - len(shown):
        parts.append(f"… {left} more variants")
    kind = types.MarkupKind.Markdown if capabilities.markdown else types.MarkupKind.PlainText
    return types.Hover(types.MarkupContent(kind, "\n\n".join(parts)), here[0].shown.range)


def _title(place: ReviewPlace, variant: ReviewVariant) -> str:
    words = [few_with_commas(variant.runs, MAX_NAMES), variant.item.review.agent]
    if variant.agreement:
        words.append(variant.agreement)
    if variant in place.others:
        words.append(f"instead of {place.shown.run}'s")
    elif variant.status is HunkStatus.CONFLICT:
        words.append(f"conflict: {variant.reason}")
    return " · ".join(words)


def _diff(variant: ReviewVariant, most: int) -> str:
    if variant.item.hunk is None:
        return variant.what
    lines = diff.unified([variant.item.hunk], variant.item.review.base).splitlines(keepends=True)
    more = f"… {len(lines) - most} more lines\n" if len(lines) > most else ""
    return "".join(f"{line[:MAX_WIDTH]}…\n" if len(line) > MAX_WIDTH else line for line in lines[:most]) + more
