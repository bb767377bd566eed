"""Test the status of a run's change of one file against a live text."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mux_lsp.core import diff, text
from mux_lsp.core.model import ChangeKind, FileChange, HunkStatus, Run, RunState
from mux_lsp.engine.review import items as reviewing
from mux_lsp.engine.review.diff_stats import LARGEST_TEXT
from mux_lsp.engine.review.hunks import FileDiff, HunkCache
from mux_lsp.engine.review.items import Item, plan_path, refuse_conflicts
from mux_lsp.engine.review.live_text import LiveText
from mux_lsp.engine.working_tree.disk import EXECUTABLE_MODE, FILE_MODE, SYMLINK_MODE, Entry
from mux_lsp.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Collection

P, A, C, R = HunkStatus.PENDING, HunkStatus.APPLIED, HunkStatus.CONFLICT, HunkStatus.REJECTED
RUN = Run("k3f-1", "k3f", "sh:true", None, RunState.FINISHED)


def name_of(content: bytes) -> str:
    """Return git's name of a blob."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def lines_of(content: str) -> tuple[str, ...]:
    return tuple(text.split_lines(content))


def change_of(before: Entry | None, after: Entry | None, *, is_text: bool = True) -> FileChange:
    kind = ChangeKind.MODIFIED if before and after else ChangeKind.ADDED if after else ChangeKind.DELETED
    return FileChange(
        "a.txt",
        kind,
        before.mode if before else 0,
        after.mode if after else 0,
        name_of(before.content) if before else "0" * 40,
        name_of(after.content) if after else "0" * 40,
        1 if is_text else None,
        1 if is_text else None,
    )


def review_of(before: Entry | None, after: Entry | None, *, is_text: bool = True) -> FileDiff:
    blobs = {name_of(entry.content): entry.content for entry in (before, after) if entry}
    return HunkCache(blobs.__getitem__).get(RUN, change_of(before, after, is_text=is_text))


def judge(review: FileDiff, live: LiveText, rejected: Collection[str] = ()) -> list[Item]:
    """Return the items of a change of one path against the live text."""
    return reviewing.evaluate(review, {"a.txt": live}.__getitem__, rejected)


def file(content: str | bytes, mode: int = FILE_MODE) -> Entry:
    return Entry(mode, content if isinstance(content, bytes) else content.encode())


def on_disk(entry: Entry | None) -> LiveText:
    decoded = text.decode(entry.content) if entry and entry.mode != SYMLINK_MODE else None
    return LiveText("a.txt", lines_of(decoded.text) if decoded else None, entry)


def in_buffer(content: str, entry: Entry | None) -> LiveText:
    lines = lines_of(content)
    return LiveText("a.txt", lines, entry, unsaved=on_disk(entry).lines != lines, open=True)


BASE = "a\nb\nc\nd\ne\n"
RESULT = "a\nB\nc\nD\ne\n"
MARKED = "<<<<<<< ours\nmine\n=======\nyours\n>>>>>>> theirs\n"
LONG = "x" * 1_000_000
MANY = "".join(f"{number}\n" for number in range(100_000))
BIN, BIN_2 = file(b"\0\1"), file(b"\0\2")
LATIN, LATIN_2 = file("Grüße\n".encode("latin-1")), file("Grüsse ü\n".encode("latin-1"))
LINK, LINK_2 = file("x", SYMLINK_MODE), file("y", SYMLINK_MODE)
TOOL = file(BASE, EXECUTABLE_MODE)

CASES: dict[str, tuple[Entry | None, Entry | None, LiveText, list[HunkStatus]]] = {
    "untouched": (file(BASE), file(RESULT), on_disk(file(BASE)), [P, P]),
    "untouched, open": (file(BASE), file(RESULT), in_buffer(BASE, file(BASE)), [P, P]),
    "all there": (file(BASE), file(RESULT), on_disk(file(RESULT)), [A, A]),
    "all there, unsaved": (file(BASE), file(RESULT), in_buffer(RESULT, file(BASE)), [A, A]),
    "one there": (file(BASE), file(RESULT), in_buffer("a\nB\nc\nd\ne\n", file(BASE)), [A, P]),
    "one changed here": (file(BASE), file(RESULT), in_buffer("a\nmine\nc\nd\ne\n", file(BASE)), [C, P]),
    "text above": (file(BASE), file(RESULT), in_buffer("1\n2\n" + BASE, file(BASE)), [P, P]),
    "other line ends": (file(BASE), file(RESULT), in_buffer(BASE.replace("\n", "\r\n"), file(BASE)), [P, P]),
    "other line ends, there": (file(BASE), file(RESULT), in_buffer(RESULT.replace("\n", "\r\n"), file(BASE)), [A, A]),
    "the file has gone": (file(BASE), file(RESULT), on_disk(None), [C, C]),
    "open, the file has gone": (file(BASE), file(RESULT), in_buffer(BASE, None), [P, P]),
    "not text now": (file(BASE), file(RESULT), on_disk(BIN), [C, C]),
    "a link now": (file(BASE), file(RESULT), on_disk(LINK), [C, C]),
    "added": (None, file(RESULT), on_disk(None), [P]),
    "added, there": (None, file(RESULT), on_disk(file(RESULT)), [A]),
    "added, there with other line ends": (None, file(RESULT), in_buffer(RESULT.replace("\n", "\r\n"), None), [A]),
    "added, another is there": (None, file(RESULT), on_disk(file("mine\n")), [C]),
    "added, part of it is there": (None, file(RESULT), in_buffer("a\n", None), [C]),
    "added, something binary is there": (None, file(RESULT), on_disk(BIN), [C]),
    "added empty": (None, file(""), on_disk(None), [P]),
    "added empty, there": (None, file(""), on_disk(file("")), [A]),
    "added empty, another is there": (None, file(""), on_disk(file("x\n")), [C]),
    "deleted": (file(BASE), None, on_disk(file(BASE)), [P]),
    "deleted, gone": (file(BASE), None, on_disk(None), [A]),
    "deleted, open": (file(BASE), None, in_buffer(BASE, file(BASE)), [P]),
    "deleted, changed on disk behind the buffer": (file(BASE), None, in_buffer(BASE, file("mine\n")), [C]),
    "deleted, gone behind the buffer": (file(BASE), None, in_buffer(BASE, None), [C]),
    "deleted, changed here": (file(BASE), None, in_buffer(BASE + "x\n", file(BASE)), [C]),
    "mode": (file(BASE), TOOL, on_disk(file(BASE)), [P]),
    "mode, there": (file(BASE), TOOL, on_disk(TOOL), [A]),
    "mode, text changed here": (file(BASE), TOOL, in_buffer("mine\n", file(BASE)), [P]),
    "mode, the file has gone": (file(BASE), TOOL, on_disk(None), [C]),
    "mode and text": (file(BASE), file(RESULT, EXECUTABLE_MODE), on_disk(file(BASE)), [P, P, P]),
    "mode and text, mode there": (file(BASE), file(RESULT, EXECUTABLE_MODE), on_disk(TOOL), [P, P, A]),
    "mode and text, text there": (file(BASE), file(RESULT, EXECUTABLE_MODE), on_disk(file(RESULT)), [A, A, P]),
    "binary": (BIN, BIN_2, on_disk(BIN), [P]),
    "binary, there": (BIN, BIN_2, on_disk(BIN_2), [A]),
    "binary, changed here": (BIN, BIN_2, on_disk(file(b"\0\3")), [C]),
    "binary, gone here": (BIN, BIN_2, on_disk(None), [C]),
    "binary added": (None, BIN, on_disk(None), [P]),
    "binary deleted": (BIN, None, on_disk(BIN), [P]),
    "binary deleted, gone": (BIN, None, on_disk(None), [A]),
    "not UTF-8": (LATIN, LATIN_2, on_disk(LATIN), [P]),
    "not UTF-8, open and saved": (LATIN, LATIN_2, replace(in_buffer("Grüße\n", LATIN), unsaved=False), [P]),
    "not UTF-8, unsaved": (LATIN, LATIN_2, in_buffer("Grüße!\n", LATIN), [C]),
    "link": (LINK, LINK_2, on_disk(LINK), [P]),
    "link, there": (LINK, LINK_2, on_disk(LINK_2), [A]),
    "link, a file of the same bytes here": (LINK, LINK_2, on_disk(file("x")), [C]),
    "text to link": (file(BASE), LINK, on_disk(file(BASE)), [P]),
    "link to text": (LINK, file(BASE), on_disk(LINK), [P]),
    "text to binary": (file(BASE), BIN, on_disk(file(BASE)), [P]),
    "no line end at the end": (file("a\nb"), file("a\nb\n"), on_disk(file("a\nb")), [P]),
    "no line end at the end, there": (file("a\nb\n"), file("a\nb"), on_disk(file("a\nb")), [A]),
    "mixed line ends": (file("a\r\nb\nc\rd\n"), file("a\r\nB\nc\rd\n"), on_disk(file("a\r\nb\nc\rd\n")), [P]),
    "mixed line ends, one changed here": (
        file("a\r\nb\nc\n"),
        file("a\r\nB\nc\n"),
        on_disk(file("a\r\nb\r\nc\n")),
        [C],
    ),
    "conflict markers": (file(MARKED), file(MARKED + "x\n"), on_disk(file(MARKED)), [P]),
    "conflict markers taken out here": (file(MARKED), file(MARKED.replace("mine", "x")), on_disk(file("mine\n")), [C]),
    "one very long line": (file(LONG), file(LONG + "y\n"), on_disk(file(LONG)), [P]),
    "one very long line, changed here": (file(LONG), file(LONG + "y\n"), on_disk(file(LONG + "z\n")), [C]),
    "very many lines": (file(MANY), file(MANY.replace("7\n", "seven\n", 1)), on_disk(file("0\n" + MANY)), [P]),
    "emptied": (file(BASE), file(""), on_disk(file(BASE)), [P]),
    "emptied, there": (file(BASE), file(""), on_disk(file("")), [A]),
    "filled": (file(""), file(BASE), on_disk(file("")), [P]),
    "mark": (file(BASE), file(b"\xef\xbb\xbf" + BASE.encode()), on_disk(file(BASE)), [P]),
    "added where a folder is": (None, file(RESULT), LiveText("a.txt", None, None, obstacle="a.txt"), [P]),
    "deleted where a folder is": (file(BASE), None, LiveText("a.txt", None, None, obstacle="a.txt"), [A]),
    "changed where a folder is": (file(BASE), file(RESULT), LiveText("a.txt", None, None, obstacle="a.txt"), [C, C]),
    "behind a link": (file(BASE), file(RESULT), LiveText("a.txt", None, None, blocked="through a link"), [C, C]),
    "binary behind a link": (BIN, BIN_2, LiveText("a.txt", None, None, blocked="through a link"), [C]),
}


@pytest.mark.parametrize(("before", "after", "live", "expected"), CASES.values(), ids=CASES.keys())
def test_judge(before: Entry | None, after: Entry | None, live: LiveText, expected: list[HunkStatus]) -> None:
    # git counts no lines for what it takes for binary: files with a NUL byte.
    is_text = not any(entry and b"\0" in entry.content for entry in (before, after))
    items = judge(review_of(before, after, is_text=is_text), live)
    statuses = [item.status for item in items]
    if before and after and before.mode != after.mode and SYMLINK_MODE in {before.mode, after.mode}:
        statuses = statuses[:1]
    assert statuses == expected
    # Every conflict has a reason, and nothing else has.
    assert [bool(item.reason) for item in items] == [item.status is C for item in items]


def test_a_rejection_hides_what_could_be_placed_and_never_what_is_there() -> None:
    review = review_of(file(BASE), file(RESULT, EXECUTABLE_MODE))
    one, two = (hunk.id for hunk in review.hunks)

    def statuses(live: LiveText, *rejected: str) -> list[HunkStatus]:
        return [item.status for item in judge(review, live, frozenset(rejected))]

    assert statuses(on_disk(file(BASE)), one) == [R, P, P]
    mode = judge(review, on_disk(file(BASE)))[-1].rejection_key
    assert statuses(on_disk(file(BASE)), one, two, mode) == [R, R, R]
    assert statuses(on_disk(file(RESULT)), one, two) == [A, A, P]
    assert statuses(in_buffer("a\nmine\nc\nd\ne\n", file(BASE)), one) == [R, P, P]
    assert [item.text_status for item in judge(review, on_disk(file(BASE)), {one})] == [P, P, P]


def test_a_rejection_of_what_is_no_text_is_of_that_alone() -> None:
    """The agent goes on, and nobody has seen its later version."""
    before, live = file(b"\0"), on_disk(file(b"\0"))
    (rejected,) = judge(review_of(before, file(b"\0\1")), live)
    for after, status in ((file(b"\0\1"), R), (file(b"\0\2"), P), (file(b"\0\1", EXECUTABLE_MODE), P)):
        (item,) = judge(review_of(before, after), live, {rejected.rejection_key})
        assert item.status is status


def test_a_hunk_keeps_its_id_whatever_the_line_ends_of_the_buffer() -> None:
    review = review_of(file(BASE), file(RESULT))
    items = judge(review, in_buffer(BASE.replace("\n", "\r\n"), file(BASE)))
    assert [item.hunk.id for item in items if item.hunk] == [hunk.id for hunk in review.hunks]


def test_a_result_that_changes_line_ends_means_it() -> None:
    review = review_of(file(BASE), file(BASE.replace("\n", "\r\n")))
    (item,) = judge(review, on_disk(file(BASE)))
    assert item.status is P
    planned = plan_of([item])
    assert planned == Entry(FILE_MODE, BASE.replace("\n", "\r\n").encode())


def plan_of(items: list[Item], blobs: dict[str, bytes] | None = None) -> Entry | None:
    from pathlib import Path

    made = plan_path(Path("/nowhere"), "a.txt", items, HunkCache((blobs or {}).__getitem__))
    assert made is not None
    return made.entry


@pytest.mark.parametrize("mode", [FILE_MODE, EXECUTABLE_MODE])
def test_a_plan_keeps_the_mode_the_mark_and_the_line_ends_that_are_there(mode: int) -> None:
    review = review_of(file(BASE), file(RESULT))
    dos = BASE.replace("\n", "\r\n")
    entry = Entry(mode, b"\xef\xbb\xbf" + dos.encode())
    live = LiveText("a.txt", lines_of(dos), entry, bom=True)
    items = judge(review, live)
    expected = b"\xef\xbb\xbf" + RESULT.replace("\n", "\r\n").encode()
    assert plan_of(items) == Entry(mode, expected)


def test_a_part_of_the_hunks_is_a_part_of_the_text() -> None:
    review = review_of(file(BASE), file(RESULT, EXECUTABLE_MODE))
    live = on_disk(file(BASE))
    one, two, mode = judge(review, live)
    assert plan_of([two]) == file("a\nb\nc\nD\ne\n")
    assert plan_of([one, mode]) == file("a\nB\nc\nd\ne\n", EXECUTABLE_MODE)
    assert plan_of([mode]) == TOOL


@pytest.mark.parametrize("content", [BIN, LATIN, file(BASE), file(b"\xef\xbb\xbf" + BASE.encode())])
def test_a_mode_leaves_the_content_alone(content: Entry) -> None:
    after = replace(content, mode=EXECUTABLE_MODE)
    items = judge(review_of(content, after, is_text=content is not BIN), on_disk(content))
    assert plan_of(items) == after


def test_whole_files() -> None:
    for before, after in ((BIN, BIN_2), (None, BIN), (LINK, LINK_2), (BIN, None)):
        review = review_of(before, after, is_text=False)
        live = on_disk(before)
        blobs = {name_of(after.content): after.content} if after else {}
        assert plan_of(judge(review, live), blobs) == after


def test_conflicts_are_named_all_at_once_with_their_lines() -> None:
    review = review_of(file(BASE), file(RESULT))
    items = judge(review, in_buffer("a\nmine\nc\nyours\ne\n", file(BASE)))
    with pytest.raises(ConflictError) as refused:
        refuse_conflicts(items)
    assert str(refused.value) == (
        "Nothing was written, because of a conflict in a.txt:2: line 2 was changed here too; "
        "a.txt:4: line 4 was changed here too."
    )
    # A hunk that was rejected and then asked for still counts as a conflict.
    rejected = judge(review, in_buffer("a\nmine\nc\nd\ne\n", file(BASE)), {review.hunks[0].id})
    with pytest.raises(ConflictError):
        refuse_conflicts(rejected)


def test_what_nobody_would_read_goes_as_a_whole() -> None:
    big = file("x\n" * (LARGEST_TEXT // 2 + 1))
    for before, after in ((file(BASE), big), (big, file(BASE)), (LATIN, LATIN_2), (file(BASE), LATIN)):
        review = review_of(before, after)
        assert (review.hunks, review.whole) == ((), True)
    marked = file(b"\xef\xbb\xbf" + BASE.encode())
    assert review_of(file(BASE), marked).whole
    assert not review_of(marked, file(b"\xef\xbb\xbf" + RESULT.encode())).whole


def test_reviews_read_each_content_once() -> None:
    read: list[str] = []
    blobs = {name_of(content.encode()): content.encode() for content in (BASE, RESULT)}

    def blob(name: str) -> bytes:
        read.append(name)
        return blobs[name]

    reviews = HunkCache(blob)
    change = change_of(file(BASE), file(RESULT))
    one = reviews.get(RUN, change)
    two = reviews.get(replace(RUN, id="k3f-2", agent="other"), change)
    assert len(read) == 2
    assert (two.run, two.agent, two.hunks) == ("k3f-2", "other", one.hunks)
    assert one.hunks == diff.hunks(BASE, RESULT, "a.txt")
