"""Test trees that differ from others in a few paths, and the links of a snapshot, with real git."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from mux_lsp.git.patched_tree import Put, commit_variant, forget
from mux_lsp.git.repository import discover
from mux_lsp.git.shadow import ShadowStore
from tests.integration.git.support import files_in, make_repository, run, stands_alone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mux_lsp.core.model import Snapshot
    from tests.integration.git.support import World

FILE, PROGRAM, LINK = 0o100644, 0o100755, 0o120000
ODD = [os.fsdecode(name) for name in (b"a b", b'a"b', b"a\\b", b"a\nb", b"\xff", b" a", "ü".encode(), b"a\tb")]
BEFORE: dict[str, bytes | str] = {"a": "a\n", "d/e": "e\n", "d/f/g": "g\n", **{f"odd/{name}": "odd\n" for name in ODD}}


@pytest.fixture
def store(world: World) -> Iterator[tuple[ShadowStore, Snapshot]]:
    """Yield a repository's shadow store, and a snapshot in it."""
    root = make_repository(world.folder / "repository", BEFORE)
    (root / "link").symlink_to("d/e")
    (root / "d" / "up").symlink_to("../d/f")
    shadow = ShadowStore(world.folder / "store")
    snapshot = shadow.snapshot(discover(root), {}, "begin")
    shadow.complete(snapshot)
    yield shadow, snapshot
    shadow.close()


def varied(store: tuple[ShadowStore, Snapshot], remove: list[str], put: list[Put]) -> dict[str, bytes]:
    shadow, snapshot = store
    made = commit_variant(shadow, snapshot, remove, put, "k3f-1.restored")
    assert made.head == snapshot.head
    assert shadow.parent_of(made.commit) == snapshot.head
    assert shadow.tree_of(made.commit) == made.tree
    stands_alone(shadow)
    return files_in(shadow, made.commit)


def test_paths_are_removed_and_put(store: tuple[ShadowStore, Snapshot]) -> None:
    shadow, snapshot = store
    before = files_in(shadow, snapshot.commit)
    blob = run(shadow.git_dir, "rev-parse", f"{snapshot.commit}:d/e").decode().strip()
    put = [Put("a", FILE, b"new\n"), Put("n/e/w", PROGRAM, blob), Put("l", LINK, b"a")]
    after = varied(store, ["d/e", "not there"], put)
    assert after == {name: content for name, content in before.items() if name != "d/e"} | {
        "a": b"new\n", "n/e/w": b"x:e\n", "l": b"-> a",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("remove", "put", "gone", "there"),
    [
        ([], [Put("d", FILE, b"x")], {"d/e", "d/f/g", "d/up"}, {"d"}),
        ([], [Put("d", LINK, b"a")], {"d/e", "d/f/g", "d/up"}, {"d"}),
        ([], [Put("a/b/c", FILE, b"x")], {"a"}, {"a/b/c"}),
        ([], [Put("link/x", FILE, b"x")], {"link"}, {"link/x"}),
        (["d"], [Put("d/new", FILE, b"x")], {"d/e", "d/f/g", "d/up"}, {"d/new"}),
        (["d/up"], [Put("d/UP", FILE, b"x")], {"d/up"}, {"d/UP"}),
    ],
)
def test_what_is_in_the_way_goes(
    store: tuple[ShadowStore, Snapshot], remove: list[str], put: list[Put], gone: set[str], there: set[str]
) -> None:
    before = set(files_in(store[0], store[1].commit))
    assert set(varied(store, remove, put)) == before - gone | there


@pytest.mark.parametrize("name", ODD)
def test_odd_names_are_names(store: tuple[ShadowStore, Snapshot], name: str) -> None:
    before = set(files_in(store[0], store[1].commit))
    assert set(varied(store, [f"odd/{name}"], [])) == before - {f"odd/{name}"}
    assert varied(store, [], [Put(f"odd/{name}", FILE, b"new")])[f"odd/{name}"] == b"new"


def test_a_variation_is_forgotten(store: tuple[ShadowStore, Snapshot]) -> None:
    shadow, snapshot = store
    commit_variant(shadow, snapshot, ["a"], [], "one")
    forget(shadow, "one")
    forget(shadow, "one")
    assert b"trials" not in run(shadow.git_dir, "for-each-ref")


def test_the_links_of_a_snapshot(store: tuple[ShadowStore, Snapshot]) -> None:
    shadow, snapshot = store
    assert shadow.links(snapshot.commit) == {"link": "d/e", "d/up": "../d/f"}
    assert shadow.links(commit_variant(shadow, snapshot, ["link", "d/up"], [], "one").commit) == {}
