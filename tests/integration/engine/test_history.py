"""Test which acceptances are recorded from consecutive versions of a text and from commands, in a real journal."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from mux_lsp.core import text
from mux_lsp.core.model import ChangeKind, FileChange, HunkStatus, Run, RunState, Task
from mux_lsp.engine.review import select
from mux_lsp.engine.review.history import History, agreement
from mux_lsp.engine.review.hunks import HunkCache
from mux_lsp.engine.review.items import Item, evaluate
from mux_lsp.engine.review.live_text import LiveText
from mux_lsp.engine.review.presence import OFFERS, ClientObserver, DocumentObservations, key_of, presence_of
from mux_lsp.engine.state.events import ReviewChanged
from mux_lsp.engine.working_tree.disk import FILE_MODE
from mux_lsp.errors import ConflictError, UsageError
from mux_lsp.lsp.wire.documents import Lives
from mux_lsp.store.journal import Journal
from tests.integration.engine.conftest import Workshop, ended

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mux_lsp.core.history import Acceptance, ChangeKey
    from mux_lsp.engine.review.selection import Selection
    from mux_lsp.engine.state.events import Event

BASE = "a b c d e f g h"
BLOBS: dict[str, bytes] = {}
REVIEWS = HunkCache(BLOBS.__getitem__)


def blob(words: str) -> str:
    content = "".join(f"{word}\n" for word in words.split()).encode()
    name = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    BLOBS[name] = content
    return name


def run_of(name: str, result: str) -> Run:
    """Return a run that changes the base to `result`."""
    change = FileChange("f", ChangeKind.MODIFIED, FILE_MODE, FILE_MODE, blob(BASE), blob(result), 1, 1)
    return Run(name, name.partition("-")[0], "codex", None, RunState.FINISHED, files=(change,))


def items_of(live: str, results: dict[str, str]) -> list[Item]:
    """Return the items of all runs against a text."""
    text_ = LiveText("f", tuple(f"{word}\n" for word in live.split()), None, open=True)
    found: list[Item] = []
    for name, result in results.items():
        run = run_of(name, result)
        found += evaluate(REVIEWS.get(run, run.files[0]), lambda _: text_)
    return found


def added(item: Item) -> str:
    assert item.hunk is not None
    return " ".join(item.hunk.added).replace("\n", "")


ONE = {"k3f-1": "a B c d e f G h"}
B, G = "a B c d e f g h", "a b c d e f G h"

CASES: dict[str, list[tuple[str, dict[str, str], str]]] = {
    # For each version: the text, the results, and the hunks recorded (+) and withdrawn (-) by then.
    "accepted one by one": [(BASE, ONE, ""), (B, ONE, "+B"), (ONE["k3f-1"], ONE, "+G")],
    "accepted at once, undone at once": [(BASE, ONE, ""), (ONE["k3f-1"], ONE, "+B +G"), (BASE, ONE, "-B -G")],
    "undone and redone": [(BASE, ONE, ""), (B, ONE, "+B"), (BASE, ONE, "-B"), (B, ONE, "+B")],
    "there from the beginning": [(B, ONE, ""), ("x " + B, ONE, ""), (B, ONE, "")],
    "there from the beginning, taken out": [(B, ONE, ""), (BASE, ONE, "-B"), (B, ONE, "+B")],
    "typed in pieces": [(BASE, ONE, ""), ("a Bx c d e f g h", ONE, ""), (B, ONE, "+B")],
    "edited afterwards": [(BASE, ONE, ""), (B, ONE, "+B"), ("a Bx c d e f g h", ONE, ""), (B, ONE, "")],
    "edited, then as before": [(BASE, ONE, ""), (B, ONE, "+B"), ("a Bx c d e f g h", ONE, ""), (BASE, ONE, "-B")],
    "never there, then as before": [(BASE, ONE, ""), ("a x c d e f g h", ONE, ""), (BASE, ONE, "")],
    "of two runs, as one": [
        (BASE, {"k3f-1": B, "k3f-2": ONE["k3f-1"]}, ""),
        (B, {"k3f-1": B, "k3f-2": ONE["k3f-1"]}, "+B"),
        (BASE, {"k3f-1": B, "k3f-2": ONE["k3f-1"]}, "-B"),
    ],
    "a second run has it too, later": [(BASE, {"k3f-1": B}, ""), (B, {"k3f-1": B}, "+B"), (B, {**ONE, "k3f-2": B}, "")],
    "of two tasks, each its own": [
        (BASE, {"k3f-1": B, "m4d-1": B}, ""),
        (B, {"k3f-1": B, "m4d-1": B}, "+B +B"),
        (BASE, {"k3f-1": B, "m4d-1": B}, "-B -B"),
    ],
    "a result comes that the text has": [(B, {}, ""), (B, {"k3f-1": B}, ""), (B, ONE, "")],
    "a result turns into what the text has": [(B, {"k3f-1": "a X c d e f g h"}, ""), (B, {"k3f-1": B}, "")],
    "another result, and accepted meanwhile": [(BASE, {"k3f-1": B}, ""), (B, ONE, "+B")],
    "another result, and undone meanwhile": [(B, {"k3f-1": B}, ""), (BASE, ONE, "-B")],
    "a run goes": [(B, {"k3f-1": B}, ""), (B, {}, ""), (BASE, {"k3f-1": B}, "")],
    "another variant instead": [
        (BASE, {"k3f-1": B, "k3f-2": "a X c d e f g h"}, ""),
        (B, {"k3f-1": B, "k3f-2": "a X c d e f g h"}, "+B"),
        ("a X c d e f g h", {"k3f-1": B, "k3f-2": "a X c d e f g h"}, "+X -B"),
        (B, {"k3f-1": B, "k3f-2": "a X c d e f g h"}, "+B -X"),
    ],
    "another place leaves it alone": [
        (B, {"k3f-1": B, "k3f-2": G}, ""),
        ("a By c d e f G h", {"k3f-1": B, "k3f-2": G}, "+G"),
        ("a b c d e f G h", {"k3f-1": B, "k3f-2": G}, "-B"),
    ],
}


@pytest.mark.parametrize("looks", CASES.values(), ids=CASES)
def test_what_looks_say(looks: list[tuple[str, dict[str, str], str]]) -> None:
    seen = DocumentObservations()
    names: dict[ChangeKey, str] = {}
    for live, results, expected in looks:
        items = items_of(live, results)
        names |= {key_of(item): added(item) for item in items}
        come, gone = seen.next(presence_of(items))
        said = [f"+{added(standing.item)}" for _, standing in come] + [f"-{names[key]}" for key in gone]
        assert sorted(said) == sorted(expected.split()), (live, results)


def test_a_conflict_that_another_result_reads_as_applied_says_nothing() -> None:
    """The text and the hunk are the same, but it belongs to another result, whose other hunks explain the text."""
    before = items_of(B, {"k3f-1": B})
    [item] = before
    seen = DocumentObservations()
    conflict = Item(item.review, item.live, item.hunk, HunkStatus.CONFLICT, HunkStatus.CONFLICT)
    seen.next(presence_of([conflict]))
    other = presence_of([one for one in items_of("x " + B, ONE) if added(one) == "B"])
    assert seen.next(other) == ([], [])


class Desk:
    """A history over a real journal, with runs as the engine has them."""

    def __init__(self, path: Path, results: dict[str, str]) -> None:
        self.path = path
        self.runs = {name: run_of(name, result) for name, result in results.items()}
        self.results = results
        self.journal = Journal(path)
        self.history = History(self.journal, self.task, self.runs.__getitem__)
        self.watches: list[ClientObserver] = []

    def task(self, id_: str) -> Task:
        runs = tuple(run for run in self.runs.values() if run.task == id_)
        return Task(id_, "do it", "/r", "", 1.0, runs=runs)

    def watch(self, name: str) -> ClientObserver:
        watch = ClientObserver(lambda: name)
        self.history.join(watch)
        return watch

    def look(self, watch: ClientObserver, live: str) -> None:
        self.history.observe(watch, watch.of("file:///r/f"), presence_of(items_of(live, self.results)))

    def selection(self, run: str, live: str = BASE, wanted: str = "B G") -> Selection:
        placed = tuple(one for one in items_of(live, {run: self.results[run]}) if added(one) in wanted.split())
        after = tuple(f"{word}\n" for word in self.results[run].split())
        plan = SimpleNamespace(path="f", paths=("f",), lines=after)
        return cast("Selection", SimpleNamespace(run=self.runs[run], placed=placed, plans=(plan,), displaced=()))

    def accept(self, selection: Selection, client: str) -> None:
        prepared = self.history.prepare(selection, REVIEWS, client)
        self.journal.record(*self.history.settled(selection, prepared.items()))

    @property
    def noted(self) -> list[Acceptance]:
        return list(self.history.read())

    def brief(self) -> list[tuple[str, str, str, str, bool]]:
        """Return the records, oldest first: text, run, cause, client, and whether the record stands."""
        return [
            ((one.added.text or "").strip(), one.run, one.cause.value, one.client, one.withdrawn is None)
            for one in reversed(self.noted)
        ]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "mux.db", {"k3f-1": B, "k3f-2": "a B c d e f G h"})
    yield desk
    desk.journal.close()


def test_an_edit_that_was_asked_for_is_that_runs(desk: Desk) -> None:
    one, two = desk.watch("one"), desk.watch("two")
    for watch in (one, two):
        desk.look(watch, BASE)
    one.offer(desk.selection("k3f-2", wanted="B"))
    desk.look(two, G)
    desk.look(one, B)
    assert desk.brief() == [("G", "k3f-2", "text", "two", True), ("B", "k3f-2", "accept", "one", True)]
    assert [(found.agreed, found.total) for found in desk.noted] == [(("k3f-1",), 2), ((), 2)]
    # Another client's text gets it too, and loses it; then the first client's.
    desk.look(two, B)
    desk.look(two, BASE)
    assert [standing for *_, standing in desk.brief()] == [False, True]
    desk.look(one, BASE)
    assert [standing for *_, standing in desk.brief()] == [False, False]


def test_a_command_in_the_middle_of_it(desk: Desk) -> None:
    """The client's text, or another client's, may be seen before the command completes or after it."""
    one, other = desk.watch("one"), desk.watch("other")
    for watch in (one, other):
        desk.look(watch, BASE)
    selection = desk.selection("k3f-2")
    with desk.history.deciding(selection, "one"):
        desk.look(other, B)
        desk.accept(selection, "one")
    desk.look(one, "a B c d e f G h")
    assert desk.brief() == [("B", "k3f-2", "accept", "one", True), ("G", "k3f-2", "accept", "one", True)]
    assert [(found.line, found.before, found.after) for found in desk.noted] == [
        (6, ("d", "e", "f"), ("h",)),
        (1, ("a",), ("c", "d", "e")),
    ]


def test_what_was_undone_before_its_command_was_done_does_not_come_back(desk: Desk) -> None:
    one = desk.watch("one")
    desk.look(one, BASE)
    selection = desk.selection("k3f-1")
    with desk.history.deciding(selection, "one"):
        desk.look(one, B)
        desk.look(one, BASE)
        desk.accept(selection, "one")
    assert desk.brief() == [("B", "k3f-1", "accept", "one", False)]


def test_what_was_lost_unseen_and_is_accepted_anew(desk: Desk) -> None:
    for _ in range(2):
        selection = desk.selection("k3f-1")
        with desk.history.deciding(selection, "terminal"):
            desk.accept(selection, "terminal")
    assert [standing for *_, standing in desk.brief()] == [False, True]
    # An open text that has it shows that it is there.
    one = desk.watch("one")
    desk.look(one, B)
    selection = desk.selection("k3f-1")
    with desk.history.deciding(selection, "terminal"):
        desk.accept(selection, "terminal")
    assert [standing for *_, standing in desk.brief()] == [False, True]


def test_a_closed_document_begins_anew(desk: Desk) -> None:
    one = desk.watch("one")
    desk.look(one, BASE)
    one.close("file:///r/f")
    desk.look(one, B)
    assert desk.noted == []
    assert one.holds(next(iter(presence_of(items_of(B, {"k3f-1": B})))))


def test_a_document_awaits_the_edit_that_was_asked_for(desk: Desk) -> None:
    one = desk.watch("one")
    assert not one.awaits("file:///r/f")
    desk.look(one, BASE)
    assert not one.awaits("file:///r/f")
    one.offer(desk.selection("k3f-1"))
    assert one.awaits("file:///r/f")
    desk.look(one, B)
    assert not one.awaits("file:///r/f")


def test_only_so_many_offers_are_remembered(desk: Desk) -> None:
    one = desk.watch("one")
    desk.look(one, BASE)
    one.offer(desk.selection("k3f-1"))
    many: list[Any] = [
        SimpleNamespace(hunk=SimpleNamespace(id=str(number)), review=item.review)
        for number in range(OFFERS)
        for item in items_of(BASE, {"k3f-1": B})
    ]
    one.offer(cast("Selection", SimpleNamespace(run=desk.runs["k3f-1"], placed=many)))
    assert not one.awaits("file:///r/f")


def test_agreement_is_by_hunk_or_by_the_whole_file(desk: Desk) -> None:
    desk.runs["k3f-3"] = run_of("k3f-3", B)
    desk.runs["k3f-4"] = run_of("k3f-4", "a X c d e f g h")
    selection = desk.selection("k3f-1")
    assert list(agreement(selection, desk.task("k3f"), REVIEWS).values()) == [["k3f-2", "k3f-3"]]


def test_a_journal_that_cannot_be_written_stops_nobody(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    one = desk.watch("one")
    desk.look(one, BASE)
    with closing(sqlite3.connect(desk.path)) as database:
        database.execute("DROP TABLE acceptances")
    desk.look(one, B)
    assert "what was accepted could not be noted" in caplog.text


def test_a_run_that_was_deleted_meanwhile_is_left_out(desk: Desk) -> None:
    one = desk.watch("one")
    desk.look(one, BASE)

    def gone(_: str) -> Run:
        raise UsageError("There is no run.")

    desk.history._run = gone
    desk.look(one, B)
    assert desk.noted == []


async def test_an_engine_keeps_it_over_a_restart(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        task = await workshop.start(engine, "sh:sed -i s/two/2/ f.txt")
        run = await ended(engine, task.runs[0].id)
        selection = select.select(engine.review, run.id, Lives(workshop.root, {}))
        client: Any = SimpleNamespace(name="terminal", unsaved=lambda _: ({}, ()))
        with engine.history.deciding(selection, client.name):
            transaction = await select.begin(engine.review, selection, selection.plans, (), client=client)
            await transaction.write()
            await transaction.finish()
        await engine.tasks.delete(task.id)
    async with workshop.engine() as engine:
        [one] = engine.history.read(workshop.root / "f.txt")
        assert (one.run, one.client, one.added.text, one.line) == (run.id, "terminal", "2\n", 1)
        assert list(engine.history.read(root=workshop.root)) == [one]
        assert list(engine.history.read(workshop.root / "g.txt")) == []
    assert text.split_lines((workshop.root / "f.txt").read_text()) == ["one\n", "2\n", "three\n"]


async def test_an_accept_that_is_in_the_text_is_no_failure_where_the_journal_cannot_be_written(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    """A person who got an error would not look for it in the text, and would try again."""
    async with workshop.engine() as engine:
        task = await workshop.start(engine, "sh:sed -i s/two/2/ f.txt")
        run = await ended(engine, task.runs[0].id)
        selection = select.select(engine.review, run.id, Lives(workshop.root, {}))
        client: Any = SimpleNamespace(name="terminal", unsaved=lambda _: ({}, ()))
        told: list[Event] = []
        engine.subscribe(told.append)
        with (
            closing(sqlite3.connect(workshop.state / "mux.db", isolation_level=None)) as other,
            engine.history.deciding(selection, client.name),
        ):
            transaction = await select.begin(engine.review, selection, selection.plans, (), client=client)
            engine._ground.journal._database.execute("PRAGMA busy_timeout = 0")
            other.execute("BEGIN IMMEDIATE")
            await transaction.write()
            await transaction.finish()
            assert list(engine.history.read()) == []
        assert (workshop.root / "f.txt").read_text() == "one\n2\nthree\n"
        assert [event.paths for event in told if isinstance(event, ReviewChanged)] == [frozenset({"f.txt"})]
        assert f"what was accepted of {run.id} could not be put on record yet" in caplog.text
    async with workshop.engine() as engine:
        assert [one.run for one in engine.history.read()] == [run.id]


async def test_nothing_is_written_under_what_any_client_has_typed_since(workshop: Workshop) -> None:
    async with workshop.engine() as engine:
        task = await workshop.start(engine, "sh:sed -i s/two/2/ f.txt")
        run = await ended(engine, task.runs[0].id)
        selection = select.select(engine.review, run.id, Lives(workshop.root, {}))
        editor: Any = SimpleNamespace(name="editor", unsaved=lambda _: ({"f.txt": b"mine"}, ()))
        leave = engine.clients.join(editor)
        with (
            engine.history.deciding(selection, editor.name),
            pytest.raises(ConflictError, match=r"f\.txt has unsaved changes in editor"),
        ):
            await select.begin(engine.review, selection, selection.plans, (), client=editor)
        leave()
        assert (workshop.root / "f.txt").read_text() == "one\ntwo\nthree\n"
        assert sorted(path.name for path in workshop.root.iterdir()) == [".git", "f.txt"]
