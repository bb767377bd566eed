"""Compute the line edits between two texts, exactly as git does.

`diff_lines` gives the edits that `git merge-file` and `git diff --no-indent-heuristic` work with. It follows git's
xdiff (its preparation here, Myers' algorithm in `mux_lsp.core.myers`, and the sliding of `xdl_change_compact`), so
that a merge decided here and one decided by git agree, except for texts that differ so much that Myers' algorithm
would cost too much. The result depends on the two texts alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from contextlib import suppress
from itertools import accumulate, compress, count, repeat
from typing import TYPE_CHECKING, NamedTuple

from mux_lsp.core.myers import common_prefix_length, compare

if TYPE_CHECKING:
    from collections.abc import Sequence

_MANY_LIMIT = 1024
"""xdiff's XDL_MAX_EQLIMIT."""
_WINDOW = 100
"""xdiff's XDL_SIMSCAN_WINDOW."""
_CLUSTER = 4
"""Minimum number of adjacent lines without a match near any common line that git leaves out (see `_weak`).

It follows from the rule that lines without a match must outnumber the others nearby by more than 3 to 1.
"""


class Edit(NamedTuple):
    """Lines `[start, end)` of the old text that become `[new_start, new_end)` of the new one; never both empty."""

    start: int
    end: int
    new_start: int
    new_end: int


def diff_lines(old: Sequence[str], new: Sequence[str]) -> list[Edit]:
    """Return the edits from old to new lines, in order, with at least one unchanged line between two of them."""
    old = old if isinstance(old, list) else list(old)
    new = new if isinstance(new, list) else list(new)
    shorter = min(len(old), len(new))
    head = common_prefix_length(old, 0, new, 0, shorter)
    if head == len(old) == len(new):
        return []
    tail = common_prefix_length(old[::-1], 0, new[::-1], 0, shorter - head)
    if head + tail in {len(old), len(new)}:
        removed, added = _spans(head, len(old) - tail), _spans(head, len(new) - tail)
    else:
        removed, added = _changed(old, new, head, tail)
    removed = _compact(old, removed, set(_ranks(added)))
    added = _compact(new, added, set(_ranks(removed)))
    return _join(removed, added)


def _spans(start: int, end: int) -> list[tuple[int, int]]:
    return [(start, end)] if start < end else []


def _changed(
    old: list[str], new: list[str], head: int, tail: int
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return the changed lines of both sides between a common head and tail, as spans."""
    old_lines, new_lines = old[head : len(old) - tail], new[head : len(new) - tail]
    ids = dict(zip(old_lines, range(len(old_lines)), strict=True))
    left = list(map(ids.__getitem__, old_lines))
    # Lines that the old side does not have equal none of its lines, so one number represents all of them.
    right = list(map(ids.get, new_lines, repeat(-1)))
    gone = set(left).difference(right)
    left_missing = list(compress(count(), map(gone.__contains__, left))) if gone else []
    right_missing = _places(right, -1)
    # Head and tail are the same in both texts, so the old one's serve for both.
    outside = old[:head] + old[len(old) - tail :]
    left_missing = _not_among(outside, old_lines, left_missing)
    right_missing = _not_among(outside, new_lines, right_missing)
    left_left_out = _left_out(old_lines, left_missing, new, len(old))
    right_left_out = _left_out(new_lines, right_missing, old, len(new))
    removed, added = compare(_without(left, left_left_out), _without(right, right_left_out))
    return _changed_spans(left_left_out, removed, head), _changed_spans(right_left_out, added, head)


def _places(numbers: list[int], wanted: int) -> list[int]:
    """Return the indexes of the wanted number."""
    places = []
    place = -1
    with suppress(ValueError):
        while True:
            place = numbers.index(wanted, place + 1)
            places.append(place)
    return places


def _not_among(others: list[str], lines: list[str], places: list[int]) -> list[int]:
    """Return the places of lines that are not among the others too."""
    found = {lines[place] for place in places}.intersection(others)
    return [place for place in places if lines[place] not in found] if found else places


def _left_out(lines: list[str], missing: list[int], other: list[str], total: int) -> list[int]:
    """Return the places of the lines that git does not compare: those without a match, and common ones among them."""
    if not any(after - before == _CLUSTER - 1 for before, after in zip(missing, missing[_CLUSTER - 1 :], strict=False)):
        return missing
    limit = min(_root(total), _MANY_LIMIT)
    many = {line for line, times in Counter(other).items() if times >= limit}
    lost = [False] * len(lines)
    for place in missing:
        lost[place] = True
    weak: list[int] = []
    done = 0
    for index in missing if many else ():
        if index < done:
            continue
        start = index
        while start > done and lines[start - 1] in many:
            start -= 1
        done = index + 1
        while done < len(lines) and (lost[done] or lines[done] in many):
            done += 1
        weak += (start + place for place in _weak(lost[start:done]))
    return sorted([*missing, *weak])


def _without(numbers: list[int], left_out: list[int]) -> list[int]:
    """Return the numbers without those at these places."""
    result: list[int] = []
    at = 0
    for place in left_out:
        result += numbers[at:place]
        at = place + 1
    return result + numbers[at:]


def _root(number: int) -> int:
    """Return xdiff's rough square root: a power of two."""
    return 1 << (number.bit_length() + 1) // 2


def _weak(missing: list[bool]) -> list[int]:
    """Return the places of lines with very many matches that lie mostly among missing ones, in a run of both kinds."""
    before = [0, *accumulate(missing)]
    weak = []
    for place, gone in enumerate(missing):
        if gone:
            continue
        low, high = max(0, place - _WINDOW), min(len(missing), place + _WINDOW + 1)
        above = before[place] - before[low]
        below = before[high] - before[place]
        found = high - low + 1 - above - below
        if above and below and found * 3 < above + below:
            weak.append(place)
    return weak


def _changed_spans(left_out: list[int], spans: list[tuple[int, int]], offset: int) -> list[tuple[int, int]]:
    """Return the lines left out and the changed spans of the others, as spans of all lines moved by `offset`."""
    # The number of the other lines before each one left out.
    before = [place - number for number, place in enumerate(left_out)]
    changed = [(place, place + 1) for place in left_out]
    for start, end in spans:
        # Lines left out among changed lines have changed too.
        changed.append((start + bisect_right(before, start), end + bisect_right(before, end - 1)))
    changed.sort()
    result: list[tuple[int, int]] = []
    first = last = -1
    for start, end in changed:
        if start > last:
            if first >= 0:
                result.append((first + offset, last + offset))
            first = start
        last = max(last, end)
    if first >= 0:
        result.append((first + offset, last + offset))
    return result


def _ranks(spans: list[tuple[int, int]]) -> list[int]:
    """Return the number of unchanged lines before each span. Spans of both sides with the same rank are one edit."""
    ranks = []
    changed = 0
    for start, end in spans:
        ranks.append(start - changed)
        changed += end - start
    return ranks


def _join(removed: list[tuple[int, int]], added: list[tuple[int, int]]) -> list[Edit]:
    """Return the edits that consist of these removed and added spans."""
    by_rank = dict(zip(_ranks(removed), removed, strict=True))
    new_by_rank = dict(zip(_ranks(added), added, strict=True))
    edits = []
    gone = come = 0
    for rank in sorted(by_rank.keys() | new_by_rank.keys()):
        start, end = by_rank.get(rank, (rank + gone, rank + gone))
        new_start, new_end = new_by_rank.get(rank, (rank + come, rank + come))
        edits.append(Edit(start, end, new_start, new_end))
        gone += end - start
        come += new_end - new_start
    return edits


def _compact(lines: list[str], spans: list[tuple[int, int]], others: set[int]) -> list[tuple[int, int]]:
    """Slide the changes of one side as xdiff's xdl_change_compact does, so that equal changes end up at the same place.

    Each span slides up and then down as far as equal lines allow, absorbing the spans it meets. It stays at the
    bottom, unless a change of the other side (`others` has their ranks) could be beside it: then at the last place
    of that kind.
    """
    done: list[tuple[int, int]] = []
    # Spans before this one are done; a rank is a start minus the changed lines before it.
    changed = 0
    waiting = spans[::-1]
    total = len(lines)
    while waiting:
        start, end = waiting.pop()
        while True:
            size = end - start
            while start > 0 and lines[start - 1] == lines[end - 1]:
                start, end = start - 1, end - 1
                while done and done[-1][1] == start:
                    changed -= start - done[-1][0]
                    start = done.pop()[0]
            top = end
            match = end if start - changed in others else -1
            while end < total and lines[start] == lines[end]:
                start, end = start + 1, end + 1
                while waiting and waiting[-1][0] == end:
                    end = waiting.pop()[1]
                if start - changed in others:
                    match = end
            if size == end - start:
                break
        if end != top and match >= 0:
            while start - changed not in others:
                start, end = start - 1, end - 1
        done.append((start, end))
        changed += end - start
    return done
