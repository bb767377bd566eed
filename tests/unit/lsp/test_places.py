"""Test which changes compete at which place of a document, and which of them is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mux_lsp.core import diff
from mux_lsp.core.model import ChangeKind, FileChange, HunkStatus
from mux_lsp.engine.review.hunks import FileDiff
from mux_lsp.lsp.review import places
from tests.unit.lsp.reviewing import range_of, review_of, runs, view_of

if TYPE_CHECKING:
    from lsprotocol import types

BEFORE = "a\nb\nc\nd\n"


@pytest.mark.parametrize(
    ("one", "other", "touch"),
    [
        (range_of(2, 3), range_of(2, 2), True),
        (range_of(2, 3), range_of(2, 2, 5, 5), True),
        (range_of(2, 3), range_of(3, 3), False),
        (range_of(2, 3), range_of(1, 1), False),
        # A selection up to the start of a line does not include that line.
        (range_of(2, 3), range_of(0, 2), False),
        (range_of(2, 3), range_of(0, 2, 0, 1), True),
        (range_of(2, 3), range_of(0, 9), True),
        (range_of(2, 5), range_of(4, 4), True),
        (range_of(2, 5), range_of(5, 6), False),
        # An insertion is reached from the line after it.
        (range_of(2, 2), range_of(2, 2), True),
        (range_of(2, 2), range_of(1, 1), False),
        (range_of(2, 2), range_of(1, 3), True),
        # The last line of a text without a line end.
        (range_of(2, 2, 0, 4), range_of(2, 2, 4, 4), True),
        (range_of(1, 2, 0, 4), range_of(2, 2), True),
    ],
)
def test_touches(one: types.Range, other: types.Range, touch: bool) -> None:
    assert places.touches(one, other) is touch


def told(view: places.DocumentReview) -> list[tuple[int, list[str]]]:
    """Return the line of each place and its variants, the shown one in brackets."""
    return [
        (
            place.shown.range.start.line,
            [
                f"[{' '.join(variant.runs)}]" if variant is place.shown else " ".join(variant.runs)
                for variant in place.variants
            ],
        )
        for place in view.places
    ]


def test_equal_hunks_are_one_variant_and_competing_ones_share_a_place() -> None:
    view = runs(BEFORE, "a\nx\nc\nd\n", "a\nB\nc\nd\n", "a\nB\nc\nD\n")
    assert told(view) == [(1, ["[k3f-2 k3f-3]", "k3f-1"]), (3, ["[k3f-3]"])]
    assert [(one.who, one.what) for place in view.places for one in place.variants] == [
        ("k3f-2 (2/3 agree)", "+1 −1"),  # noqa: RUF001  a minus sign
        ("k3f-1 (1/3 agree)", "+1 −1"),  # noqa: RUF001
        ("k3f-3 (1/3 agree)", "+1 −1"),  # noqa: RUF001
    ]


def test_tasks_are_apart_also_at_the_same_lines() -> None:
    view = view_of(BEFORE, review_of(BEFORE, "a\nB\nc\nd\n", "k3f-1"), review_of(BEFORE, "a\nx\nc\nd\n", "m2x-1"))
    assert told(view) == [(1, ["[k3f-1]"]), (1, ["[m2x-1]"])]
    assert [place.task for place in view.places] == ["k3f", "m2x"]


def test_deleting_the_file_is_a_decision_of_its_own() -> None:
    view = runs(BEFORE, "a\nB\nc\nd\n", "", "a\nb\nc\nD\n", "")
    assert told(view) == [(0, ["[k3f-2 k3f-4]"]), (1, ["[k3f-1]"]), (3, ["[k3f-3]"])]
    assert view.places[0].shown.what == "delete the file"


def test_changes_without_hunks_are_a_place_at_the_first_line() -> None:
    def mode(run: str, new: int, kind: ChangeKind = ChangeKind.MODIFIED) -> FileDiff:
        change = FileChange("a.txt", kind, 0o100644, new, "1" * 40, "1" * 40, 0, 0)
        return FileDiff(run, "sh:true", change)

    view = view_of(BEFORE, mode("k3f-1", 0o100755), review_of(BEFORE, "A\nb\nc\nd\n", "k3f-2"), mode("k3f-3", 0o100755))
    whole = view.places[0]
    assert (whole.start, whole.shown.hunk_id, whole.shown.runs, whole.shown.what) == (
        places.WHOLE_FILE_LINE,
        None,
        ("k3f-1", "k3f-3"),
        "file mode",
    )


@pytest.mark.parametrize(
    ("kind", "what"), [(ChangeKind.RENAMED, "rename to b<U+202E> c.txt"), (ChangeKind.COPIED, "copy of a.txt")]
)
def test_what_moves_a_file_says_where(kind: ChangeKind, what: str) -> None:
    change = FileChange("b\u202e\nc.txt", kind, 0o100644, 0o100644, "1" * 40, "1" * 40, 0, 0, "a.txt")
    place = runs(BEFORE, "A\nb\nc\nd\n").places[0].shown
    item = replace(place.item, review=FileDiff("k3f-1", "sh:true", change), hunk=None)
    assert replace(place, item=item).what == what


def test_what_is_decided_does_not_wait() -> None:
    before = "a\nb\nc\nd\ne\n"
    review = review_of(before, "A\nb\nC\nd\nE\n")
    view = view_of("A\nb\nc\nd\ne\n", review, rejected={"k3f-1": frozenset({review.hunks[1].id})})
    assert [(place.shown.status, place.is_open) for place in view.places] == [
        (HunkStatus.APPLIED, False),
        (HunkStatus.REJECTED, False),
        (HunkStatus.PENDING, True),
    ]
    assert view.at(range_of(0, 0)) == view.at(range_of(2, 2)) == []


def test_who_rejected_a_change_is_not_named_and_still_agrees() -> None:
    reviews = [review_of(BEFORE, "a\nB\nc\nd\n", f"k3f-{number}") for number in (1, 2)]
    (place,) = view_of(BEFORE, *reviews, rejected={"k3f-1": frozenset({reviews[0].hunks[0].id})}).places
    assert (place.shown.runs, place.shown.status, place.shown.agreement) == (
        ("k3f-2",),
        HunkStatus.PENDING,
        "2/2 agree",
    )


def test_the_next_best_is_shown_where_the_best_was_rejected() -> None:
    reviews = [review_of(BEFORE, "a\nB\nc\nd\n", "k3f-1"), review_of(BEFORE, "a\nx\nc\nd\n", "k3f-2")]
    view = view_of(BEFORE, *reviews, rejected={"k3f-1": frozenset({reviews[0].hunks[0].id})})
    assert told(view) == [(1, ["k3f-1", "[k3f-2]"])]
    assert [variant.run for variant in view.places[0].open_variants] == ["k3f-2"]


def test_where_one_is_applied_the_others_are_offered_and_do_not_wait() -> None:
    view = runs(BEFORE, "a\nB\nc\nd\n", "a\nx\nc\nd\n", live="typed\na\nx\nc\nd\n")
    (place,) = view.places
    assert (place.shown.run, place.is_open, place.open_variants) == ("k3f-2", False, ())
    assert [variant.run for variant in place.others] == ["k3f-1"]
    assert view.at(range_of(2, 2)) == [place]


def test_what_another_run_does_beside_an_applied_hunk_still_waits() -> None:
    """One run's hunk spans two hunks of another run, one of them applied."""
    before = "a\nb\nc\nd\ne\n"
    view = runs(before, "a\nX\nY\nZ\ne\n", "a\nB\nc\nD\ne\n", live="a\nB\nc\nd\ne\n")
    (place,) = view.places
    assert (place.is_open, place.shown.run, place.shown.item.start) == (True, "k3f-2", 3)
    assert [variant.run for variant in place.others] == ["k3f-1"]


# Choosing what is shown

ONE, TWO, THREE = "a\nB\nc\nd\n", "a\nx\nc\nd\n", "a\ny\nc\nd\n"


def chosen(view: places.DocumentReview, run: str) -> places.VariantSelection:
    place, variant = next((place, one) for place in view.places for one in place.variants if run in one.runs)
    return place.choice_of(variant)


def test_the_variants_go_round() -> None:
    view = runs(BEFORE, ONE, TWO, THREE)
    seen = []
    for _ in range(4):
        (place,) = view.places
        seen.append(place.shown.run)
        view = view.showing([place.choice_of(place.next())])
    assert seen == ["k3f-1", "k3f-2", "k3f-3", "k3f-1"]
    assert [variant.run for variant in view.places[0].in_order] == ["k3f-2", "k3f-1", "k3f-3"]


def test_a_choice_survives_what_is_typed_and_what_comes() -> None:
    choice = chosen(runs(BEFORE, ONE, TWO), "k3f-2")
    for view in (
        runs(BEFORE, ONE, TWO, live="typed\n\na\nb\nc\nd\n"),
        runs(BEFORE, ONE, TWO, ONE, ONE, THREE),
        runs(BEFORE, "A\nB\nc\nd\n", TWO, "a\nb\nc\nD\n"),
        runs(BEFORE, ONE, TWO, live="a\nmine\nc\nd\n"),
    ):
        assert view.showing([choice]).places[0].shown.run == "k3f-2"


def test_a_choice_is_for_the_run_where_its_agent_has_changed_its_mind() -> None:
    choice = chosen(runs(BEFORE, ONE, TWO), "k3f-2")
    assert runs(BEFORE, ONE, THREE).showing([choice]).places[0].shown.run == "k3f-2"
    assert runs(BEFORE, ONE, "a\nb\nc\nD\n").showing([choice]).places[0].shown.run == "k3f-1"


def test_a_choice_is_for_its_place_alone() -> None:
    view = runs(BEFORE, "a\nB\nc\nD\n", "a\nx\nc\ny\n")
    first, second = view.showing([chosen(view, "k3f-2")]).places
    assert (first.shown.run, second.shown.run) == ("k3f-2", "k3f-1")


def test_no_choice_shows_what_is_decided() -> None:
    view = runs(BEFORE, ONE, TWO, live=ONE)
    assert view.showing([chosen(view, "k3f-2")]).places[0].shown.run == "k3f-1"


def test_a_hunk_is_found_by_any_of_its_runs() -> None:
    view = runs(BEFORE, ONE, ONE, TWO)
    (hunk,) = diff.hunks(BEFORE, ONE, "a.txt")
    located = view.find("k3f-2", hunk.id)
    assert located is not None
    assert located.variant.runs == ("k3f-1", "k3f-2")
    assert view.find("k3f-3", hunk.id) is None
    assert view.find("k3f-1", None) is None
