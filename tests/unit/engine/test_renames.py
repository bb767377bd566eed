"""Test the status of a run's rename of a file, changed or not, against the present content of both paths."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mux_lsp.core.model import ChangeKind
from mux_lsp.engine.review.hunks import HunkCache
from mux_lsp.engine.review.items import PathPlan, evaluate, plan_path, refuse_conflicts
from mux_lsp.engine.review.live_text import LiveText
from mux_lsp.engine.working_tree.disk import EXECUTABLE_MODE, FILE_MODE, SYMLINK_MODE, Write
from mux_lsp.errors import ConflictError
from tests.unit.engine.test_items import (
    BASE,
    BIN,
    BIN_2,
    LINK,
    LINK_2,
    RESULT,
    RUN,
    A,
    C,
    P,
    R,
    change_of,
    file,
    in_buffer,
    name_of,
    on_disk,
)

if TYPE_CHECKING:
    from mux_lsp.core.model import FileChange, HunkStatus
    from mux_lsp.engine.review.hunks import FileDiff
    from mux_lsp.engine.review.items import Item
    from mux_lsp.engine.review.live_text import LiveOf
    from mux_lsp.engine.working_tree.disk import Entry

OLD, NEW = "old.txt", "new/name.txt"
HERE = f"a file named {NEW} is here already"
GONE = "the file is not there any more: it was deleted or renamed here"
WHOLE = "the file was changed here and can only be taken as a whole"
NOTHING = on_disk(None)
MOVED = file(RESULT)
TOOL = file(BASE, EXECUTABLE_MODE)


def rename_of(before: Entry, after: Entry) -> FileChange:
    is_text = b"\0" not in before.content + after.content
    return replace(change_of(before, after, is_text=is_text), path=NEW, kind=ChangeKind.RENAMED, old_path=OLD)


def reviews_of(*entries: Entry) -> HunkCache:
    return HunkCache({name_of(entry.content): entry.content for entry in entries}.__getitem__)


def review_of(before: Entry, after: Entry) -> FileDiff:
    return reviews_of(before, after).get(RUN, rename_of(before, after))


def lives(old: LiveText, new: LiveText) -> LiveOf:
    return {OLD: replace(old, path=OLD), NEW: replace(new, path=NEW)}.__getitem__


LINKED = LiveText("", None, None, blocked="it leads through a link")
FOLDER = LiveText("", None, None, obstacle=NEW)

CASES: dict[str, tuple[Entry, Entry, LiveText, LiveText, list[HunkStatus], str, str | None]] = {
    # before, after, at the old path, at the new path -> statuses (the rename last), path of the text, reason
    "untouched": (file(BASE), MOVED, on_disk(file(BASE)), NOTHING, [P, P, P], OLD, None),
    "open": (file(BASE), MOVED, in_buffer(BASE, file(BASE)), NOTHING, [P, P, P], OLD, None),
    "edited here": (file(BASE), MOVED, in_buffer("a\nmine\nc\nd\ne\n", file(BASE)), NOTHING, [C, P, P], OLD, None),
    "one hunk there": (file(BASE), MOVED, on_disk(file("a\nB\nc\nd\ne\n")), NOTHING, [A, P, P], OLD, None),
    "all hunks there": (file(BASE), MOVED, on_disk(MOVED), NOTHING, [A, A, P], OLD, None),
    "renamed here": (file(BASE), MOVED, NOTHING, on_disk(file(BASE)), [P, P, A], NEW, None),
    "renamed here, not saved yet": (file(BASE), MOVED, NOTHING, in_buffer(BASE, None), [P, P, A], NEW, None),
    "renamed and edited here": (file(BASE), MOVED, NOTHING, on_disk(file("x\n" + BASE)), [P, P, A], NEW, None),
    "all there": (file(BASE), MOVED, NOTHING, on_disk(MOVED), [A, A, A], NEW, None),
    "another file there": (file(BASE), MOVED, on_disk(file(BASE)), on_disk(file("mine\n")), [P, P, C], OLD, HERE),
    "the result there too": (file(BASE), MOVED, on_disk(file(BASE)), on_disk(MOVED), [P, P, C], OLD, HERE),
    "an unborn file there": (file(BASE), MOVED, on_disk(file(BASE)), in_buffer("x\n", None), [P, P, C], OLD, HERE),
    "something binary there": (file(BASE), MOVED, on_disk(file(BASE)), on_disk(BIN), [P, P, C], OLD, HERE),
    "open, not on disk": (file(BASE), MOVED, in_buffer(BASE, None), NOTHING, [P, P, P], OLD, None),
    "open, on disk there": (file(BASE), MOVED, in_buffer(BASE, None), on_disk(MOVED), [A, A, A], NEW, None),
    "gone": (file(BASE), MOVED, NOTHING, NOTHING, [C, C, C], OLD, GONE),
    "a folder there": (file(BASE), MOVED, on_disk(file(BASE)), FOLDER, [P, P, P], OLD, None),
    "a folder in its place": (file(BASE), MOVED, FOLDER, on_disk(MOVED), [A, A, A], NEW, None),
    "old behind a link": (file(BASE), MOVED, LINKED, NOTHING, [C, C, C], OLD, "it leads through a link"),
    "new behind a link": (file(BASE), MOVED, on_disk(file(BASE)), LINKED, [P, P, C], OLD, "it leads through a link"),
    "a link in its place": (file(BASE), MOVED, on_disk(LINK), NOTHING, [C, C, C], OLD,
                            "there is a link in place of the file now"),
    "pure": (file(BASE), file(BASE), on_disk(file(BASE)), NOTHING, [P], OLD, None),
    "pure, edited here": (file(BASE), file(BASE), in_buffer("mine\n", file(BASE)), NOTHING, [P], OLD, None),
    "pure, there": (file(BASE), file(BASE), NOTHING, on_disk(file("mine\n")), [A], NEW, None),
    "pure, binary": (BIN, BIN, on_disk(BIN), NOTHING, [P], OLD, None),
    "pure, binary, changed here": (BIN, BIN, on_disk(BIN_2), NOTHING, [P], OLD, None),
    "pure, link": (LINK, LINK, on_disk(LINK), NOTHING, [P], OLD, None),
    "pure, link that is a file now": (LINK, LINK, on_disk(file("x")), NOTHING, [C], OLD, "the link is a file now"),
    "with a mode": (file(BASE), TOOL, on_disk(file(BASE)), NOTHING, [P], OLD, None),
    "with a mode, renamed here": (file(BASE), TOOL, NOTHING, on_disk(file(BASE)), [P], NEW, None),
    "with a mode, all there": (file(BASE), TOOL, NOTHING, on_disk(TOOL), [A], NEW, None),
    "binary": (BIN, BIN_2, on_disk(BIN), NOTHING, [P], OLD, None),
    "binary, renamed here": (BIN, BIN_2, NOTHING, on_disk(BIN), [P], NEW, None),
    "binary, all there": (BIN, BIN_2, NOTHING, on_disk(BIN_2), [A], NEW, None),
    "binary, there without the rename": (BIN, BIN_2, on_disk(BIN_2), NOTHING, [C], OLD, WHOLE),
    "binary, changed here": (BIN, BIN_2, on_disk(file(b"\0\3")), NOTHING, [C], OLD, WHOLE),
    "binary, renamed and changed here": (BIN, BIN_2, NOTHING, on_disk(file(b"\0\3")), [C], NEW, WHOLE),
    "binary, another there": (BIN, BIN_2, on_disk(BIN), on_disk(BIN_2), [C], OLD, HERE),
    "binary, gone": (BIN, BIN_2, NOTHING, NOTHING, [C], OLD, GONE),
    "link": (LINK, LINK_2, on_disk(LINK), NOTHING, [P], OLD, None),
    "not UTF-8, unsaved": (file(b"\xfc\n"), file(b"\xfcx\n"), in_buffer("ü!\n", file(b"\xfc\n")), NOTHING, [C], OLD,
                           "the file is open with unsaved changes and can only be taken as a whole"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_judge(case: tuple[Entry, Entry, LiveText, LiveText, list[HunkStatus], str, str | None]) -> None:
    before, after, old, new, statuses, where, reason = case
    items = evaluate(review_of(before, after), lives(old, new))
    assert [item.status for item in items] == statuses
    assert {item.live.path for item in items} == {where}
    assert (items[-1].hunk, items[-1].reason) == (None, reason)


def test_hunks_are_the_same_with_and_without_the_rename() -> None:
    reviews = reviews_of(file(BASE), MOVED)
    change = rename_of(file(BASE), MOVED)
    edited = replace(change, path=OLD, kind=ChangeKind.MODIFIED, old_path=None)
    other = replace(change, path="elsewhere.txt")
    one, two, three = (reviews.get(RUN, each).hunks for each in (change, edited, other))
    assert one == two == three
    assert reviews.get(RUN, replace(edited, path=NEW)).hunks != one


def test_a_rejected_rename_and_rejected_hunks_are_apart() -> None:
    review = review_of(file(BASE), MOVED)
    there = lives(on_disk(file(BASE)), NOTHING)
    rename = evaluate(review, there)[-1].rejection_key
    assert [item.status for item in evaluate(review, there, {rename})] == [P, P, R]
    # A rejected rename stays rejected, whatever the agent writes to the file later.
    further = review_of(file(BASE), file(BASE.replace("a", "A")))
    assert evaluate(further, there, {rename})[-1].status is R
    assert [item.status for item in evaluate(review, there, {hunk.id for hunk in review.hunks})] == [R, R, P]


def planned(items: list[Item], *blobs: Entry) -> PathPlan:
    made = plan_path(Path("/nowhere"), NEW, items, reviews_of(*blobs))
    assert made is not None
    return made


def test_any_part_of_it_can_be_had() -> None:
    there = file(BASE)
    one, two, rename = evaluate(review_of(there, MOVED), lives(on_disk(there), NOTHING))
    both = file("a\nb\nc\nD\ne\n")
    assert planned([two]).writes() == (Write(OLD, there, both),)
    assert planned([rename]).writes() == (Write(OLD, there, None), Write(NEW, None, there, moved_from=OLD))
    assert planned([rename, two]).writes() == (Write(OLD, there, None), Write(NEW, None, both, moved_from=OLD))
    everything = planned([one, two, rename])
    assert everything.writes() == (Write(OLD, there, None), Write(NEW, None, MOVED, moved_from=OLD))
    assert (everything.accepted, everything.paths, len(everything.edits)) == (3, (OLD, NEW), 2)


def test_what_was_renamed_already_is_changed_where_it_is() -> None:
    for before, after in ((file(BASE), MOVED), (BIN, BIN_2), (file(BASE), TOOL)):
        items = evaluate(review_of(before, after), lives(NOTHING, on_disk(before)))
        made = planned([item for item in items if item.text_status is P], after)
        assert made.writes() == (Write(NEW, before, after),)
    items = evaluate(review_of(file(BASE), MOVED), lives(NOTHING, on_disk(MOVED)))
    assert plan_path(Path("/nowhere"), NEW, items, reviews_of()) is None


@pytest.mark.parametrize(
    ("before", "after", "here"),
    [
        (BIN, BIN_2, BIN),
        (LINK, LINK_2, LINK),
        (BIN, BIN, BIN_2),
        (file(b"\xfc\n"), file(b"\xfc\n"), file(b"\xfcx\n")),
        (file(BASE), file(BASE), file(b"\xef\xbb\xbf" + BASE.encode())),
        (file(BASE), file(BASE), TOOL),
    ],
)
def test_what_is_there_moves_as_it_is_unless_the_run_has_another_content(
    before: Entry, after: Entry, here: Entry
) -> None:
    items = evaluate(review_of(before, after), lives(on_disk(here), NOTHING))
    expected = after if after != before else here
    assert planned(items, after).writes() == (Write(OLD, here, None), Write(NEW, None, expected, moved_from=OLD))


def test_a_mode_comes_with_the_rename() -> None:
    there = file(BASE)
    after = file(RESULT, EXECUTABLE_MODE)
    *hunks, rename = evaluate(review_of(there, after), lives(on_disk(there), NOTHING))
    assert planned(hunks).entry == file(RESULT)
    assert planned([rename]).entry == TOOL
    assert planned([*hunks, rename]).entry == after


def test_conflicts_are_named_where_the_person_sees_them() -> None:
    items = evaluate(
        review_of(file(BASE), MOVED), lives(in_buffer("a\nmine\nc\nd\ne\n", file(BASE)), on_disk(file("x\n")))
    )
    with pytest.raises(ConflictError) as refused:
        refuse_conflicts(items)
    assert str(refused.value) == (
        f"Nothing was written, because of a conflict in {OLD}:2: line 2 was changed here too; {OLD}: {HERE}."
    )


@pytest.mark.parametrize(
    ("mode", "here", "status"),
    [
        (FILE_MODE, None, P),
        (FILE_MODE, file(BASE), A),
        (FILE_MODE, file("mine\n"), C),
        (SYMLINK_MODE, None, P),
        (SYMLINK_MODE, file(BASE, SYMLINK_MODE), A),
    ],
)
def test_a_copy_is_a_new_file(mode: int, here: Entry | None, status: HunkStatus) -> None:
    made = file(BASE, mode)
    change = replace(change_of(None, made), path=NEW, kind=ChangeKind.COPIED, old_path=OLD)
    review = reviews_of(made).get(RUN, change)
    (item,) = evaluate(review, lives(on_disk(file(BASE)), on_disk(here)))
    assert (item.status, item.live.path) == (status, NEW)
    if status is P:
        assert planned([item], made).writes() == (Write(NEW, None, made),)
