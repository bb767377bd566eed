from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.core.diff import apply, diff_lines, make_hunk
from mux_lsp.core.model import Hunk, HunkStatus
from mux_lsp.core.placement import LineEdit, Placement
from mux_lsp.core.rebase import accept, place_hunks, text_edits
from mux_lsp.errors import ConflictError
from tests.unit.core.support import hunks_of, lines, words

PENDING, APPLIED, CONFLICT = HunkStatus.PENDING, HunkStatus.APPLIED, HunkStatus.CONFLICT


def placed(base: str, result: str, live: str) -> str:
    """Return the hunks' places as `status start-end`, and, if none conflicts, the text with all of them accepted."""
    placements = place_hunks(lines(base), hunks_of(lines(base), lines(result)), lines(live))
    shown = [f"{found.status} {found.start}-{found.end}" for found in placements]
    if all(found.status is not CONFLICT for found in placements):
        shown.append(words(accept(lines(live), placements)))
    return ", ".join(shown)


@pytest.mark.parametrize(
    ("base", "result", "live", "expected"),
    [
        # untouched text, and changes elsewhere
        ("a b c d e", "a b X d e", "a b c d e", "pending 2-3, a b X d e"),
        ("a b c d e", "a b X d e", "a b X d e", "applied 2-3, a b X d e"),
        ("a b c d e", "a b X d e", "N M a b c d e", "pending 4-5, N M a b X d e"),
        ("a b c d e", "a b X d e", "b c d", "pending 1-2, b X d"),
        ("a b c d e", "a b X d e", "Q b X d e", "applied 2-3, Q b X d e"),
        ("a b c d e", "a b X d e", "a b c d Q R", "pending 2-3, a b X d Q R"),
        # overlapping and touching
        ("a b c d e", "a b X d e", "a b Y d e", "conflict 2-3"),
        ("a b c d e", "a b X d e", "a b c Y e", "conflict 2-4"),
        ("a b c d e", "a b X d e", "a Y c d e", "conflict 1-3"),
        ("a b c d e", "a b X d e", "a b N c d e", "conflict 2-4"),
        ("a b c d e", "a b X d e", "a b d e", "conflict 2-2"),
        ("a b c d e", "a b d e", "a e", "conflict 1-1"),
        ("a b c d e", "a X e", "a X c d e", "conflict 1-4"),
        # insertions
        ("a b", "a X b", "a b", "pending 1-1, a X b"),
        ("a b", "a X b", "a X b", "applied 1-2, a X b"),
        ("a b", "a X b", "a Y b", "conflict 1-2"),
        ("a b", "a X Y b", "a X b", "conflict 1-2"),
        ("a b c", "X a b c", "a b Y", "pending 0-0, X a b Y"),
        ("a b c", "a b c X", "Y b c", "pending 3-3, Y b c X"),
        ("a b c", "a b c X", "a b c X", "applied 3-4, a b c X"),
        ("a b c", "a b c X", "a b", "conflict 2-2"),
        # deletions
        ("a b c", "a c", "a b c", "pending 1-2, a c"),
        ("a b c", "a c", "a c", "applied 1-1, a c"),
        ("a b c d", "a d", "a b d", "conflict 1-2"),
        ("a b c", "", "a b c", "pending 0-3, "),
        ("a b c", "", "", "applied 0-0, "),
        ("a b c", "", "a b", "conflict 0-2"),
        # empty base
        ("", "a b", "", "pending 0-0, a b"),
        ("", "a b", "a b", "applied 0-2, a b"),
        ("", "a b", "a", "conflict 0-1"),
        # the line end of the last line is part of it
        ("a b!", "a b", "a b!", "pending 1-2, a b"),
        ("a b!", "a b", "a b", "applied 1-2, a b"),
        ("a b c!", "X b c!", "a b c", "pending 0-1, X b c"),
        ("a b", "a b c", "a b!", "conflict 1-2"),
        # several hunks
        ("a b c d e", "X b c d Y", "a b c d e", "pending 0-1, pending 4-5, X b c d Y"),
        ("a b c d e", "X b c d Y", "X b c d e", "applied 0-1, pending 4-5, X b c d Y"),
        ("a b c d e f g", "a X c d e Y g", "a X N c d e f g", "conflict 1-3, pending 6-7"),
        # repeated lines: the place is the same in every alignment
        ("f } g }", "f } g X }", "f } h } g }", "pending 5-5, f } h } g X }"),
        ("x x x x a b", "x x x x a X", "x x a b", "pending 3-4, x x a X"),
        ("x x x x a b", "x x x x X b", "x x a b", "conflict 2-3"),
        ("f r } g r }", "f R } g r }", "f r } h } g r }", "pending 1-2, f R } h } g r }"),
        # repeated lines: the place differs between alignments
        ("f r } g r }", "f R } g r }", "f r } h r } g r }", "conflict 1-2"),
        ("a 0 0 0 0 b", "a 0 X 0 0 0 b", "a 0 0 0 0 0 b", "conflict 2-2"),
        ("a 0 0 0 0 b", "a 0 X 0 b", "a 0 0 0 b", "conflict 2-4"),
        ("@ p a b", "@@ p a b", "@ p n m @ p a b", "conflict 0-1"),
        ("k k z", "k X k z", "k z", "conflict 1-1"),
    ],
)  # fmt: skip
def test_where_hunks_stand(base: str, result: str, live: str, expected: str) -> None:
    assert placed(base, result, live) == expected


@pytest.mark.parametrize(
    ("base", "result", "live", "expected"),
    [
        # A plain diff of base and live aligns these lines differently; the hunks decide.
        ("0 0", "0 0 0 0 0", "F 0 0 0 0 0", ["applied 3-6"]),
        ("0 0 0 2 2 2 1 0 0", "0 0 0 0 483 157 2 2 1 0 0", "0 0 0 0 483 157 2 2 F 1 G 0 0", ["applied 3-6"]),
        ("0 0 0", "0 0 0 0", "F 0 G 0 0 0", ["applied 5-6"]),
        ("0 0 0 0", "0 0 0 0 0 0", "F 0 G 0 H 0 0 0 0", ["applied 7-9"]),
        ("2 2 2", "2 2", "F 2 2", ["applied 3-3"]),
        ("2 2 2 a b c d e", "2 2 a b c X e", "F 2 2 a N b c d e", ["applied 3-3", "pending 7-8"]),
        ("2 2 2 a b c d e", "2 2 a X c d e", "F 2 2 a N b c d e", ["applied 3-3", "conflict 4-6"]),
        ("p q r s 2 2 2 m n o", "p Q Q Q r s 2 2 m n o", "p Q Q Q r s F 2 2 m n Z o", ["applied 1-4", "applied 9-9"]),
        (
            "0 k p q r s 2 2 2 m n o",
            "0 K K p Q Q Q r s 2 2 m n o",
            "0 K K p Q Q Q r s F 2 2 m n Z o",
            ["applied 1-3", "applied 4-7", "applied 12-12"],
        ),
        # Another hunk seems to be there too, and is not.
        (
            "2 2 1 1 1 0 2 2 0 0 0 1 2 0 0",
            "2 2 R S 1 0 T 0 1 2 0",
            "2 A B C 1 1 0 T 0 D E 0 F",
            ["conflict 1-5", "applied 7-8", "conflict 9-13"],
        ),
        (
            "2 2 1 2 2 2 0 0 2 1 2 1 2 1 0",
            "2 2 1 2 2 2 2 1 2 R S T U 1 0",
            "A 1 2 2 B 2 R S T U 1 0",
            ["conflict 4-5", "applied 6-10"],
        ),
        (
            "0 1 1 1 0 1 0 1 0 1 0 1 1 1 0 0 1 0 0 0 0 1",
            "0 1 1 1 0 1 1 1 R 0 1 0 1 1 1 0 0 1 0 S 0 0 0 1",
            "0 1 1 1 0 1 0 1 1 R 0 1 0 1 0 A 0 1 0 0 0 0 1",
            ["pending 6-7", "applied 8-10", "pending 19-19"],
        ),
        # A line typed beside an accepted hunk makes it a conflict, as it does for git.
        ("a b c d", "a X c d", "a X N c d", ["conflict 1-3"]),
        # Equal lines alone do not make it an applied hunk.
        ("a b c d", "a b X c d", "a X b c d", ["pending 3-3"]),
        ("a b c d", "a b X c d", "a b c X d", ["pending 2-2"]),
        ("a b c d e f", "a b X d e f", "a b c d X f", ["pending 2-3"]),
    ],
)  # fmt: skip
def test_hunks_that_are_there_are_found(base: str, result: str, live: str, expected: list[str]) -> None:
    placements = place_hunks(lines(base), hunks_of(lines(base), lines(result)), lines(live))
    assert [f"{found.status} {found.start}-{found.end}" for found in placements] == expected


@pytest.mark.parametrize(
    ("base", "result", "live", "reason"),
    [
        ("a b c", "a X c", "a Y c", "line 2 was changed here too"),
        ("a b c d", "a X d", "a Y Z W d", "lines 2-4 were changed here too"),
        ("a b c", "a X c", "a b N c", "line 3 was added here too"),
        ("a b c", "a b X c", "a b N M c", "lines 3-4 were added here too"),
        ("a b c", "a X c", "a c", "lines were deleted here too, after line 1"),
        ("a b c", "X b c", "b c", "the first lines were deleted here too"),
        ("a 0 0 b", "a 0 X 0 b", "a 0 0 0 b", "the same lines stand here more than once, so its place is not certain"),
    ],
)
def test_a_conflict_says_why(base: str, result: str, live: str, reason: str) -> None:
    placements = place_hunks(lines(base), hunks_of(lines(base), lines(result)), lines(live))
    assert [found.reason for found in placements if found.status is CONFLICT] == [reason]


@pytest.mark.parametrize(
    ("base", "result", "live", "expected"),
    [
        # the hunk's own lines of base, at their present place
        ("a b c d e", "a b X d e", "N M a b c d e", ["pending 4-5 for 2-3"]),
        ("a b c d e", "a b X Y d e", "N a b X Y d e", ["applied 3-5 for 2-3"]),
        # in a conflict, also the lines of the edits that it meets
        ("a b c d e", "a b X d e", "a b Y d e", ["conflict 2-3 for 2-3"]),
        ("a b c d e f", "a b X d e f", "N a b Y Z W f", ["conflict 3-6 for 2-5"]),
        ("a b c d e f", "a b c d X f", "N a Y e f", ["conflict 2-4 for 1-5"]),
        ("a b c d e f", "a X Y f", "a b Q d e f", ["conflict 1-5 for 1-5"]),
        ("a b c d e f", "a X f", "N a Q c d R f", ["conflict 2-6 for 1-5"]),
        ("a b c d e f", "a b X d e f", "a Y c Z e f", ["conflict 1-4 for 1-4"]),
        ("a b c d", "a b X c d", "a b N M c d", ["conflict 2-4 for 2-2"]),
        ("a b c d e", "X b c d Y", "a b c d Z W", ["pending 0-1 for 0-1", "conflict 4-6 for 4-5"]),
        ("a b c", "a b", "a b N M c", ["conflict 2-5 for 2-3"]),
        ("a 0 0 b", "a 0 X 0 b", "a 0 0 0 b", ["conflict 2-2 for 2-2"]),
        ("q a 0 0 c b", "q a 0 X c b", "N q a 0 0 0 c b", ["conflict 4-6 for 3-4"]),
    ],
)  # fmt: skip
def test_which_lines_of_base_a_place_stands_for(base: str, result: str, live: str, expected: list[str]) -> None:
    placements = place_hunks(lines(base), hunks_of(lines(base), lines(result)), lines(live))
    assert [
        f"{found.status} {found.start}-{found.end} for {found.base_start}-{found.base_end}" for found in placements
    ] == expected


MARKED = "a <<<<<<< M N O ||||||| b c d ======= b C d >>>>>>> e"
"""`a M N O e` with conflict markers, where the result has `a b C d e`."""


@pytest.mark.parametrize(
    ("base", "result", "live", "expected"),
    [
        ("a b c d e", "a b C d e", MARKED, ["conflict 1-14 1-4"]),
        ("a b c d e f g h", "a b C d e f G h", f"{MARKED} f g h", ["conflict 1-14 1-4", "pending 16-17 6-7"]),
        ("a b c d e f g h", "a b C d e f G h", f"{MARKED} f G h", ["conflict 1-14 1-4", "applied 16-17 6-7"]),
        # two sides only, as git writes them by default: ours is as in the snapshot, and theirs has the hunk
        ("a b c d e", "a b C d e", "a <<<<<<< b c d ======= b Z d >>>>>>> e", ["conflict 1-10 1-4"]),
        ("a b c d e", "a b C d e", "a <<<<<<< M ======= b C d >>>>>>> e", ["conflict 1-8 1-4"]),
        # longer markers, with others between them
        ("a b c d e", "a b C d e", "a <<<<<<<< b c d ======= >>>>>>> ======== M >>>>>>>> e", ["conflict 1-10 1-4"]),
        # decided; without a beginning or an end; and markers that are part of the agent's text
        ("a b c d e", "a b C d e", "a b C d e", ["applied 2-3 2-3"]),
        ("a b c d e", "a b C d e", "======= a >>>>>>> b c d e <<<<<<<", ["pending 4-5 2-3"]),
        ("a <<<<<<< b c ======= d >>>>>>> e", "a b c d e", "a <<<<<<< b c ======= d >>>>>>> e",
         ["pending 1-2 1-2", "pending 4-5 4-5", "pending 6-7 6-7"]),
        ("a b", "a <<<<<<< x >>>>>>> b", "a <<<<<<< x >>>>>>> b", ["applied 1-4 1-1"]),
    ],
)  # fmt: skip
def test_what_stands_between_conflict_markers_is_no_place(
    base: str, result: str, live: str, expected: list[str]
) -> None:
    placements = place_hunks(lines(base), hunks_of(lines(base), lines(result)), lines(live))
    assert [f"{one.status} {one.start}-{one.end} {one.base_start}-{one.base_end}" for one in placements] == expected
    if "<<<<<<<" in live and placements[0].status is CONFLICT:
        assert placements[0].reason == "what stands between conflict markers here has to be decided first"


def test_placements_come_in_the_order_of_the_hunks_given() -> None:
    base, result = lines("a b c d e f"), lines("X b c Y e Z")
    found = hunks_of(base, result)
    mixed = [found[2], found[0], found[1]]
    placements = place_hunks(tuple(base), mixed, tuple(lines("N N a b c d e f")))
    assert [(placement.status, placement.start) for placement in placements] == [
        (PENDING, 7),
        (CONFLICT, 0),
        (PENDING, 5),
    ]
    assert [placement.hunk for placement in placements] == mixed
    assert place_hunks(base, [], lines("q")) == []
    assert [placement.status for placement in place_hunks(base, mixed, tuple(result))] == [APPLIED] * 3
    hidden = hunks_of(lines("2 2 2"), lines("2 2"))
    assert place_hunks(tuple(lines("2 2 2")), hidden, tuple(lines("F 2 2")))[0].status is APPLIED


def test_a_diff_that_the_caller_has_is_used() -> None:
    base, live = lines("a b c d"), lines("N b c d")
    found = hunks_of(base, lines("a b c X"))
    assert place_hunks(base, found, live, diff_lines(base, live)) == place_hunks(base, found, live)


def test_edits_of_the_chosen_in_order() -> None:
    base, live = lines("a b c d e"), lines("N a b c d e")
    first, second = place_hunks(base, hunks_of(base, lines("a X c d Y Z")), live)
    assert text_edits([second, first]) == [LineEdit(2, 3, "X\n"), LineEdit(5, 6, "Y\nZ\n")]
    assert text_edits([first, first]) == [LineEdit(2, 3, "X\n")]
    assert accept(live, [second]) == lines("N a b c d Y Z")
    applied = Placement(first.hunk, APPLIED, 2, 3, 1, 2)
    assert text_edits([applied]) == []
    assert accept(live, [applied]) == live


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a X c d e", "a Y c d e"),
        ("a X c d e", "a b Y d e"),  # touching
        ("a X b c d e", "a Y b c d e"),
        ("a X b c d e", "a Y c d e"),
        ("a X d e", "a b Y d e"),
    ],
)
def test_hunks_of_two_runs_that_meet_are_refused(one: str, other: str) -> None:
    base = lines("a b c d e")
    chosen = [place_hunks(base, hunks_of(base, lines(result)), base)[0] for result in (one, other)]
    for order in (chosen, chosen[::-1]):
        with pytest.raises(ConflictError, match="Nothing was changed"):
            accept(base, order)


def test_a_conflict_is_never_an_edit() -> None:
    base, live = lines("a b c"), lines("a Y c")
    placements = place_hunks(base, hunks_of(base, lines("a X c")), live)
    with pytest.raises(ConflictError, match=r"cannot be placed: line 2 was changed here too\. Nothing was changed\."):
        text_edits(placements)


@dataclass
class Scene:
    base: list[str]
    result: list[str]
    hunks: list[Hunk]


def edited(draw: st.DrawFn, text: list[str], letters: str) -> list[str]:
    result = list(text)
    for _ in range(draw(st.integers(0, 1 + len(text) // 5))):
        at = draw(st.integers(0, len(result)))
        word = st.sampled_from(letters + "XYZ")
        added = [f"{letter}\n" for letter in draw(st.lists(word, max_size=3))]
        result[at : at + draw(st.integers(0, 3))] = added
    return result


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    letters = draw(st.sampled_from(["a", "ab", "abcd", "abcdefghijklmnopqrstuvw"]))
    base = [f"{letter}\n" for letter in draw(st.lists(st.sampled_from(letters), max_size=25))]
    result = edited(draw, base, letters)
    return Scene(base, result, hunks_of(base, result))


@given(scenes(), st.data())
def test_any_subset_in_any_order(scene: Scene, data: st.DataObject) -> None:
    live = scene.base
    order = data.draw(st.permutations(range(len(scene.hunks))))
    stop = data.draw(st.integers(0, len(order)))
    chosen = {scene.hunks[index].id for index in order[:stop]}
    placements = place_hunks(scene.base, scene.hunks, live)
    assert [found.status for found in placements] == [PENDING] * len(scene.hunks)
    at_once = accept(live, [found for found in placements if found.hunk.id in chosen])
    assert at_once == apply(scene.base, [hunk for hunk in scene.hunks if hunk.id in chosen])
    for count, index in enumerate(order[:stop], 1):
        live = accept(live, [place_hunks(scene.base, scene.hunks, live)[index]])
        seen = {scene.hunks[index].id for index in order[:count]}
        for found in place_hunks(scene.base, scene.hunks, live):
            assert found.status is (APPLIED if found.hunk.id in seen else PENDING)
    assert live == at_once
    assert accept(live, place_hunks(scene.base, scene.hunks, live)) == scene.result


@given(scenes(), st.data())
def test_foreign_lines_elsewhere_move_placements_exactly(scene: Scene, data: st.DataObject) -> None:
    free = [
        line
        for line in range(len(scene.base) + 1)
        if all(line < hunk.start - 1 or line > hunk.end + 1 for hunk in scene.hunks)
    ]
    places = data.draw(st.sets(st.sampled_from(free), max_size=4)) if free else set()
    foreign = [make_hunk("foreign", place, [], [f"foreign {place}\n"]) for place in places]
    held = [hunk for hunk in scene.hunks if data.draw(st.booleans())]
    live = apply(scene.base, held + foreign)
    placements = place_hunks(scene.base, scene.hunks, live)
    for found in placements:
        assert found.status is (APPLIED if found.hunk in held else PENDING)
        shift = sum(1 for place in places if place < found.hunk.start)
        shift += sum(len(h.added) - len(h.removed) for h in held if h.start < found.hunk.start)
        assert found.start == found.hunk.start + shift
    assert accept(live, placements) == apply(scene.base, scene.hunks + foreign)


@st.composite
def distinct_scenes(draw: st.DrawFn) -> tuple[Scene, list[str]]:
    """Draw a scene and a live text in which no two lines are equal, so that there is only one alignment."""
    base = [f"{number}\n" for number in range(draw(st.integers(0, 25)))]

    def version(letter: str) -> list[str]:
        text, names = list(base), iter(range(1000))
        for _ in range(draw(st.integers(0, 5))):
            at = draw(st.integers(0, len(text)))
            added = [f"{letter}{next(names)}\n" for _ in range(draw(st.integers(0, 2)))]
            text[at : at + draw(st.integers(0, 3))] = added
        return text

    result = version("result")
    return Scene(base, result, hunks_of(base, result)), version("person")


@given(distinct_scenes(), st.data())
def test_one_at_a_time_in_any_order_beside_foreign_edits(drawn: tuple[Scene, list[str]], data: st.DataObject) -> None:
    scene, live = drawn
    placements = place_hunks(scene.base, scene.hunks, live)
    free = [index for index, found in enumerate(placements) if found.status is PENDING]
    chosen = data.draw(st.permutations(free))[: data.draw(st.integers(0, len(free)))]
    at_once = accept(live, [placements[index] for index in chosen])
    now = live
    for index in chosen:
        now = accept(now, [place_hunks(scene.base, scene.hunks, now)[index]])
    assert now == at_once
    after = place_hunks(scene.base, scene.hunks, now)
    for index, (found, before) in enumerate(zip(after, placements, strict=True)):
        assert found.status is (APPLIED if index in chosen else before.status)
    # After undo in any order they are pending again at their old place.
    for index in data.draw(st.permutations(chosen)):
        found = place_hunks(scene.base, scene.hunks, now)[index]
        now[found.start : found.end] = found.hunk.removed
    assert place_hunks(scene.base, scene.hunks, now) == placements


@given(distinct_scenes())
def test_without_the_edits_that_it_meets_a_hunk_has_a_place(drawn: tuple[Scene, list[str]]) -> None:
    scene, live = drawn
    for found in place_hunks(scene.base, scene.hunks, live):
        hunk = found.hunk
        if found.status is not CONFLICT:
            assert (found.base_start, found.base_end) == (hunk.start, hunk.end)
            continue
        assert found.base_start <= hunk.start <= hunk.end <= found.base_end
        taken_back = live[: found.start] + scene.base[found.base_start : found.base_end] + live[found.end :]
        (again,) = place_hunks(scene.base, [hunk], taken_back)
        assert (again.status, again.start) == (PENDING, found.start + hunk.start - found.base_start)


@given(scenes(), st.data())
def test_any_live_text(scene: Scene, data: st.DataObject) -> None:
    held = [hunk for hunk in scene.hunks if data.draw(st.booleans())]
    live = data.draw(st.composite(edited)(apply(scene.base, held), "abcd"))
    placements = place_hunks(scene.base, scene.hunks, live)
    assert [found.hunk for found in placements] == scene.hunks
    for found in placements:
        stands = tuple(live[found.start : found.end])
        assert found.status is not PENDING or stands == found.hunk.removed
        assert found.status is not APPLIED or stands == found.hunk.added
        assert (found.reason is not None) == (found.status is CONFLICT)
        assert 0 <= found.start <= found.end <= len(live)
    edits = text_edits(found for found in placements if found.status is not CONFLICT)
    assert all(before.end < after.start for before, after in pairwise(edits))


@given(scenes())
def test_hostile_numbers_of_readings_stay_exact(scene: Scene) -> None:
    base = ["x\n"] * 40 + scene.base
    result = [line for index in range(20) for line in (["x\n", "x\n", "h\n"] if index % 2 else ["x\n", "y\n"])]
    found = hunks_of(base, result + scene.result)
    live = apply(base, found[::2])
    assert [placement.status for placement in place_hunks(base, found, live)] == [
        APPLIED if index % 2 == 0 else PENDING for index in range(len(found))
    ]


def test_more_readings_than_are_followed() -> None:
    base = ["x\n"] * 150
    found = [make_hunk("file", 3 * number + 1, [], ["x\n"]) for number in range(45)]
    placements = place_hunks(base, found, ["x\n"] * 170)
    assert [placement.status for placement in placements].count(APPLIED) == 20
