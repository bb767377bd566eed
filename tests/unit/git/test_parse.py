from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.core.model import ChangeKind, FileChange
from mux_lsp.git import parse

OLD, NEW, ZERO = "a" * 40, "b" * 40, "0" * 40

any_path = st.binary(min_size=1).filter(lambda path: b"\0" not in path).map(os.fsdecode)


@given(st.lists(any_path))
def test_paths_survive_both_ways(paths: list[str]) -> None:
    assert parse.fields(parse.joined(paths)) == paths


@given(st.lists(st.tuples(st.sampled_from("AMDTU"), any_path)))
def test_name_status(pairs: list[tuple[str, str]]) -> None:
    output = b"".join(status.encode() + b"\0" + os.fsencode(path) + b"\0" for status, path in pairs)
    assert parse.name_status(output) == pairs


@given(st.lists(st.tuples(st.sampled_from(["000000", "100644", "120000"]), any_path)))
def test_raw_changes(changes: list[tuple[str, str]]) -> None:
    words = [word for mode, path in changes for word in (f":{mode} 100755 {OLD} {NEW} M", path)]
    assert parse.raw_changes(parse.joined(words)) == [(mode, "100755", path) for mode, path in changes]


entries = st.builds(
    parse.IndexEntry,
    tag=st.sampled_from("HShsM"),
    mode=st.sampled_from([0o100644, 0o100755, 0o120000, 0o160000, 0o040000]),
    object=st.sampled_from([OLD, NEW]),
    stage=st.integers(0, 3),
    path=any_path,
)


@given(st.lists(entries))
def test_listing(listed: list[parse.IndexEntry]) -> None:
    output = b"".join(
        f"{entry.tag} {entry.mode:06o} {entry.object} {entry.stage}\t".encode() + os.fsencode(entry.path) + b"\0"
        for entry in listed
    )
    listing = parse.Listing(output)
    assert listing.entries() == listed
    assert listing.paths() == {entry.path for entry in listed if entry.mode != parse.GITLINK}
    plain = {("H", mode, 0) for mode in (0o100644, 0o100755)}
    assert listing.unusual() == [entry for entry in listed if (entry.tag, entry.mode, entry.stage) not in plain]


def test_listing_of_sha256() -> None:
    listing = parse.Listing(f"H 100644 {'c' * 64} 0\tplain\0H 100644 {'c' * 64} 2\tconflict\0".encode())
    assert [entry.path for entry in listing.unusual()] == ["conflict"]


def test_attributes() -> None:
    output = b"a b\0text\0auto\0a b\0eol\0crlf\0\xff\0filter\0lfs\0"
    assert parse.attributes(output) == {"a b": {"text": "auto", "eol": "crlf"}, "\udcff": {"filter": "lfs"}}


def test_settings() -> None:
    output = b"core.bare\nfalse\0core.sparsecheckout\0core.bare\ntrue\0alias.x\ntwo\nlines=1\0"
    assert parse.settings(output) == {"core.bare": "true", "core.sparsecheckout": "true", "alias.x": "two\nlines=1"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [("true", True), ("YES", True), ("1", True), ("on", True), ("false", False), ("", False), (None, False)],
)
def test_is_true(value: str | None, expected: bool) -> None:
    assert parse.is_true(value) is expected


def raw(old_mode: str, new_mode: str, old: str, new: str, status: str, path: str) -> bytes:
    return f":{old_mode} {new_mode} {old} {new} {status}\0{path}\0".encode()


def test_file_changes() -> None:
    output = (
        raw("000000", "100755", ZERO, NEW, "A", "new\nline")
        + raw("100644", "000000", OLD, ZERO, "D", "gone")
        + raw("100644", "120000", OLD, NEW, "T", "tab\tname")
        + raw("100644", "100644", OLD, NEW, "M", ":colon")
        + b"3\t0\tnew\nline\0"
        + b"0\t7\tgone\0"
        + b"1\t1\ttab\tname\0"
        + b"-\t-\t:colon\0"
    )
    assert parse.file_changes(output) == (
        FileChange("new\nline", ChangeKind.ADDED, 0, 0o100755, ZERO, NEW, 3, 0),
        FileChange("gone", ChangeKind.DELETED, 0o100644, 0, OLD, ZERO, 0, 7),
        FileChange("tab\tname", ChangeKind.MODIFIED, 0o100644, 0o120000, OLD, NEW, 1, 1),
        FileChange(":colon", ChangeKind.MODIFIED, 0o100644, 0o100644, OLD, NEW, None, None),
    )
    assert parse.file_changes(b"") == ()


def test_renames_and_copies() -> None:
    output = (
        f":100644 100755 {OLD} {NEW} R086\0tab\tname\0new\nline\0".encode()
        + f":100644 100644 {OLD} {OLD} C100\0:colon\0copy\0".encode()
        + raw("100644", "100644", OLD, NEW, "M", ":colon")
        + f":100644 100644 {OLD} {NEW} R050\0old.bin\0new.bin\0".encode()
        + b"3\t1\t\0tab\tname\0new\nline\0"
        + b"0\t0\t\0:colon\0copy\0"
        + b"1\t0\t:colon\0"
        + b"-\t-\t\0old.bin\0new.bin\0"
    )
    found = parse.file_changes(output)
    assert found == (
        FileChange("new\nline", ChangeKind.RENAMED, 0o100644, 0o100755, OLD, NEW, 3, 1, "tab\tname"),
        # There was no file at its path before.
        FileChange("copy", ChangeKind.COPIED, 0, 0o100644, ZERO, OLD, 0, 0, ":colon"),
        FileChange(":colon", ChangeKind.MODIFIED, 0o100644, 0o100644, OLD, NEW, 1, 0),
        FileChange("new.bin", ChangeKind.RENAMED, 0o100644, 0o100644, OLD, NEW, None, None, "old.bin"),
    )
    assert [change.paths for change in found] == [
        ("tab\tname", "new\nline"),
        ("copy",),
        (":colon",),
        ("old.bin", "new.bin"),
    ]
    assert [change.base_path for change in found] == ["tab\tname", "copy", ":colon", "old.bin"]


@pytest.mark.parametrize(
    ("warnings", "folders"),
    [
        ("", []),
        ("warning: unable to access 'a/.gitignore': Permission denied\n", []),
        ("warning: could not open directory 'a/': Permission denied\n", [("a/", "Permission denied")]),
        ("warning: could not open directory 'it's/': Permission denied\n", [("it's/", "Permission denied")]),
        ("warning: could not open directory 'a/a/a/a-l\nwarning: x\n", [("a/a/a", "File name too long")]),
    ],
)
def test_folders_that_git_could_not_open(warnings: str, folders: list[tuple[str, str]]) -> None:
    assert parse.unread(warnings) == folders
