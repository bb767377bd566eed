"""Test changes beyond the lines of a text: created, deleted, executable, binary, linked, in another encoding."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from lsprotocol import types

from tests.e2e.lsp.client import Refused
from tests.e2e.lsp.conftest import NUMBERS, git

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.e2e.lsp.client import Editor

BEFORE: dict[str, bytes] = {
    "conflict.txt": b"<<<<<<< ours\nmine\n=======\nyours\n>>>>>>> theirs\n",
    "data.bin": b"\0\1\2",
    "dos.txt": b"one\r\ntwo\r\nthree\r\n",
    "flat": b"one more\n",
    "folder/one.txt": b"first\n",
    "folder/deep/two.txt": b"second thing\n",
    "gone.bin": b"\0gone",
    "gone/away.txt": b"gone\n",
    "latin.txt": "Grüße\n".encode("latin-1"),
    "long.txt": b"a\nlong " + b"x" * 1_000_000 + b"\nb\n",
    "many.txt": "".join(f"{number}\n" for number in range(100_000)).encode(),
    "marked.txt": b"\xef\xbb\xbfone with a mark\ntwo\n",
    "mixed.txt": b"one\r\ntwo\nthree\rfour\n",
    "no-end.txt": b"no end of\ntwo",
    "program": b"\0\1\2\3",
    "script.sh": b"#!/bin/sh\n",
    "tool.sh": b"#!/bin/sh\necho old\n",
    "turned.txt": b"a text\n",
}

AGENT = r"""
printf 'one\ntwo\n' > new.txt; mkdir -p deep/er; printf 'deep' > deep/er/new.txt; : > empty.txt
printf '\0\1\3' > data.bin; rm gone.bin gone/away.txt
printf 'Gr\374\337e und mehr\n' > latin.txt
chmod +x script.sh; printf '#!/bin/sh\necho new\n' > tool.sh; chmod +x tool.sh
printf '#!/bin/sh\n' > new.sh; chmod +x new.sh
ln -s numbers.txt link; ln -sf new.txt turning; rm turned.txt; ln -s numbers.txt turned.txt
printf '\357\273\277marked\n' > bom.txt; chmod +x program
printf 'three\n' >> conflict.txt; sed -i 's/^two/zwei/' dos.txt marked.txt mixed.txt no-end.txt
sed -i 's/^long/short/' long.txt; sed -i 's/^77777$/seven/' many.txt
rm -r folder; printf 'of its own\n' > folder; rm flat; mkdir -p flat/er; printf 'yet another\n' > flat/er/in.txt"""

AFTER: dict[str, tuple[int, bytes]] = {
    "bom.txt": (0o100644, b"\xef\xbb\xbfmarked\n"),
    "conflict.txt": (0o100644, BEFORE["conflict.txt"] + b"three\n"),
    "data.bin": (0o100644, b"\0\1\3"),
    "deep/er/new.txt": (0o100644, b"deep"),
    "dos.txt": (0o100644, b"one\r\nzwei\r\nthree\r\n"),
    "empty.txt": (0o100644, b""),
    "flat/er/in.txt": (0o100644, b"yet another\n"),
    "folder": (0o100644, b"of its own\n"),
    "latin.txt": (0o100644, "Grüße und mehr\n".encode("latin-1")),
    "link": (0o120000, b"numbers.txt"),
    "long.txt": (0o100644, BEFORE["long.txt"].replace(b"long", b"short")),
    "many.txt": (0o100644, BEFORE["many.txt"].replace(b"\n77777\n", b"\nseven\n")),
    "marked.txt": (0o100644, b"\xef\xbb\xbfone with a mark\nzwei\n"),
    "mixed.txt": (0o100644, b"one\r\nzwei\nthree\rfour\n"),
    "no-end.txt": (0o100644, b"no end of\nzwei"),
    "program": (0o100755, b"\0\1\2\3"),
    "new.sh": (0o100755, b"#!/bin/sh\n"),
    "new.txt": (0o100644, b"one\ntwo\n"),
    "numbers.txt": (0o100644, NUMBERS.encode()),
    "script.sh": (0o100755, b"#!/bin/sh\n"),
    "tool.sh": (0o100755, b"#!/bin/sh\necho new\n"),
    "turned.txt": (0o120000, b"numbers.txt"),
    "turning": (0o120000, b"new.txt"),
}


COPIED = ("link", "new.sh")
"""New files with the content of a file that the run changes."""


def on_disk(root: Path) -> dict[str, tuple[int, bytes]]:
    """Return git's mode and the content of every file but git's own."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if name.startswith(".git/") or (path.is_dir() and not path.is_symlink()):
            continue
        if path.is_symlink():
            found[name] = (0o120000, os.fsencode(path.readlink()))
        else:
            found[name] = (0o100755 if path.stat().st_mode & 0o100 else 0o100644, path.read_bytes())
    return found


@pytest.fixture
def kinds(repository: Path) -> Path:
    for name, content in BEFORE.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_bytes(content)
    (repository / "turning").symlink_to("numbers.txt")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "kinds")
    return repository


@pytest.mark.parametrize("able", [{}, {"resources": False}, {"versions": False, "resources": False}, {"apply": False}])
async def test_a_run_is_accepted_whole_whatever_it_did(
    join: Callable[..., Awaitable[Editor]], kinds: Path, able: dict[str, bool]
) -> None:
    editor = await join(**able)
    run = (await editor.done(AGENT)).runs[0]
    assert {(file.path, file.change) for file in run.files} == {
        *((name, "added") for name in AFTER if name not in {*BEFORE, *COPIED, "numbers.txt", "turning"}),
        *((name, "copied") for name in COPIED),
        *((name, "modified") for name in AFTER if name in {*BEFORE, "turning"}),
        *((name, "deleted") for name in BEFORE if name not in AFTER),
    }
    assert set(await editor.statuses(run=run.id)) == {"pending"}
    result = await editor.accept("run", run=run.id)
    assert result.accepted == len(await editor.review(run=run.id))
    for path in result.files:
        if editor.uri(path) in editor.buffers:
            editor.save(path)
    assert on_disk(kinds) == AFTER
    # git keeps no empty folders, and neither does the daemon.
    assert (kinds / "gone").exists() == (able == {})
    assert set(await editor.statuses(run=run.id)) == {"applied"}
    # Only changes that LSP can express are left to the client.
    steps = [step for edit in editor.edits for step in edit.document_changes or ()]
    changed = [step for step in steps if not isinstance(step, types.TextDocumentEdit)]
    assert bool(changed) == (able == {})


async def test_a_run_is_not_accepted_at_all_where_one_file_has_changed(editor: Editor, kinds: Path) -> None:
    run = (await editor.done(f"{AGENT}; sed -i 's/^line 2$/two/' numbers.txt")).runs[0]
    (kinds / "data.bin").write_bytes(b"\0mine")
    before = on_disk(kinds)
    with pytest.raises(Refused) as refused:
        await editor.accept("run", run=run.id)
    assert refused.value.kind == "conflict"
    assert refused.value.message == (
        "Nothing was written, because of a conflict in data.bin: "
        "the file was changed here and can only be taken as a whole."
    )
    assert (on_disk(kinds), editor.edits, editor.buffers) == (before, [], {})


async def test_each_kind_is_accepted_and_rejected_by_its_file(editor: Editor, kinds: Path) -> None:
    run = (await editor.done(AGENT)).runs[0]
    for path in ("data.bin", "link", "script.sh", "latin.txt", "gone.bin"):
        assert [(item.hunk, item.status) for item in await editor.review(path)] == [(None, "pending")]
        await editor.reject("file", run=run.id, path=path)
        assert await editor.statuses(path) == ["rejected"]
        result = await editor.accept("file", run=run.id, path=path)
        assert (result.accepted, result.files) == (0, [])  # rejected changes are not accepted along with others ...
    await editor.accept("run", run=run.id)
    assert (kinds / "data.bin").read_bytes() == b"\0\1\2"
    assert not (kinds / "link").exists()
    assert (kinds / "gone.bin").exists()
    assert on_disk(kinds)["empty.txt"] == AFTER["empty.txt"]


@pytest.mark.parametrize(
    ("agent", "path", "what", "after"),
    [
        ("chmod +x numbers.txt", "numbers.txt", "file mode", {"numbers.txt": (0o100755, NUMBERS.encode())}),
        ("mv numbers.txt n.txt", "n.txt", "rename to n.txt", {"n.txt": (0o100644, NUMBERS.encode())}),
    ],
)
async def test_what_is_not_in_the_lines_is_decided_apart_from_them(
    editor: Editor, repository: Path, agent: str, path: str, what: str, after: dict[str, tuple[int, bytes]]
) -> None:
    editor.open("numbers.txt")
    run = (await editor.done(f"sed -i 's/^line 5$/five/' numbers.txt; {agent}")).runs[0].id
    commands = [lens.command for lens in await editor.lenses("numbers.txt") if lens.command]
    titles = [command.title for command in commands]
    headline = titles.index(f"{what} · {run}")
    accept, reject = commands[headline + 1], commands[titles.index("Reject", headline)]
    assert (accept.title, accept.command, reject.command) == ("Accept", "mux.file.accept", "mux.file.reject")
    await editor.carry_out(reject)
    before = {item.hunk: item.status for item in await editor.review(run=run)}
    assert (before.pop(None), list(before.values())) == ("rejected", ["pending"])
    await editor.carry_out(accept)
    assert sorted(item.status for item in await editor.review(run=run)) == ["applied", "pending"]
    assert on_disk(repository) == after
    assert editor.text(path) == NUMBERS
    # Accepting withdraws the rejection.
    (repository / path).replace(repository / "numbers.txt")
    (repository / "numbers.txt").chmod(0o644)
    assert "rejected" not in {item.status for item in await editor.review(run=run)}


async def test_a_folder_is_accepted_by_its_path(editor: Editor, kinds: Path) -> None:
    run = (await editor.done(AGENT)).runs[0]
    assert (await editor.accept("file", run=run.id, path="deep")).files == ["deep/er/new.txt"]
    assert editor.text("deep/er/new.txt") == "deep"
    assert not (kinds / "new.txt").exists()


async def test_a_latin_1_file_that_is_open_and_saved_can_be_taken(editor: Editor, kinds: Path) -> None:
    editor.open("latin.txt", encoding="latin-1")
    editor.open("tool.sh")
    run = (await editor.done(AGENT)).runs[0]
    assert await editor.statuses("latin.txt") == ["pending"]
    commands = [lens.command for lens in await editor.lenses("latin.txt")]
    (accept,) = [command for command in commands if command and command.command == "mux.file.accept"]
    assert list(accept.arguments or ()) == [{"run": run.id, "path": "latin.txt"}]
    await editor.carry_out(accept)
    assert (kinds / "latin.txt").read_bytes() == AFTER["latin.txt"][1]


async def test_a_file_that_is_saved_in_another_encoding_by_now_keeps_it(editor: Editor, repository: Path) -> None:
    (repository / "numbers.txt").write_text(f"Grüße\n{NUMBERS}")
    run = (await editor.done("sed -i 's/^line 5$/five/' numbers.txt; chmod +x numbers.txt")).runs[0].id
    (repository / "numbers.txt").write_text(f"Grüße\n{NUMBERS}", encoding="latin-1")
    editor.open("numbers.txt", encoding="latin-1")
    with pytest.raises(Refused, match=r"numbers\.txt is not saved in UTF-8: .* Nothing was written\.") as refused:
        await editor.accept("run", run=run)
    assert refused.value.kind == "conflict"
    assert (repository / "numbers.txt").read_text(encoding="latin-1") == f"Grüße\n{NUMBERS}"
    # The editor itself knows how to save it.
    (hunk,) = [item.hunk for item in await editor.review("numbers.txt") if item.hunk]
    await editor.accept("hunk", run=run, hunks=[hunk])
    assert editor.text("numbers.txt") == f"Grüße\n{NUMBERS}".replace("line 5\n", "five\n")


async def test_what_is_open_and_unsaved_is_never_taken_as_a_whole(editor: Editor, kinds: Path) -> None:
    editor.open("latin.txt", encoding="latin-1")
    editor.open("script.sh")
    run = (await editor.done(AGENT)).runs[0]
    editor.insert("latin.txt", "Grüße", "Viele ")
    editor.insert("script.sh", "#!", "\n")
    before = on_disk(kinds)
    for path, reason in {
        "latin.txt": "the file is open with unsaved changes and can only be taken as a whole",
        "script.sh": "script.sh is open with unsaved changes: save it first.",
    }.items():
        with pytest.raises(Refused, match=reason) as refused:
            await editor.accept("file", run=run.id, path=path)
        assert refused.value.kind == "conflict"
    assert on_disk(kinds) == before


async def test_a_deleted_file_that_is_open_shows_its_deletion(editor: Editor, kinds: Path) -> None:
    uri = editor.open("gone/away.txt")
    run = (await editor.done(AGENT)).runs[0]
    found = await editor.shown(uri, lambda found: len(found) == 1)
    assert "delete the file" in found[0].message
    editor.insert("gone/away.txt", "gone", "not ")
    found = await editor.shown(uri, lambda found: "conflict" in found[0].message)
    assert "conflict: the file that would be deleted was changed here" in found[0].message
    with pytest.raises(Refused, match="the file that would be deleted was changed here"):
        await editor.accept("file", run=run.id, path="gone/away.txt")
    editor.insert("gone/away.txt", "gone", "", replacing="not ")
    (action,) = await editor.actions("gone/away.txt", 0, "quickfix.mux.accept")
    await editor.carry_out(action.command)
    assert not (kinds / "gone" / "away.txt").exists()
    assert uri not in editor.buffers


async def test_a_deletion_takes_nothing_that_its_editor_does_not_show(editor: Editor, kinds: Path) -> None:
    """The buffer is as the agent found the file; the file on disk is not."""
    editor.open("gone/away.txt")
    run = (await editor.done(AGENT)).runs[0]
    (kinds / "gone" / "away.txt").write_text("written elsewhere\n")
    assert await editor.statuses("gone/away.txt") == ["conflict"]
    with pytest.raises(Refused, match=r"the file that would be deleted is not on disk as it is open here") as refused:
        await editor.accept("run", run=run.id)
    assert refused.value.kind == "conflict"
    assert (kinds / "gone" / "away.txt").read_text() == "written elsewhere\n"
    assert editor.edits == []


async def test_a_created_file_does_not_overwrite_one_of_the_persons_own(editor: Editor, kinds: Path) -> None:
    run = (await editor.done(AGENT)).runs[0]
    (kinds / "new.txt").write_text("one\ntwo\n")
    assert [item.status for item in await editor.review(run=run.id) if item.path == "new.txt"] == ["applied"]
    (kinds / "new.txt").write_text("mine\n")
    with pytest.raises(Refused, match="a different file of this name was created here"):
        await editor.accept("file", run=run.id, path="new.txt")
    assert (kinds / "new.txt").read_text() == "mine\n"


async def test_a_folder_and_a_file_make_way_only_with_all_that_is_in_the_way(editor: Editor, kinds: Path) -> None:
    run = (await editor.done(AGENT)).runs[0]
    before = on_disk(kinds)
    for path, why in {
        "flat/er": r"flat is a file, where flat/er/in\.txt needs a folder, and stays; nothing was written",
        "folder": r"folder is a folder here, and folder/mine\.txt in it stays; nothing was written",
    }.items():
        if path == "folder":
            (kinds / "folder" / "mine.txt").write_text("mine\n")
            before = on_disk(kinds)
        with pytest.raises(Refused, match=why) as refused:
            await editor.accept("file", run=run.id, path=path)
        assert (refused.value.kind, on_disk(kinds), editor.edits) == ("conflict", before, [])
    assert (await editor.accept("file", run=run.id, path="flat")).files == ["flat", "flat/er/in.txt"]
    assert editor.text("flat/er/in.txt") == "yet another\n"


async def test_a_file_that_was_renamed_here_is_a_conflict_in_clear_words(editor: Editor, kinds: Path) -> None:
    run = (await editor.done("echo more >> numbers.txt; printf '\\0' >> data.bin")).runs[0]
    for path in ("numbers.txt", "data.bin"):
        (kinds / path).rename(kinds / f"{path}.old")
    assert [(item.status, item.reason) for item in await editor.review(run=run.id)] == [
        ("conflict", "the file is not there any more: it was deleted or renamed here")
    ] * 2


async def test_a_link_that_leads_outside_is_refused(editor: Editor, repository: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    run = (await editor.done(f"ln -s {outside} away; ln -s ../outside/x up")).runs[0]
    for path in ("away", "up"):
        with pytest.raises(Refused, match=r"would be a symbolic link to .*, outside the repository") as refused:
            await editor.accept("file", run=run.id, path=path)
        assert refused.value.kind == "conflict"
        assert not (repository / path).is_symlink()


async def test_names_that_are_not_utf_8_can_be_named_as_they_are_shown(editor: Editor, repository: Path) -> None:
    run = (await editor.done(r"""printf 'x\n' > "$(printf 'caf\351.txt')" """)).runs[0]
    assert [file.path for file in run.files] == ["caf\\xe9.txt"]
    (item,) = await editor.review(run=run.id)
    assert item.uri.endswith("/caf%E9.txt")
    await editor.accept("file", run=run.id, path=item.path)
    assert "caf\udce9.txt" in on_disk(repository)
