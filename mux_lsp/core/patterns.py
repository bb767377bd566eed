"""Match paths against patterns as written in settings: `uv.lock`, `tests/**`, `ci/*.yml`."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


_STAR: Final = "[^/]*"


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return a function that tells whether one of the patterns matches a path or a folder that contains it.

    A pattern without `/` is a name in any folder; one with `/` begins at the root. `*` and `?` match characters of
    one name, `[abc]` one of these characters, `**` any number of folders. Case is ignored, because many file systems
    ignore it.
    """
    # An empty list of patterns matches no path.
    found = re.compile("|".join(map(_expression, patterns)) or "(?!)", re.DOTALL | re.IGNORECASE)
    return lambda path: found.match(path) is not None


def _expression(pattern: str) -> str:
    anywhere = "" if "/" in pattern.rstrip("/") else "(?:.*/)?"
    return rf"{anywhere}{_translated(pattern.strip('/'))}(?:/.*)?\Z"


def _translated(pattern: str) -> str:
    parts = []
    position = 0
    for found in re.finditer(
        r"(?P<folders>(?<![^/])\*\*/)|(?P<all>\*+)|(?P<one>\?)|(?P<set>\[[!^]?\]?[^\]]*\])", pattern
    ):
        parts.append(re.escape(pattern[position : found.start()]))
        position = found.end()
        match found.lastgroup:
            case "folders":
                parts.append("(?:.*/)?")
            case "all":
                parts.append(".*" if found[0] == "**" else _STAR)
            case "one":
                parts.append("[^/]")
            case _:
                parts.append(_set(found[0]))
    parts.append(re.escape(pattern[position:]))
    # A `*` takes as little as possible, and the next one in the same name takes the rest, so the first match found is
    # as good as any other. Agents choose file names, and trying all matches takes very long with a few stars.
    stars = [at for at, part in enumerate(parts) if part in {_STAR, ".*", "(?:.*/)?"}]
    for star, following in pairwise(stars):
        if parts[star] == parts[following] == _STAR:
            parts[star], parts[following - 1] = f"(?>{_STAR}?", f"{parts[following - 1]})"
    return "".join(parts)


def _set(text: str) -> str:
    inner = text[1:-1]
    negated = inner[:1] in {"!", "^"}
    characters = inner[1:] if negated else inner
    written = "".join(one if one == "-" else re.escape(one) for one in characters)
    candidate = f"[{'^' if negated else ''}{written}]"
    try:
        re.compile(candidate)
    except re.error:  # a reversed range
        return re.escape(text)
    return f"(?!/){candidate}"
