"""Test accepts that have no exact place: instead of another run's hunk, over the person's lines, or between markers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mux_lsp.core import text
from mux_lsp.core.model import HunkStatus, Run, RunState, Task
from mux_lsp.engine.review import select
from mux_lsp.engine.review.hunks import HunkCache
from mux_lsp.engine.review.live_text import LiveText
from mux_lsp.engine.review.resolutions import AcceptMode, Resolutions, available_resolutions
from mux_lsp.engine.review.selection import Selection
from mux_lsp.engine.working_tree.disk import EXECUTABLE_MODE, SYMLINK_MODE, Entry
from mux_lsp.errors import ConflictError
from tests.unit.core.support import lines, words
from tests.unit.engine.test_items import change_of, file, in_buffer, lines_of, name_of, on_disk

if TYPE_CHECKING:
    from collections.abc import Collection

    from mux_lsp.engine.review.items import Item, PathPlan
    from mux_lsp.engine.review.selection import Selection
    from mux_lsp.engine.review.service import ReviewService

BIN, BIN_2, BIN_3 = file(b"\0\1"), file(b"\0\2"), file(b"\0\3")
LINK = file("elsewhere", SYMLINK_MODE)


@dataclass
class World:
    """A task whose runs have these results of one file, and the live text."""

    base: Entry | None
    results: dict[str, Entry | None]
    live: LiveText
    rejected: set[str] = field(default_factory=set)
    selection: Selection | None = None

    def __post_init__(self) -> None:
        entries = [entry for entry in (self.base, *self.results.values()) if entry]
        self.reviews = HunkCache({name_of(entry.content): entry.content for entry in entries}.__getitem__)
        self.runs = {name: self._run(name, result) for name, result in self.results.items()}
        task = Task("k3f", "", "/nowhere", "", 0.0, runs=tuple(self.runs.values()))
        self.review = cast(
            "ReviewService",
            SimpleNamespace(
                registry=SimpleNamespace(run=self.runs.__getitem__, task=lambda _: task),
                hunks=lambda _: self.reviews,
                rejections=lambda *_: frozenset(self.rejected),
            ),
        )

    def _run(self, name: str, result: Entry | None) -> Run:
        plain = all(entry is None or text.decode(entry.content) is not None for entry in (self.base, result))
        files = (change_of(self.base, result, is_text=plain),) if result != self.base else ()
        return Run(name, "k3f", "sh:true", None, RunState.FINISHED, files=files)

    def items(self, *runs: str) -> list[Item]:
        return [
            item
            for run in runs or self.runs
            for one in select.candidates(self.review, self.runs[run], self.runs[run].files)
            for item in one.items(lambda _: self.live)
        ]

    def offers(self, run: str, index: int = 0) -> Resolutions:
        return available_resolutions(self.items(), self.items(run)[index])

    def accept(self, run: str, how: AcceptMode, hunks: Collection[str] | None = None) -> PathPlan | None:
        """Accept, as a client would carry it out: the live text is another one afterwards."""
        self.selection = select.select(self.review, run, lambda _: self.live, hunks=hunks, how=how)
        (plan,) = self.selection.plans or (None,)
        if plan is not None:
            self.live = after(plan)
        return plan

    @property
    def words(self) -> str:
        return words(self.live.lines or ())

    def statuses(self, run: str) -> list[str]:
        return [item.text_status.value for item in self.items(run)]


def after(plan: PathPlan) -> LiveText:
    """Return the live text after a plan is carried out, with its edits if it has any."""
    if not plan.edits:
        return on_disk(plan.entry)
    assert plan.entry is not None
    found = list(plan.live.lines or ())
    ends = [0]
    for edit in plan.edits:
        assert ends[-1] < edit.start or edit is plan.edits[0], "edits touch each other"
        ends.append(edit.end)
    for edit in reversed(plan.edits):
        found[edit.start : edit.end] = [edit.text]
    assert "".join(found) == "".join(plan.lines or ())
    return replace(plan.live, lines=lines_of("".join(found)), compared={})


def one_file(found: str) -> Entry:
    """Return a file with a line for each word."""
    return file("".join(lines(found)))


def world(base: str, live: str, **results: str) -> World:
    """Return a world with runs `x`, `y`… of texts in which each word is a line."""
    return World(
        one_file(base),
        {run: one_file(result) for run, result in results.items()},
        in_buffer("".join(lines(live)), one_file(base)),
    )


# Instead


@pytest.mark.parametrize(
    ("base", "x", "y", "live", "expected", "out"),
    [
        ("a b c", "a X c", "a Y c", "a X c", "a Y c", 1),
        # All other changes stay, the person's and the other run's.
        ("a b c d e f", "a X c d E f", "a Y c d e f", "0 a X c d E f", "0 a Y c d E f", 1),
        # One hunk in place of two, and two in place of one.
        ("a b c d e", "a X c Z e", "a Y e", "a X c Z e", "a Y e", 2),
        ("a b c d e", "a X e", "a Y c Z e", "a X e", "a Y c Z e", 1),
        # Only competing hunks are removed.
        ("a b c d e f g", "a X c d e F g", "a Y c d e f g", "a X c d e F g", "a Y c d e F g", 1),
        # Touching counts as competing.
        ("a b c d", "a X c d", "a b Y d", "a X c d", "a b Y d", 1),
        # An addition, a deletion.
        ("a b", "a X b", "a Y b", "a X b", "a Y b", 1),
        ("a b c", "a c", "a Y c", "a c", "a Y c", 1),
        ("a b c", "a X c", "a c", "a X c", "a c", 1),
        ("a b!", "a X!", "a Y", "a X!", "a Y", 1),
    ],
)
def test_switching_to_the_variant_of_another_run(base: str, x: str, y: str, live: str, expected: str, out: int) -> None:
    it = world(base, live, x=x, y=y)
    assert [item.review.run for item in it.offers("y").instead] == ["x"] * out
    plan = it.accept("y", AcceptMode.INSTEAD)
    assert plan is not None
    assert plan.edits
    assert it.words == expected
    assert it.selection is not None
    assert (it.selection.instead_of, it.selection.marked) == (("x",), 0)
    assert set(it.statuses("y")) == {"applied"}


@pytest.mark.parametrize(
    ("live", "reason"),
    [
        # The person's own lines; and the other run's combined with the person's.
        ("a mine c", r"Nothing was written, because of a conflict in a\.txt:2: line 2 was changed here too\."),
        ("a X mine c", r"because of a conflict in a\.txt:2: lines 2-3 were changed here too"),
    ],
)
def test_only_what_another_run_put_there_is_taken_out(live: str, reason: str) -> None:
    it = world("a b c", live, x="a X c", y="a Y c")
    assert it.offers("y").instead == ()
    with pytest.raises(ConflictError, match=reason):
        it.accept("y", AcceptMode.INSTEAD)
    assert it.words == live


def test_a_person_who_also_changed_it_keeps_what_is_theirs() -> None:
    it = world("a b c d e", "a X c mine e", x="a X c d e", y="a Y Y Y e")
    assert [item.review.run for item in it.items() if item.text_status is HunkStatus.APPLIED] == ["x"]
    assert it.offers("y").instead == ()
    with pytest.raises(ConflictError, match="line 4 was changed here too"):
        it.accept("y", AcceptMode.INSTEAD)


def test_what_several_runs_share_goes_out_once() -> None:
    it = world("a b c", "a X c", x="a X c", z="a X c", y="a Y c")
    assert len(it.offers("y").instead) == 1
    it.accept("y", AcceptMode.INSTEAD)
    assert it.words == "a Y c"


def test_changes_of_several_runs_go_out_together() -> None:
    it = world("a b c d e", "a X c Z e", x="a X c d e", z="a b c Z e", y="a Y e")
    assert [item.review.run for item in it.offers("y").instead] == ["x", "z"]
    it.accept("y", AcceptMode.INSTEAD)
    assert it.words == "a Y e"
    assert it.selection is not None
    assert it.selection.instead_of == ("x", "z")


def test_where_nothing_collides_instead_is_exactly() -> None:
    it = world("a b c", "0 a b c", x="a X c", y="a Y c")
    it.accept("y", AcceptMode.INSTEAD)
    assert it.words == "0 a Y c"
    assert it.selection is not None
    assert it.selection.instead_of == ()


def test_the_line_ends_of_the_editor_are_kept() -> None:
    base, x, y = (one_file(found) for found in ("a b c", "a X c", "a Y c"))
    it = World(base, {"x": x, "y": y}, in_buffer("a\r\nX\r\nc\r\n", base))
    it.accept("y", AcceptMode.INSTEAD)
    assert "".join(it.live.lines or ()) == "a\r\nY\r\nc\r\n"


RESULTS: dict[str, tuple[Entry | None, Entry | None, Entry | None]] = {
    "both add": (None, one_file("a X"), one_file("a Y")),
    "one changes, the other deletes": (one_file("a b c"), one_file("a X c"), None),
    "one deletes, the other changes": (one_file("a b c"), None, one_file("a Y c")),
    "one deletes, the other changes with the mode": (
        one_file("a b c"),
        None,
        replace(one_file("a Y c"), mode=EXECUTABLE_MODE),
    ),
    "binaries": (BIN, BIN_2, BIN_3),
    "binaries added": (None, BIN_2, BIN_3),
    "a binary deleted": (BIN, None, BIN_3),
    "text and binary": (one_file("a b c"), one_file("a X c"), BIN_3),
    "binary and text": (one_file("a b c"), BIN_2, one_file("a Y c")),
    "text and link": (one_file("a b c"), one_file("a X c"), LINK),
    "added as text and as binary": (None, one_file("a"), BIN_2),
    "added with another mode": (None, one_file("a X"), replace(one_file("a Y"), mode=EXECUTABLE_MODE)),
    "with a byte order mark": (None, one_file("a X"), file(b"\xef\xbb\xbfa\nY\n")),
}


@pytest.mark.parametrize("kind", RESULTS)
def test_switching_whole_files_there_and_back(kind: str) -> None:
    base, x, y = RESULTS[kind]
    it = World(base, {"x": x, "y": y}, on_disk(base))
    it.accept("x", AcceptMode.EXACT)
    it.live = on_disk(x)
    for run, other, entry in (("y", "x", y), ("x", "y", x)):
        assert it.offers(run).instead, run
        with pytest.raises(ConflictError):
            it.accept(run, AcceptMode.EXACT)
        plan = it.accept(run, AcceptMode.INSTEAD)
        assert plan is not None
        assert plan.entry == entry
        assert it.selection is not None
        assert it.selection.instead_of == (other,)
        it.live = on_disk(plan.entry)
        assert set(it.statuses(run)) == {"applied"}


def test_an_added_text_is_switched_by_an_edit_of_the_buffer() -> None:
    it = World(None, {"x": one_file("a X"), "y": one_file("a Y")}, in_buffer("a\r\nX\r\n", one_file("a")))
    plan = it.accept("y", AcceptMode.INSTEAD)
    assert plan is not None
    assert [(edit.start, edit.end, edit.text) for edit in plan.edits] == [(1, 2, "Y\r\n")]


@pytest.mark.parametrize("kind", ["one changes, the other deletes", "text and binary"])
def test_unsaved_text_is_not_switched_away(kind: str) -> None:
    base, x, y = RESULTS[kind]
    it = World(base, {"x": x, "y": y}, in_buffer("a\nX\nc\n", base))
    assert it.offers("y") == Resolutions()
    for how in (AcceptMode.INSTEAD, AcceptMode.TAKE):
        with pytest.raises(ConflictError, match="open with unsaved changes that would be lost: save it first"):
            it.accept("y", how)


# Take


@pytest.mark.parametrize(
    ("base", "live", "x", "expected"),
    [
        ("a b c", "a mine c", "a X c", "a X c"),
        ("a b c d e f", "0 a mine c d e f", "a X c d E f", "0 a X c d E f"),
        ("a b c d e", "a mine e", "a X c Z e", "a X c Z e"),
        ("a b c d e", "a b mine e", "a X d e", "a X d e"),
        ("a b c", "a mine c", "a c", "a c"),
        ("a b c", "a c", "a X c", "a X c"),
        ("a b!", "a mine!", "a X", "a X"),
    ],
)
def test_taking_a_stretch(base: str, live: str, x: str, expected: str) -> None:
    it = world(base, live, x=x)
    plan = it.accept("x", AcceptMode.TAKE)
    assert plan is not None
    assert it.words == expected
    assert set(it.statuses("x")) == {"applied"}
    assert plan.accepted == len(it.items("x"))


def test_taking_one_hunk_of_two_in_one_conflict_takes_both_but_for_what_was_rejected() -> None:
    it = world("a b c d e", "a mine e", x="a X c Z e")
    first, second = it.items("x")
    offered = it.offers("x").take
    assert offered is not None
    assert (offered.start, offered.end, [hunk.id for hunk in offered.hunks]) == (1, 2, [first.id, second.id])
    it.rejected = {second.id}
    plan = it.accept("x", AcceptMode.TAKE, [first.id])
    assert it.words == "a X c d e"
    assert plan is not None
    assert plan.accepted == 1
    it.live = world("a b c d e", "a mine e").live
    it.rejected = set()
    it.accept("x", AcceptMode.TAKE, [first.id])
    assert it.words == "a X c Z e"
    assert it.selection is not None
    assert it.selection.accepted == 2
    assert it.selection.chosen == (("a.txt", frozenset({first.id, second.id})),)


def test_only_the_chosen_stretch_is_taken() -> None:
    it = world("a b c d e", "a mine c mine e", x="a X c Z e")
    it.accept("x", AcceptMode.TAKE, [it.items("x")[1].id])
    assert it.words == "a mine c Z e"


TAKEN: dict[str, tuple[Entry | None, Entry | None, LiveText]] = {
    "created by both": (None, one_file("a X"), on_disk(one_file("mine"))),
    "created by both, open": (None, one_file("a X"), in_buffer("mine\n", one_file("mine"))),
    "created by both, unsaved": (None, one_file("a X"), in_buffer("mine\n", one_file("old"))),
    "created by both, theirs can be run": (
        None,
        replace(one_file("a X"), mode=EXECUTABLE_MODE),
        on_disk(one_file("mine")),
    ),
    "created by both, ours is binary": (None, one_file("a X"), on_disk(BIN)),
    "created by both, ours is a link": (None, one_file("a X"), on_disk(LINK)),
    "created by both, binary": (None, BIN_2, on_disk(BIN)),
    "deleted by the run": (one_file("a b"), None, on_disk(one_file("a mine"))),
    "deleted by the run, open": (one_file("a b"), None, in_buffer("a\nmine\n", one_file("a mine"))),
    "a binary deleted by the run": (BIN, None, on_disk(BIN_2)),
    "deleted here": (one_file("a b"), one_file("a X"), on_disk(None)),
    "deleted here, with a mode": (one_file("a b"), replace(one_file("a X"), mode=EXECUTABLE_MODE), on_disk(None)),
    "a binary deleted here": (BIN, BIN_2, on_disk(None)),
    "binary": (BIN, BIN_2, on_disk(BIN_3)),
    "no text here any more": (one_file("a b"), one_file("a X"), on_disk(BIN)),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_taking_a_whole_file(kind: str) -> None:
    base, result, live = TAKEN[kind]
    it = World(base, {"x": result}, live)
    offered = it.offers("x").take
    assert offered is not None
    assert (offered.start, offered.end) == (0, len(live.lines or ()))
    with pytest.raises(ConflictError):
        it.accept("x", AcceptMode.EXACT)
    plan = it.accept("x", AcceptMode.TAKE)
    assert plan is not None
    assert plan.entry == result
    assert plan.live is live
    assert bool(plan.edits) == (live.lines is not None and result is not None)


@pytest.mark.parametrize(
    ("base", "result", "live"),
    [
        (one_file("a b"), None, in_buffer("a\nmine\n", one_file("a b"))),
        (BIN, BIN_2, in_buffer("mine\n", BIN)),
        (BIN, None, in_buffer("mine\n", BIN)),
    ],
)
def test_what_no_undo_brings_back_is_not_taken(base: Entry | None, result: Entry | None, live: LiveText) -> None:
    it = World(base, {"x": result}, live)
    assert it.offers("x").take is None
    with pytest.raises(
        ConflictError, match=r"^a\.txt is open with unsaved changes that would be lost: save it first\."
    ):
        it.accept("x", AcceptMode.TAKE)


@pytest.mark.parametrize("how", [AcceptMode.INSTEAD, AcceptMode.TAKE, AcceptMode.MARK])
@pytest.mark.parametrize("result", [one_file("a X"), BIN])
def test_nothing_goes_where_no_file_may_be(how: AcceptMode, result: Entry) -> None:
    blocked = LiveText("a.txt", None, None, blocked="it leads through a link")
    it = World(None, {"x": result, "y": one_file("y")}, blocked)
    assert it.offers("x") == Resolutions()
    with pytest.raises(ConflictError, match="it leads through a link"):
        it.accept("x", how)


# Mark


def test_marking_a_stretch_and_placing_the_rest() -> None:
    it = world("a b c d e", "a mine c d e", x="a X c d E")
    plan = it.accept("x", AcceptMode.MARK)
    assert "".join(it.live.lines or ()) == (
        "a\n<<<<<<< yours\nmine\n||||||| snapshot\nb\n=======\nX\n>>>>>>> x\nc\nd\nE\n"
    )
    assert plan is not None
    assert it.selection is not None
    assert (it.selection.accepted, it.selection.marked) == (1, 1)
    # A marked conflict does not count as accepted.
    assert it.selection.chosen == (("a.txt", frozenset({it.items("x")[1].id})),)


def test_marking_two_texts_of_one_name() -> None:
    it = World(None, {"x": one_file("a X")}, in_buffer("mine\r\n", one_file("mine")))
    it.accept("x", AcceptMode.MARK)
    assert "".join(it.live.lines or ()) == (
        "<<<<<<< yours\r\nmine\r\n||||||| snapshot\r\n=======\r\na\r\nX\r\n>>>>>>> x\r\n"
    )
    assert it.selection is not None
    assert (it.selection.accepted, it.selection.marked, it.selection.chosen) == (0, 1, ())


@pytest.mark.parametrize(
    "kind",
    [kind for kind in TAKEN if not kind.startswith("created by both") or "binary" in kind or "link" in kind],
)
def test_only_texts_can_be_marked(kind: str) -> None:
    base, result, live = TAKEN[kind]
    it = World(base, {"x": result}, live)
    assert not it.offers("x").mark
    with pytest.raises(ConflictError, match="cannot hold both sides between conflict markers, since one is no text"):
        it.accept("x", AcceptMode.MARK)


# Offered resolutions can be carried out


def test_what_fits_needs_no_offer() -> None:
    it = world("a b c d e", "a mine c d e", x="a X c d E")
    assert it.offers("x", 1) == Resolutions()
    assert it.offers("x").names == (AcceptMode.TAKE, AcceptMode.MARK)


@pytest.mark.parametrize(
    ("base", "result", "live"),
    [
        (file("a\n"), file("a\n", EXECUTABLE_MODE), on_disk(None)),
        (file("a\n"), file("a\n", EXECUTABLE_MODE), on_disk(LINK)),
    ],
)
def test_a_mode_by_itself_has_nowhere_to_go(base: Entry, result: Entry, live: LiveText) -> None:
    it = World(base, {"x": result}, live)
    assert it.offers("x") == Resolutions()
    for how in (AcceptMode.TAKE, AcceptMode.MARK, AcceptMode.INSTEAD):
        with pytest.raises(ConflictError):
            it.accept("x", how)


WORDS = st.lists(st.sampled_from("abc"), max_size=7)

STEPS = st.lists(st.sampled_from(["keep", "drop", "change", "insert"]), min_size=7, max_size=7)


@given(WORDS, WORDS, WORDS, WORDS | st.none())
def test_whatever_is_offered_can_be_done(base: list[str], x: list[str], y: list[str], live: list[str] | None) -> None:
    found = [" ".join(one) for one in (base, x, y, x if live is None else live)]
    it = world(found[0], found[3], x=found[1], y=found[2])
    start = it.live
    for index, item in enumerate(it.items("y")):
        for how in it.offers("y", index).names:
            it.accept("y", how, [item.id])
            it.live = start


def edited(by: str, steps: list[str]) -> str:
    """Return seven lines after these steps, one for each line. No line occurs twice."""
    made = {"keep": "{0}", "drop": "", "change": "{1}{0}", "insert": "{1}{0} {0}"}
    return " ".join(made[step].format(line, by) for line, step in zip("abcdefg", steps, strict=True))


@settings(max_examples=40)
@given(STEPS, STEPS, STEPS)
def test_what_was_taken_or_switched_to_is_there(x: list[str], y: list[str], mine: list[str]) -> None:
    for live in (edited("x", x), edited("m", mine)):
        it = world("a b c d e f g", live, x=edited("x", x), y=edited("y", y))
        start = it.live
        for index, item in enumerate(it.items("y")):
            for how in {*it.offers("y", index).names} - {AcceptMode.MARK}:
                it.accept("y", how, [item.id])
                assert it.statuses("y")[index] == "applied"
                it.live = start


@given(WORDS, WORDS, WORDS)
def test_switching_there_and_back_leaves_everything_as_it_was(base: list[str], x: list[str], y: list[str]) -> None:
    numbered = [f"{word}{number}" for number, word in enumerate(base)]
    found = [" ".join(one) for one in (numbered, x, y)]
    it = world(found[0], found[1], x=found[1], y=found[2])
    start = it.live.lines
    for index, item in enumerate(it.items("y")):
        out = it.offers("y", index).instead
        if not out:
            continue
        it.accept("y", AcceptMode.INSTEAD, [item.id])
        assert it.live.lines != start
        it.accept("x", AcceptMode.INSTEAD, [one.id for one in out])
        assert it.live.lines == start
