"""Test that an accept over the person's lines asks first and shows those lines, and that nothing else asks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lsprotocol import types

from mux_lsp.core.model import HunkStatus, Run, RunState
from mux_lsp.core.placement import LineEdit
from mux_lsp.engine.review.items import PathPlan
from mux_lsp.engine.review.selection import Selection
from mux_lsp.engine.working_tree.disk import Entry
from mux_lsp.lsp.review import overwrite, wire_places
from tests.unit.lsp.reviewing import range_of, runs

if TYPE_CHECKING:
    from mux_lsp.engine.review.items import Item
    from mux_lsp.engine.review.live_text import LiveText

BEFORE = "a\nb\nc\nd\ne\nf\n"
AFTER = "a\nB\nc\nd\nE\nf\n"
LIVE = "a\nmine\nc\nd\ne\nf\n"
RUN = Run("k3f-1", "k3f", "sh:true", None, RunState.FINISHED)


def selected(*placed: Item, displaced: tuple[Item, ...] = ()) -> Selection:
    return Selection(RUN, Path("/r"), (), (), 0, placed=placed, displaced=displaced)


def planned(live: LiveText, *edits: LineEdit) -> PathPlan:
    return PathPlan("a.txt", live, edits, Entry(0o100644, b""))


def colliding(live: str = LIVE) -> tuple[Item, Item]:
    """Return a change in conflict, and one that can be placed."""
    first, second = (place.shown.item for place in runs(BEFORE, AFTER, live=live).places)
    assert (first.text_status, second.text_status) == (HunkStatus.CONFLICT, HunkStatus.PENDING)
    return first, second


def test_only_what_collides_goes_over_the_persons_lines() -> None:
    first, second = colliding()
    assert overwrite.taken(selected(first, second)) == [first]
    assert overwrite.taken(selected(second)) == []
    # The removed hunk of another run is not the person's.
    assert overwrite.taken(selected(first, second, displaced=(second,))) == []


def test_only_the_edit_that_loses_something_is_to_be_confirmed() -> None:
    first, _ = colliding()
    plan = planned(first.live, LineEdit(1, 2, "B\n"), LineEdit(4, 5, "E\n"))
    edits = [types.TextEdit(range_of(1, 2), "B\n"), types.TextEdit(range_of(4, 5), "E\n")]
    confirmed, plain = overwrite.to_confirm(plan, edits, [first])
    assert confirmed == types.AnnotatedTextEdit(overwrite.ANNOTATION, range_of(1, 2), "B\n")
    assert plain is edits[1]
    assert overwrite.to_confirm(plan, edits, []) == edits
    asked = overwrite.annotation("k3f-1", [plan], [first])
    assert asked.needs_confirmation is True
    assert (asked.label, asked.description) == ("mux: k3f-1 over yours", "Loses:\nmine")


def test_a_file_that_goes_over_what_was_typed_in_it_is_lost_whole() -> None:
    (place,) = runs("a\n", "", live="a\nmine").places
    over = overwrite.taken(selected(place.shown.item))
    gone = PathPlan("a.txt", place.shown.item.live)
    assert overwrite.is_over(gone, over)
    assert overwrite.annotation("k3f-1", [gone], over).description == "Loses:\na\nmine"


@pytest.mark.parametrize(
    ("mine", "said"),
    [
        ("a\x1b[31mb\u202e\n", "Loses:\nab<U+202E>"),
        (
            "".join(f"{number}\n" for number in range(22)),
            "Loses:\n" + "\n".join(map(str, range(20))) + "\n… and 2 more",
        ),
    ],
)
def test_what_would_be_lost_is_shown_in_part_and_harmless(mine: str, said: str) -> None:
    first, _ = colliding(LIVE.replace("mine\n", mine))
    plan = planned(first.live, LineEdit(first.start, first.end, "B\n"))
    assert overwrite.annotation("k3f-1", [plan], [first]).description == said


def test_a_client_that_draws_places_is_told_of_what_would_be_lost() -> None:
    first, second = wire_places.places(runs(BEFORE, AFTER, live=LIVE)).places
    assert (first.variants[0].resolutions, first.variants[0].lost) == (["take", "mark"], ["mine\n"])
    assert (second.variants[0].resolutions, second.variants[0].lost) == (["exact"], [])
