"""Test accepts on a real disk: all changes or none, and nowhere but in the repository."""

from __future__ import annotations

import errno
import os
import re
import stat
import threading
from typing import TYPE_CHECKING, Any

import pytest

from mux_lsp import faults
from mux_lsp.engine.review import transactions
from mux_lsp.engine.working_tree import disk
from mux_lsp.engine.working_tree.disk import (
    EXECUTABLE_MODE,
    FILE_MODE,
    SYMLINK_MODE,
    Entry,
    Write,
    content_of,
    obstacle,
    read,
    refuse_unsafe,
)
from mux_lsp.errors import ConflictError, MuxError
from mux_lsp.git.path_rules import STAGING
from tests.support.accepts import Accept, at, write_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def file(content: bytes, mode: int = FILE_MODE) -> Entry:
    return Entry(mode, content)


def link(target: str) -> Entry:
    return Entry(SYMLINK_MODE, target.encode())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path.resolve() / "root"
    made.mkdir()
    return made


def snapshot(root: Path) -> dict[str, tuple[int, bytes]]:
    """Return every folder, file and link below a folder with its mode and content."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            content = os.fsencode(path.readlink())
        else:
            content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        found[str(path.relative_to(root))] = (status.st_mode, content)
    return found


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def put(root: Path, path: str, entry: Entry | None) -> None:
    write_all(root, [Write(path, read(root, path), entry)])


@pytest.mark.usefixtures("umask")
def test_what_is_written_is_read_again_and_has_its_mode(root: Path) -> None:
    for path, entry, mode in (
        ("a.txt", file(b"a\r\n\xff"), 0o640),
        ("deep/er/tool.sh", file(b"#!", EXECUTABLE_MODE), 0o750),
        ("empty", file(b""), 0o640),
        ("caf\udce9", file(b"x"), 0o640),
        ("link", link("deep/er"), None),
        ("dangling", link("not/there"), None),
    ):
        assert read(root, path) is None
        put(root, path, entry)
        assert read(root, path) == entry
        if mode is not None:
            assert stat.S_IMODE((root / path).stat().st_mode) == mode
    assert "caf\udce9" in {path.name for path in root.iterdir()}
    assert not list(root.glob("**/.mux-*"))


@pytest.mark.parametrize(
    ("before", "mode", "after"),
    [
        (0o600, FILE_MODE, 0o600),
        (0o600, EXECUTABLE_MODE, 0o700),
        (0o644, EXECUTABLE_MODE, 0o755),
        (0o755, FILE_MODE, 0o644),
        (0o660, FILE_MODE, 0o660),
        (0o711, EXECUTABLE_MODE, 0o711),
    ],
)
def test_who_may_read_a_file_stays(root: Path, before: int, mode: int, after: int) -> None:
    (root / "a").write_bytes(b"1")
    (root / "a").chmod(before)
    put(root, "a", file(b"2", mode))
    assert stat.S_IMODE((root / "a").stat().st_mode) == after


def test_a_deletion_takes_empty_folders_with_it_and_no_others(root: Path) -> None:
    for path in ("a/b/c/x", "a/y"):
        put(root, path, file(b"1"))
    put(root, "a/b/c/x", None)
    assert set(snapshot(root)) == {"a", "a/y"}
    put(root, "a/y", None)
    assert snapshot(root) == {}
    assert root.exists()


def test_a_file_makes_way_for_a_folder_and_a_folder_for_a_file(root: Path) -> None:
    put(root, "one", file(b"1"))
    for path in ("two/x", "two/deep/er/y"):
        put(root, path, file(b"2"))
    before = snapshot(root)
    writes = [
        Write("one/x", None, file(b"11")),
        Write("one", file(b"1"), None),
        Write("two", None, file(b"22")),
        Write("two/x", file(b"2"), None),
        Write("two/deep/er/y", file(b"2"), None),
    ]
    accept = Accept.stage(root, writes)
    accept.write()
    assert {path: content for path, (_, content) in snapshot(root).items() if not path.startswith(".mux-lsp")} == {
        "one": b"",
        "one/x": b"11",
        "two": b"22",
    }
    assert accept.undo() == []
    assert snapshot(root) == before


@pytest.mark.parametrize(
    ("stays", "why"),
    [
        ("two/mine", "two is a folder here, and two/mine in it stays"),
        ("two/deep/mine", "two is a folder here, and two/deep/mine in it stays"),
        ("two/empty/", "two is a folder here, and two/empty in it stays"),
        ("two/link@", "two is a folder here, and two/link in it stays"),
    ],
)
def test_a_folder_does_not_make_way_with_something_of_the_persons_in_it(root: Path, stays: str, why: str) -> None:
    put(root, "two/x", file(b"2"))
    if stays.endswith("/"):
        (root / stays).mkdir()
    else:
        put(root, stays.rstrip("@"), link("x") if stays.endswith("@") else file(b"mine"))
    before = snapshot(root)
    with pytest.raises(ConflictError, match=f"{why}; nothing was written"):
        write_all(root, [Write("two/x", file(b"2"), None), Write("two", None, file(b"22"))])
    assert snapshot(root) == before


def test_a_file_that_stays_does_not_make_way_for_a_folder(root: Path) -> None:
    put(root, "one", file(b"1"))
    with pytest.raises(ConflictError, match="one is a file, where one/deep/x needs a folder, and stays"):
        write_all(root, [Write("one/deep/x", None, file(b"11"))])
    assert set(snapshot(root)) == {"one"}


@pytest.mark.parametrize("point", ["tree.mkdir", "rename.move", "rename.moved"])
def test_what_made_way_is_put_back_where_the_next_fails(root: Path, point: str) -> None:
    put(root, "one", file(b"1"))
    before = snapshot(root)
    passed = []

    def full_for_the_second(_: int) -> None:
        passed.append((root / "one").exists())
        if len(passed) == 2:
            raise OSError(28, "No space left on device")

    with at(point, full_for_the_second), pytest.raises(MuxError, match="is full"):
        write_all(root, [Write("one", file(b"1"), None), Write("one/deep/x", None, file(b"11"))])
    assert snapshot(root) == before


def test_obstacles_are_told(root: Path) -> None:
    put(root, "file", file(b"1"))
    put(root, "folder/x", file(b"2"))
    (root / "link").symlink_to("folder")
    assert {
        path: obstacle(root, path) for path in ("file", "folder", "file/a/b", "link", "link/x", "no", "../x", "")
    } == {
        "file": None,
        "folder": "folder",
        "file/a/b": "file",
        "link": None,
        "link/x": None,
        "no": None,
        "../x": None,
        "": None,
    }


@pytest.mark.parametrize(("before", "mode", "after"), [(0o600, FILE_MODE, 0o600), (0o640, EXECUTABLE_MODE, 0o750)])
def test_a_file_that_moves_keeps_who_may_read_it(root: Path, before: int, mode: int, after: int) -> None:
    (root / "a").write_bytes(b"1")
    (root / "a").chmod(before)
    was = snapshot(root)
    writes = [Write("b/c", None, file(b"2", mode), moved_from="a"), Write("a", read(root, "a"), None)]
    accept = Accept.stage(root, writes)
    accept.write()
    assert sorted(path.name for path in root.iterdir()) == [".mux-lsp", "b"]
    assert (root / "b" / "c").read_bytes() == b"2"
    assert stat.S_IMODE((root / "b" / "c").stat().st_mode) == after
    assert accept.undo() == []
    assert snapshot(root) == was


def test_a_link_is_replaced_and_not_followed(root: Path) -> None:
    outside = root.parent / "outside.txt"
    outside.write_bytes(b"mine")
    (root / "a").symlink_to(outside)
    assert read(root, "a") == link(str(outside))
    put(root, "a", file(b"theirs"))
    assert outside.read_bytes() == b"mine"
    assert read(root, "a") == file(b"theirs")


WRITES = [
    Write("a.txt", file(b"a"), file(b"A")),
    Write("b/b.txt", file(b"b"), None),
    Write("c/new.txt", None, file(b"C", EXECUTABLE_MODE)),
    Write("d", link("a.txt"), link("c")),
    Write("e.sh", file(b"e", EXECUTABLE_MODE), file(b"E")),
]


@pytest.fixture
def filled(root: Path) -> Path:
    for write in WRITES:
        if write.expected is not None:
            put(root, write.path, write.expected)
    (root / "a.txt").chmod(0o600)
    (root / "b" / "b.txt").chmod(0o604)
    return root


@pytest.mark.parametrize("changed", range(len(WRITES)))
@pytest.mark.parametrize("how", ["content", "mode", "gone", "kind", "folder"])
def test_nothing_is_written_where_one_path_is_not_as_it_was(filled: Path, changed: int, how: str) -> None:
    write = WRITES[changed]
    place = filled / write.path
    place.parent.mkdir(exist_ok=True)
    if how == "mode" and (write.expected is None or write.expected.mode == SYMLINK_MODE):
        return
    if how == "gone":
        if write.expected is None:
            return
        place.unlink()
    elif how == "mode":
        place.chmod(0o755 if write.expected == file(b"a") or write.expected == file(b"b") else 0o644)
    else:
        place.unlink(missing_ok=True)
        if how == "folder":
            place.mkdir()
        elif how == "kind":
            place.symlink_to("elsewhere")
        else:
            place.write_bytes(b"somebody's")
    before = snapshot(filled)
    with pytest.raises(ConflictError, match=rf"{write.path} .*nothing was written"):
        write_all(filled, WRITES)
    assert snapshot(filled) == before


@pytest.mark.parametrize("failing", [write.path for write in WRITES])
def test_what_was_written_is_put_back_where_the_next_fails(filled: Path, failing: str) -> None:
    before = snapshot(filled)
    order = [write.path for write in disk.in_order(WRITES)]

    def fail(number: int) -> None:
        if order[number] == failing:
            raise OSError(28, "No space left on device")

    why = r"could not be written; everything was put back as it was\. The disk of .* is full .*: make room on it"
    with at("accept.write", fail), pytest.raises(MuxError, match=rf"/{re.escape(failing)} {why}"):
        write_all(filled, WRITES)
    assert snapshot(filled) == before


def test_a_race_with_another_program_is_noticed_at_the_last_moment(filled: Path) -> None:
    """Another program saves a file after the first check of it, and before its turn."""

    def save(number: int) -> None:
        if number == 0:
            (filled / "e.sh").write_bytes(b"saved just now")

    with (
        at("accept.written", save),
        pytest.raises(ConflictError, match=r"e\.sh changed on disk a moment ago; nothing was written\. Try again\."),
    ):
        write_all(filled, WRITES)
    assert (filled / "e.sh").read_bytes() == b"saved just now"
    assert {path: read(filled, path) for path in ("a.txt", "b/b.txt", "c/new.txt", "d")} == {
        "a.txt": file(b"a"),
        "b/b.txt": file(b"b"),
        "c/new.txt": None,
        "d": link("a.txt"),
    }


def test_a_file_that_moves_is_in_one_of_its_places_at_any_moment(filled: Path) -> None:
    """A daemon may be killed between any two steps, and the file has the only copy of the person's words."""
    mine = read(filled, "a.txt")
    seen: list[list[str]] = []

    def look(_: int) -> None:
        seen.append([path for path in ("a.txt", "moved/a.txt") if read(filled, path) == mine])

    with at("accept.written", look):
        write_all(filled, [Write("a.txt", mine, None), Write("moved/a.txt", None, mine, moved_from="a.txt")])
    assert seen == [["a.txt", "moved/a.txt"], ["moved/a.txt"]]


def test_all_of_it_can_be_taken_back_but_for_what_somebody_changed_since(filled: Path) -> None:
    before = snapshot(filled)
    accept = Accept.stage(filled, WRITES)
    accept.write()
    assert read(filled, "a.txt") == file(b"A")
    (filled / "e.sh").write_bytes(b"mine")
    assert accept.undo() == ["e.sh"]
    after = snapshot(filled)
    assert after.pop("e.sh")[1] == b"mine"
    before.pop("e.sh")
    assert after == before


@pytest.mark.parametrize(
    "path",
    [
        "../x", "a/../../x", "/etc/x", "", ".", "a//b", "a/./b", "a/", "a\0b",
        ".git/config", ".GIT/hooks/post-commit", "sub/.git/config", ".git", ".git./x", ".git /x", "git~1/x",
        ".g\u200cit/config", ".git\u200d/config", ".git::$INDEX_ALLOCATION/config", ".git:x",
    ],
)  # fmt: skip
def test_no_path_leads_outside_or_into_git(root: Path, path: str) -> None:
    (root / ".git").mkdir()
    before = snapshot(root.parent)
    with pytest.raises(ConflictError, match="is not a path inside the repository; nothing was written"):
        refuse_unsafe(root, path)
    with pytest.raises(ConflictError):
        write_all(root, [Write("good.txt", None, file(b"x")), Write(path, None, file(b"x"))])
    assert snapshot(root.parent) == before


@pytest.mark.parametrize("path", [".gitignore", ".github/x", "a.git/x", "...", "a b", "-x", "git", "\\x", "caf\udce9"])
def test_names_that_only_look_odd_are_fine(root: Path, path: str) -> None:
    put(root, path, file(b"x"))
    assert read(root, path) == file(b"x")


def test_no_path_leads_through_a_link(root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (root / "away").symlink_to(outside)
    (root / "real").mkdir()
    (root / "near").symlink_to("real")
    for path, through in (("away/x", "away"), ("away/deep/x", "away"), ("near/x", "near"), ("real/../away/x", None)):
        with pytest.raises(ConflictError, match=f"symbolic link {through};" if through else "not a path inside"):
            put(root, path, file(b"x"))
    assert list(outside.iterdir()) == []
    assert list((root / "real").iterdir()) == []


@pytest.mark.parametrize("target", ["/etc/passwd", "..", "../x", "deep/../../x", "./../x", ".git/config", "x/../.GIT"])
def test_no_link_leads_outside(root: Path, target: str) -> None:
    before = snapshot(root)
    with pytest.raises(
        ConflictError, match=r"would be a symbolic link to .*, outside the repository .*; nothing was written"
    ):
        write_all(root, [Write("good.txt", None, file(b"x")), Write("l", None, link(target))])
    assert snapshot(root) == before


@pytest.mark.parametrize(("path", "target"), [("l", "a"), ("a/l", "../b"), ("a/b/l", "../../c/./d"), ("l", ".")])
def test_links_within_are_fine(root: Path, path: str, target: str) -> None:
    put(root, path, link(target))
    assert read(root, path) == link(target)


def test_a_file_that_turns_into_a_pipe_is_not_waited_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file changes between the check of its kind and the reading."""
    (root / "a").write_bytes(b"1")
    original = os.open

    def swap(path: Any, flags: int, *more: Any, **options: Any) -> int:
        if path == "a":
            (root / "a").unlink()
            os.mkfifo(root / "a")
        return original(path, flags, *more, **options)

    monkeypatch.setattr(os, "open", swap)
    with pytest.raises(ConflictError, match=r"a is not a file any more"):
        read(root, "a")


def test_a_file_that_turns_into_a_link_is_not_followed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "a").write_bytes(b"1")
    (root / "secret").write_bytes(b"secret")
    original = os.open

    def swap(path: Any, flags: int, *more: Any, **options: Any) -> int:
        if path == "a":
            (root / "a").unlink()
            (root / "a").symlink_to("secret")
        return original(path, flags, *more, **options)

    monkeypatch.setattr(os, "open", swap)
    with pytest.raises(ConflictError, match=r"a cannot be read"):
        read(root, "a")


def test_the_content_of_a_place_is_a_files_also_through_a_link_and_nothing_elses(root: Path) -> None:
    (root / "a").write_bytes(b"1")
    (root / "link").symlink_to("a")
    assert [content_of(root / name) for name in ("a", "link")] == [b"1", b"1"]
    os.mkfifo(root / "pipe")
    (root / "to-pipe").symlink_to("pipe")
    with (root / "big").open("wb") as big:
        big.truncate(disk.LARGEST_FILE + 1)
    for name in ("pipe", "to-pipe", "big", "nothing", ".", "/dev/zero"):
        with pytest.raises(OSError):
            content_of(root / name)


def test_nobodys_umask_is_touched(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The umask belongs to the whole process, and writes happen in threads: two at once could leave a wrong one set."""

    def touched(_: int) -> int:
        raise AssertionError("the umask was set")

    monkeypatch.setattr(os, "umask", touched)
    put(root, "new.txt", file(b"x"))
    put(root, "tool.sh", file(b"x", EXECUTABLE_MODE))
    before = (root / "new.txt").stat().st_mode
    assert stat.S_IMODE((root / "tool.sh").stat().st_mode) == stat.S_IMODE(before | ((before & 0o444) >> 2))


def test_what_is_neither_file_nor_link_is_left_alone(root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "folder").mkdir()
    for path, why in {"pipe": "is not a file any more", "folder": "is a folder here; nothing was written"}.items():
        with pytest.raises(ConflictError, match=f"{path} {why}"):
            write_all(root, [Write(path, None, file(b"x"))])
    assert set(snapshot(root)) == {"pipe", "folder"}


def test_what_is_written_to_an_open_file_while_it_is_compared_is_not_lost(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = root / "a.txt"
    place.write_bytes(b"before\n")
    accept = Accept.stage(root, [Write("a.txt", file(b"before\n"), file(b"agent\n"))])

    with place.open("r+b", buffering=0) as opened:

        def slow(entry: Entry | None) -> str | None:
            found = disk.digest(entry)
            if entry is not None and entry.content == b"before\n":
                opened.write(b"mine, saved in place\n")
            return found

        monkeypatch.setattr("mux_lsp.engine.working_tree.steps.digest", slow)
        with pytest.raises(ConflictError, match=r"a\.txt changed on disk a moment ago"):
            accept.write()
    assert place.read_bytes() == b"mine, saved in place\n"


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES, errno.EIO])
def test_staging_folders_that_cannot_be_opened_are_left_to_the_next_daemon(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    accept = Accept.stage(root, [Write("a.txt", None, file(b"x"))])
    accept.write()
    opened = os.open

    def refused(path: Any, *arguments: Any, **named: Any) -> int:
        if path == STAGING:
            raise OSError(number, os.strerror(number), path)
        return opened(path, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refused)
        accept.clear()
    assert (root / "a.txt").read_bytes() == b"x"
    accept.clear()
    assert sorted(os.listdir(root)) == ["a.txt"]  # noqa: PTH208


def test_what_has_changed_before_its_turn_is_not_even_exchanged_for_a_moment(root: Path) -> None:
    (root / "a.txt").write_bytes(b"before\n")
    accept = Accept.stage(root, [Write("a.txt", file(b"before\n"), file(b"agent\n"))])
    (root / "a.txt").write_bytes(b"mine\n")
    exchanged: list[int] = []
    with at("rename.exchange", exchanged.append), pytest.raises(ConflictError, match=r"a\.txt changed on disk"):
        accept.write()
    assert exchanged == []
    assert (root / "a.txt").read_bytes() == b"mine\n"


def test_two_accepts_do_not_write_to_a_working_tree_at_the_same_time(root: Path) -> None:
    """One accept could take the other's text for one that the person has just saved, and restore it over theirs."""
    (root / "a.txt").write_bytes(b"before\n")
    (root / "b.txt").write_bytes(b"before\n")
    accepts = [
        Accept.stage(root, [Write(name, file(b"before\n"), file(b"agent\n"))], name) for name in ("a.txt", "b.txt")
    ]
    there, go, passed = threading.Event(), threading.Event(), []

    def plan(name: str, _: int) -> None:
        if name == "accept.write":
            passed.append(name)
        if name == "accept.exchanged" and not there.is_set():
            there.set()
            go.wait(10)

    faults.install(plan)
    try:
        threads = [threading.Thread(target=transactions._write, args=(accept.intent,)) for accept in accepts]
        threads[0].start()
        assert there.wait(10)
        threads[1].start()
        threads[1].join(0.2)
        assert len(passed) == 1
    finally:
        go.set()
        for thread in threads:
            thread.join()
        faults.install(None)
    assert [(root / name).read_bytes() for name in ("a.txt", "b.txt")] == [b"agent\n"] * 2
