"""The edits between two texts in lines, exactly as git sees them.

`diff_lines` gives the edits that `git merge-file` and `git diff --no-indent-heuristic` work with. It follows git's
xdiff (its preparation, Myers' algorithm in linear space, and the sliding of `xdl_change_compact`), so that a merge
decided here and one decided by git agree. It leaves git's way only where that would cost too much: a block of lines in
which more than `_COST_LIMIT` lines differ is first cut at the lines that occur once on both sides (patience diff), and
past `_BUDGET` steps in all a block without such lines is one edit. The result depends on the two texts alone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

_Line = TypeVar("_Line", str, int)
"""A line, or the number that stands for it."""

_COST_LIMIT = 256
"""xdiff's XDL_MAX_COST_MIN: how many differing lines a split may cross before it settles for less than the best."""
_BUDGET = 1_000_000
"""Steps of Myers' algorithm in one diff, about 0.3 seconds."""
_MANY_LIMIT = 1024
"""xdiff's XDL_MAX_EQLIMIT."""
_WINDOW = 100
"""xdiff's XDL_SIMSCAN_WINDOW."""
_CHUNK = 2048
_FAR = 1 << 60


class Edit(NamedTuple):
    """The lines `[start, end)` of the old text stand as `[new_start, new_end)` in the new one; never both empty."""

    start: int
    end: int
    new_start: int
    new_end: int


class _Box(NamedTuple):
    """A block still to compare: `[start, end)` of the old lines with `[new_start, new_end)` of the new ones."""

    start: int
    end: int
    new_start: int
    new_end: int


def diff_lines(old: Sequence[str], new: Sequence[str]) -> list[Edit]:
    """The edits from old to new lines, in order, with at least one unchanged line between two of them."""
    old = old if isinstance(old, list) else list(old)
    new = new if isinstance(new, list) else list(new)
    head = _run(old, new, _Box(0, len(old), 0, len(new)))
    if head == len(old) == len(new):
        return []
    tail = _run_back(old, new, _Box(head, len(old), head, len(new)))
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
    """The changed lines of both sides between a common head and tail, as spans."""
    ids: dict[str, int] = {}
    left = [ids.setdefault(line, len(ids)) for line in old[head : len(old) - tail]]
    right = [ids.setdefault(line, len(ids)) for line in new[head : len(new) - tail]]
    # Head and tail are the same in both texts, so one pass over the old one counts them for both.
    outside = Counter(filter(ids.__contains__, old[:head]))
    outside.update(filter(ids.__contains__, old[len(old) - tail :]))
    left_counts, right_counts = Counter(left), Counter(right)
    for line, count in outside.items():
        left_counts[ids[line]] += count
        right_counts[ids[line]] += count
    left_kept = _worth_comparing(left, right_counts, len(old))
    right_kept = _worth_comparing(right, left_counts, len(new))
    left_changed, right_changed = _compare([left[i] for i in left_kept], [right[i] for i in right_kept])
    return (
        _changed_spans(len(left), left_kept, left_changed, head),
        _changed_spans(len(right), right_kept, right_changed, head),
    )


def _worth_comparing(lines: list[int], counts: Counter[int], total: int) -> list[int]:
    """The indexes of the lines that git compares: those with a match, but not common ones amid lines without any."""
    kept = [index for index, line in enumerate(lines) if line in counts]
    if len(kept) == len(lines):
        return kept
    limit = min(_root(total), _MANY_LIMIT)
    many = {line for line, count in counts.items() if count >= limit}
    if not many:
        return kept
    missing = sorted(set(range(len(lines))).difference(kept))
    weak: set[int] = set()
    done = 0
    for index in missing:
        if index < done:
            continue
        start = index
        while start > done and lines[start - 1] in many:
            start -= 1
        done = index + 1
        while done < len(lines) and (lines[done] in many or lines[done] not in counts):
            done += 1
        weak.update(start + place for place in _weak([line not in counts for line in lines[start:done]]))
    return [index for index in kept if index not in weak] if weak else kept


def _root(number: int) -> int:
    """xdiff's rough square root: a power of two."""
    return 1 << (number.bit_length() + 1) // 2


def _weak(missing: list[bool]) -> list[int]:
    """The places of lines with very many matches that stand mostly amid missing ones, in a run of nothing but both."""
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


def _changed_spans(length: int, kept: list[int], spans: list[tuple[int, int]], offset: int) -> list[tuple[int, int]]:
    """The lines not kept and the changed spans of the kept ones, as spans of all lines moved by `offset`."""
    changed: list[int] = []
    if len(kept) < length:
        changed.extend(set(range(length)).difference(kept))
    for start, end in spans:
        changed.extend(kept[start:end])
    changed.sort()
    result: list[tuple[int, int]] = []
    start = end = -1
    for index in changed:
        if index != end:
            if start >= 0:
                result.append((start + offset, end + offset))
            start = index
        end = index + 1
    if start >= 0:
        result.append((start + offset, end + offset))
    return result


def _compare(old: list[int], new: list[int]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """xdiff's xdl_recs_cmp: the removed spans of the old and the added spans of the new lines, in no order."""
    removed: list[tuple[int, int]] = []
    added: list[tuple[int, int]] = []
    budget = _BUDGET
    # A negative diagonal counts from the end of the list, so one list holds them all.
    size = len(old) + len(new) + 3
    forward, backward = [0] * size, [0] * size
    boxes = [_Box(0, len(old), 0, len(new))]
    while boxes:
        start, end, new_start, new_end = boxes.pop()
        same = _run(old, new, _Box(start, end, new_start, new_end))
        start, new_start = start + same, new_start + same
        same = _run_back(old, new, _Box(start, end, new_start, new_end))
        end, new_end = end - same, new_end - same
        if start == end:
            added += _spans(new_start, new_end)
            continue
        if new_start == new_end:
            removed += _spans(start, end)
            continue
        box = _Box(start, end, new_start, new_end)
        split, shortest = None, False
        if budget > 0:
            split, shortest, steps = _split(old, new, box, forward, backward)
            budget -= steps
        between = [] if shortest else _between_unique(old, new, box)
        if between:
            boxes += between
        elif split:
            boxes.append(_Box(start, split[0], new_start, split[1]))
            boxes.append(_Box(split[0], end, split[1], new_end))
        else:
            removed.append((start, end))
            added.append((new_start, new_end))
    return removed, added


def _split(  # noqa: PLR0912  # one loop as in xdiff: calls would cost more than the steps
    old: list[int], new: list[int], box: _Box, forward: list[int], backward: list[int]
) -> tuple[tuple[int, int], bool, int]:
    """xdiff's xdl_split: a point on a shortest path through the box, whether it is one, and the steps it took.

    Where the path is longer than `_COST_LIMIT` the point is the end of the furthest path found.
    """
    start, end, new_start, new_end = box
    lowest, highest = start - new_end, end - new_start
    forward_low = forward_high = forward_middle = start - new_start
    backward_low = backward_high = backward_middle = end - new_end
    odd = (forward_middle - backward_middle) & 1
    forward[forward_middle] = start
    backward[backward_middle] = end
    steps = 0
    for _ in range(_COST_LIMIT):
        if forward_low > lowest:
            forward_low -= 1
            forward[forward_low - 1] = -1
        else:
            forward_low += 1
        if forward_high < highest:
            forward_high += 1
            forward[forward_high + 1] = -1
        else:
            forward_high -= 1
        for diagonal in range(forward_high, forward_low - 1, -2):
            below, above = forward[diagonal - 1], forward[diagonal + 1]
            at = first = below + 1 if below >= above else above
            new_at = at - diagonal
            while at < end and new_at < new_end and old[at] == new[new_at]:
                at += 1
                new_at += 1
            steps += at - first + 1
            forward[diagonal] = at
            if odd and backward_low <= diagonal <= backward_high and backward[diagonal] <= at:
                return (at, new_at), True, steps
        if backward_low > lowest:
            backward_low -= 1
            backward[backward_low - 1] = _FAR
        else:
            backward_low += 1
        if backward_high < highest:
            backward_high += 1
            backward[backward_high + 1] = _FAR
        else:
            backward_high -= 1
        for diagonal in range(backward_high, backward_low - 1, -2):
            below, above = backward[diagonal - 1], backward[diagonal + 1]
            at = first = below if below < above else above - 1
            new_at = at - diagonal
            while at > start and new_at > new_start and old[at - 1] == new[new_at - 1]:
                at -= 1
                new_at -= 1
            steps += first - at + 1
            backward[diagonal] = at
            if not odd and forward_low <= diagonal <= forward_high and at <= forward[diagonal]:
                return (at, new_at), True, steps
    return (
        _furthest(
            box,
            [(diagonal, forward[diagonal]) for diagonal in range(forward_high, forward_low - 1, -2)],
            [(diagonal, backward[diagonal]) for diagonal in range(backward_high, backward_low - 1, -2)],
        ),
        False,
        steps,
    )


def _furthest(box: _Box, forward: list[tuple[int, int]], backward: list[tuple[int, int]]) -> tuple[int, int]:
    """The end of the path, forward or backward, that has come furthest, from pairs of diagonal and old line."""
    start, end, new_start, new_end = box
    best = best_at = -1
    for diagonal, reached in forward:
        at = min(reached, end, new_end + diagonal)
        if best < 2 * at - diagonal:
            best, best_at = 2 * at - diagonal, at
    back = back_at = _FAR
    for diagonal, reached in backward:
        at = max(reached, start, new_start + diagonal)
        if 2 * at - diagonal < back:
            back, back_at = 2 * at - diagonal, at
    if end + new_end - back < best - start - new_start:
        return best_at, best - best_at
    return back_at, back - back_at


def _between_unique(old: list[int], new: list[int], box: _Box) -> list[_Box]:
    """Patience diff: the box cut at the longest rising series of lines that occur once on both sides; [] if none do."""
    start, end, new_start, new_end = box
    counts, new_counts = Counter(old[start:end]), Counter(new[new_start:new_end])
    once = {line for line, count in counts.items() if count == 1 and new_counts.get(line) == 1}
    if not once:
        return []
    places = {line: index for index, line in enumerate(new[new_start:new_end], new_start) if line in once}
    pairs = [(index, places[line]) for index, line in enumerate(old[start:end], start) if line in once]
    tops: list[int] = []
    top_pairs: list[int] = []
    before: list[int] = []
    for number, (_, place) in enumerate(pairs):
        pile = bisect_left(tops, place)
        before.append(top_pairs[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(place)
            top_pairs.append(number)
        else:
            tops[pile], top_pairs[pile] = place, number
    number = top_pairs[-1]
    boxes: list[_Box] = []
    while number >= 0:
        at, new_at = pairs[number]
        boxes.append(_Box(at, end, new_at, new_end))
        end, new_end = at, new_at
        number = before[number]
    boxes.append(_Box(start, end, new_start, new_end))
    return boxes


def _run(old: list[_Line], new: list[_Line], box: _Box) -> int:
    """How many lines are equal from the starts on. Long runs are compared a piece at a time, in C."""
    start, end, new_start, new_end = box
    limit = min(end - start, new_end - new_start)
    done = 0
    size = 8
    while done < limit:
        size = min(size, limit - done)
        at, new_at = start + done, new_start + done
        if old[at : at + size] == new[new_at : new_at + size]:
            done += size
            size = min(size * 4, _CHUNK)
        elif size == 1:
            break
        else:
            size = (size + 1) // 2
            # The difference is in these lines, so pieces must not grow again.
            limit = min(limit, done + 2 * size)
    return done


def _run_back(old: list[_Line], new: list[_Line], box: _Box) -> int:
    """How many lines are equal from the ends back."""
    start, end, new_start, new_end = box
    limit = min(end - start, new_end - new_start)
    done = 0
    size = 8
    while done < limit:
        size = min(size, limit - done)
        at, new_at = end - done, new_end - done
        if old[at - size : at] == new[new_at - size : new_at]:
            done += size
            size = min(size * 4, _CHUNK)
        elif size == 1:
            break
        else:
            size = (size + 1) // 2
            limit = min(limit, done + 2 * size)
    return done


def _ranks(spans: list[tuple[int, int]]) -> list[int]:
    """How many unchanged lines stand before each span. Spans of both sides with the same rank are one edit."""
    ranks = []
    changed = 0
    for start, end in spans:
        ranks.append(start - changed)
        changed += end - start
    return ranks


def _join(removed: list[tuple[int, int]], added: list[tuple[int, int]]) -> list[Edit]:
    """The edits of removed and added spans."""
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
    """xdiff's xdl_change_compact for one side: the same change always ends up at the same place.

    Each span slides up and then down as far as equal lines let it, taking in the spans it meets. It stays at the
    bottom, unless a change of the other side (`others` has their ranks) could stand beside it: then at the last such.
    """
    done: list[tuple[int, int]] = []
    # What came before is done; a rank is a start less the changed lines before it.
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
