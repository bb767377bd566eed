"""Find Myers' shortest edit script between two lists of numbers, with the choices of git's xdiff, in linear space.

It departs from git's result only where that would cost too much: a block in which more than `_COST_LIMIT` numbers
differ is first cut at the numbers that occur once on both sides (patience diff), and after `_BUDGET` steps in total
a block without such numbers becomes one change.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

_Line = TypeVar("_Line", str, int)
"""Type of a line, or of the number that represents it."""

_COST_LIMIT = 256
"""Maximum number of differing lines that a split crosses before it settles for a suboptimal one (XDL_MAX_COST_MIN)."""
_BUDGET = 1_000_000
"""Maximum number of steps in one comparison, about 0.3 seconds."""
_FIRST_PIECE = 32
_MAX_PIECE = 2048
"""Maximum number of lines compared at once, in C."""
_STRIDE = 8
"""Along equal lines, every step at a multiple of this tries to compare the rest in pieces."""


class _Block(NamedTuple):
    """Block still to compare: `[start, end)` of the old lines with `[new_start, new_end)` of the new ones."""

    start: int
    end: int
    new_start: int
    new_end: int


class _Side(NamedTuple):
    """Both lists as seen from one end, and the order in which diagonals are tried there: up (1) or down (-1)."""

    old: list[int]
    new: list[int]
    order: int


@dataclass(slots=True)
class _Frontier:
    """Progress of the paths from one end: the furthest old line for each diagonal of `[low, high]`.

    Each step updates every other diagonal, in turn. A negative diagonal counts from the end of the list, so that one
    list holds them all.
    """

    reach: list[int]
    low: int = 0
    high: int = 0
    steps: int = 0


class _Split(NamedTuple):
    """Point at which to cut a block. `shortest` is True if it is on a shortest path."""

    at: int
    new_at: int
    shortest: bool


def compare(old: list[int], new: list[int]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return the removed spans of the old and the added spans of the new numbers, unordered: xdiff's xdl_recs_cmp."""
    removed: list[tuple[int, int]] = []
    added: list[tuple[int, int]] = []
    sides = _Side(old, new, -1), _Side(old[::-1], new[::-1], 1)
    size = len(old) + len(new) + 3
    fronts = _Frontier([0] * size), _Frontier([0] * size)
    boxes = [_Block(0, len(old), 0, len(new))]
    while boxes:
        box = _trimmed(sides, boxes.pop())
        start, end, new_start, new_end = box
        if start == end or new_start == new_end:
            if start < end:
                removed.append((start, end))
            if new_start < new_end:
                added.append((new_start, new_end))
            continue
        split = _split(sides, box, fronts) if fronts[0].steps + fronts[1].steps < _BUDGET else None
        between = [] if split and split.shortest else _between_unique(old, new, box)
        if between:
            boxes += between
        elif split:
            boxes.append(_Block(start, split.at, new_start, split.new_at))
            boxes.append(_Block(split.at, end, split.new_at, new_end))
        else:
            removed.append((start, end))
            added.append((new_start, new_end))
    return removed, added


def common_prefix_length(old: list[_Line], at: int, new: list[_Line], new_at: int, limit: int) -> int:
    """Return how many lines are equal from these places on, at most `limit`. Long runs are compared in pieces, in C."""
    done = 0
    size = _FIRST_PIECE
    while done < limit:
        size = min(size, limit - done)
        if old[at + done : at + done + size] == new[new_at + done : new_at + done + size]:
            done += size
            size = min(size * 4, _MAX_PIECE)
        elif size > _FIRST_PIECE:
            # The difference is in these lines, so pieces must not grow again.
            limit = done + size
            size = (size + 3) // 4
        else:
            while old[at + done] == new[new_at + done]:
                done += 1
            break
    return done


def _mirrored(sides: tuple[_Side, _Side], box: _Block) -> _Block:
    """Return the block as seen from the other end."""
    size, new_size = len(sides[0].old), len(sides[0].new)
    return _Block(size - box.end, size - box.start, new_size - box.new_end, new_size - box.new_start)


def _trimmed(sides: tuple[_Side, _Side], box: _Block) -> _Block:
    """Return the block without the equal lines at its start and end."""
    for side in sides:
        start, end, new_start, new_end = box
        same = common_prefix_length(side.old, start, side.new, new_start, min(end - start, new_end - new_start))
        box = _mirrored(sides, _Block(start + same, end, new_start + same, new_end))
    return box


def _split(sides: tuple[_Side, _Side], box: _Block, fronts: tuple[_Frontier, _Frontier]) -> _Split:
    """Return the point where the paths from both ends of the block meet: xdiff's xdl_split.

    If they are longer than `_COST_LIMIT`, return the end of the path that has come furthest.
    """
    ahead, back = fronts
    mirrored = _mirrored(sides, box)
    size, new_size = len(sides[0].old), len(sides[0].new)
    searches = _search(sides[0], box, ahead, back), _search(sides[1], mirrored, back, ahead)
    for search in searches:
        next(search)
    for _ in range(_COST_LIMIT):
        if met := next(searches[0]):
            return _Split(*met, shortest=True)
        if met := next(searches[1]):
            return _Split(size - met[0], new_size - met[1], shortest=True)
    progress, at, new_at = _furthest(sides[0], box, ahead)
    back_progress, back_at, back_new_at = _furthest(sides[1], mirrored, back)
    if back_progress < progress:
        return _Split(at, new_at, shortest=False)
    return _Split(size - back_at, new_size - back_new_at, shortest=False)


def _search(side: _Side, box: _Block, front: _Frontier, other: _Frontier) -> Iterator[tuple[int, int] | None]:
    """Extend the paths from the start of the block by one change per step, and yield where one meets the other end's.

    They meet after an odd number of changes, one more from this end, or after an even number: the first end finds
    the odd case, the other the even one.
    """
    old, new, order = side
    start, end, new_start, new_end = box
    size, between = len(old), len(old) - len(new)
    reach, other_reach = front.reach, other.reach
    meets = (end - start - new_end + new_start) % 2 == (order < 0)
    low = high = front.low = front.high = start - new_start
    reach[low] = start
    # The other end must know this end's position before either moves.
    yield None
    while True:
        if low > start - new_end:
            low -= 1
            reach[low - 1] = -1
        else:
            low += 1
        if high < end - new_start:
            high += 1
            reach[high + 1] = -1
        else:
            high -= 1
        front.low, front.high = low, high
        other_low, other_high = (between - other.high, between - other.low) if meets else (1, 0)
        steps = 0
        for diagonal in range(low, high + 1, 2)[::order]:
            below, above = reach[diagonal - 1], reach[diagonal + 1]
            at = first = below + 1 if below >= above else above
            new_at = at - diagonal
            while at < end and new_at < new_end and old[at] == new[new_at]:
                at += 1
                new_at += 1
                if not at % _STRIDE:
                    at += common_prefix_length(old, at, new, new_at, min(end - at, new_end - new_at))
                    break
            steps += at - first + 1
            reach[diagonal] = at
            if other_low <= diagonal <= other_high and at + other_reach[between - diagonal] >= size:
                front.steps += steps
                yield at, at - diagonal
                return
        front.steps += steps
        yield None


def _furthest(side: _Side, box: _Block, front: _Frontier) -> tuple[int, int, int]:
    """Return the progress of the path from the start of the block that has come furthest, and where it ends."""
    best = best_at = -1
    for diagonal in range(front.low, front.high + 1, 2)[:: side.order]:
        at = min(front.reach[diagonal], box.end, box.new_end + diagonal)
        if best < 2 * at - diagonal:
            best, best_at = 2 * at - diagonal, at
    return best - box.start - box.new_start, best_at, best - best_at


def _between_unique(old: list[int], new: list[int], box: _Block) -> list[_Block]:
    """Cut the block at the longest ascending series of lines that occur once on both sides (patience diff).

    Return [] if there is no such line.
    """
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
    boxes: list[_Block] = []
    while number >= 0:
        at, new_at = pairs[number]
        boxes.append(_Block(at, end, new_at, new_end))
        end, new_end = at, new_at
        number = before[number]
    boxes.append(_Block(start, end, new_start, new_end))
    return boxes
