"""Repair a damaged store, so that new tasks can begin.

**Nothing is deleted.** Damaged files, including whole packs, are moved to `damaged/<time>/` beside the store, after all
readable content was copied. Missing objects are then copied from the person's repository where it has them. The
others come with the next snapshot, or are lost with the results that need them.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import logging
import os
import re
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mux_lsp import atomic
from mux_lsp.errors import GitError
from mux_lsp.git import store_setup
from mux_lsp.git.command import ISOLATED, alternates_variable
from mux_lsp.git.objects import CatFile
from mux_lsp.git.repository import object_folders

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from mux_lsp.git.repository import Repository

log = logging.getLogger(__name__)

MAX_ROUNDS: Final = 5
"""Maximum number of searches for missing objects: a restored tree may reveal more."""

_NAME: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REF: Final = re.compile(rb"([0-9a-f]{40}(?:[0-9a-f]{24})?|ref: refs/[^\n]+)\n?")
_PACKED: Final = re.compile(rb"(#.*|[0-9a-f]{40}(?:[0-9a-f]{24})? refs/[^\n]+|\^[0-9a-f]{40}(?:[0-9a-f]{24})?)")


@dataclass(frozen=True, slots=True)
class _Store:
    git_dir: Path
    quarantine_folder: Path
    """The folder for damaged files, created when there are any."""

    @property
    def objects(self) -> Path:
        return self.git_dir / "objects"

    def quarantine(self, file: Path) -> Path:
        """Move a file of the store to quarantine. Return its new path."""
        place = self.quarantine_folder / file.relative_to(self.git_dir)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)
        log.warning("%s is damaged and was moved to %s", file, place)
        return place

    def rewrite(self, file: Path, content: bytes) -> None:
        """Replace a file's content, and keep the old file in quarantine."""
        place = self.quarantine_folder / file.relative_to(self.git_dir)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)
        atomic.write(file, content)
        log.warning("%s was damaged; what could be read of it stays, and all of it is in %s", file, place)


def repair(git_dir: Path, repository: Repository) -> bool:
    """Move damaged files of a store to quarantine, and restore what can be restored. Return whether anything was wrong.

    It takes as long as reading the whole store. Concurrent readers and writers may find objects missing for a moment.
    Raises GitError and OSError.
    """
    store = _Store(git_dir, _new_folder(git_dir.parent / "damaged"))
    wrong = reinitialize(git_dir, repository, store.quarantine_folder)
    wrong |= _repair_refs(store)
    lost = {*_quarantine_loose_objects(store)}
    packs = _find_damaged_packs(store)
    for pack in packs:
        lost |= _quarantine_pack(store, pack)
    borrowed = object_folders(repository)
    if lost:
        _fetch_objects(store, lost, borrowed)
        for pack in packs:
            _salvage_pack(store, pack, lost)
    wrong |= bool(lost or packs)
    for _ in range(MAX_ROUNDS):
        missing = _find_missing_objects(store)
        wrong |= bool(missing)
        if not missing or not _fetch_objects(store, missing, borrowed):
            break
    return wrong


def reinitialize(git_dir: Path, repository: Repository, aside: Path | None = None) -> bool:
    """Restore a store's HEAD, configuration and folders; objects and refs stay. Return False if they were intact.

    A store without objects is one whose creation was interrupted.
    """
    store = _Store(git_dir, aside or _new_folder(git_dir.parent / "damaged"))
    head, configuration = git_dir / "HEAD", git_dir / "config"
    with contextlib.suppress(OSError):
        whole = head.read_bytes().startswith(b"ref: refs/heads/") and b"bare = true" in configuration.read_bytes()
        if whole and (git_dir / "refs").is_dir() and (git_dir / "objects").is_dir() and _has_readable_config(git_dir):
            return False
    for file in (head, configuration):
        if file.exists():
            store.quarantine(file)
    store_setup.init(git_dir, repository)
    return True


def quarantine_refs(git_dir: Path) -> tuple[str, ...]:
    """Delete refs whose objects are incomplete, since git packs nothing while such refs exist. Return their names.

    The refs and their targets are recorded in a file beside the store.
    """
    broken: dict[str, str] = {}
    for line in store_setup.run(git_dir, ["for-each-ref", "--format=%(objectname) %(refname)"]).decode().splitlines():
        name, _, ref = line.partition(" ")
        try:
            store_setup.run(git_dir, ["rev-list", "--objects", "--quiet", name])
        except GitError:
            broken[ref] = name
    if broken:
        place = _new_folder(git_dir.parent / "damaged") / "refs.txt"
        place.parent.mkdir(parents=True)
        place.write_text("".join(f"{name} {ref}\n" for ref, name in broken.items()))
        deletions = "".join(f"delete {ref}\0\0" for ref in broken)
        store_setup.run(git_dir, ["update-ref", "-z", "--stdin"], input=deletions.encode())
        log.warning("not all of %s is there any more; what they named stands in %s", ", ".join(broken), place)
    return tuple(broken)


def _has_readable_config(git_dir: Path) -> bool:
    try:
        store_setup.run(git_dir, ["config", "--list", "--local"])
    except GitError:
        return False
    return True


def _new_folder(folder: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    names = (stamp if number == 1 else f"{stamp}-{number}" for number in itertools.count(1))
    return next(folder / name for name in names if not (folder / name).exists())


def _repair_refs(store: _Store) -> bool:
    """Repair the files of refs, `packed-refs` and `shallow`. Return whether anything was wrong."""
    wrong = False
    for file in (store.git_dir / "refs").rglob("*"):
        if file.is_file() and not _REF.fullmatch(file.read_bytes()):
            store.quarantine(file)
            wrong = True
    for name, shape in (("packed-refs", _PACKED), ("shallow", re.compile(_NAME.pattern.encode()))):
        file = store.git_dir / name
        if file.exists():
            lines = file.read_bytes().split(b"\n")
            good = [line for line in lines if shape.fullmatch(line)]
            if good != lines[:-1] or lines[-1]:
                store.rewrite(file, b"".join(line + b"\n" for line in good))
                wrong = True
    return wrong | _repair_shallow(store)


def _repair_shallow(store: _Store) -> bool:
    """Ensure that history ends at the person's commits that snapshots are based on, whatever the file contains."""
    file = store.git_dir / "shallow"
    known = set(file.read_text().split()) if file.exists() else set()
    wanted = set(known)
    objects = CatFile(store.git_dir)
    try:
        for name in _ref_targets(store):
            with contextlib.suppress(GitError):
                found = objects.read(name)
                parents = re.findall(rb"^parent ([0-9a-f]+)$", found[1].partition(b"\n\n")[0], re.M) if found else []
                for parent in map(bytes.decode, parents):
                    above = objects.read(parent)
                    grand = re.findall(rb"^parent ([0-9a-f]+)$", above[1].partition(b"\n\n")[0], re.M) if above else []
                    if grand and any(objects.read(one.decode()) is None for one in grand):
                        wanted.add(parent)
    finally:
        objects.close()
    if wanted == known:
        return False
    atomic.write(file, "".join(f"{name}\n" for name in sorted(wanted)).encode())
    return True


def _ref_targets(store: _Store) -> list[str]:
    """Return the targets of all readable refs, without git, which may fail at the others."""
    files = [file.read_text() for file in (store.git_dir / "refs").rglob("*") if file.is_file()]
    packed = store.git_dir / "packed-refs"
    lines = packed.read_text().splitlines() if packed.exists() else []
    return [found[0] for text in (*files, *lines) if (found := _NAME.match(text))]


def _quarantine_loose_objects(store: _Store) -> Iterator[str]:
    """Move loose objects that do not match their names to quarantine, and yield their names."""
    for file in sorted(store.objects.glob("[0-9a-f][0-9a-f]/*")):
        name = f"{file.parent.name}{file.name}"
        if _NAME.fullmatch(name) and not _is_intact(file, name):
            store.quarantine(file)
            yield name


def _is_intact(file: Path, name: str) -> bool:
    digest = hashlib.new("sha1" if len(name) == 40 else "sha256", usedforsecurity=False)
    reader = zlib.decompressobj()
    try:
        with file.open("rb") as opened:
            while piece := opened.read(1 << 20):
                digest.update(reader.decompress(piece))
    except (OSError, zlib.error):
        return False
    return reader.eof and not reader.unused_data and digest.hexdigest() == name


def _find_damaged_packs(store: _Store) -> list[Path]:
    found = []
    for pack in sorted((store.objects / "pack").glob("pack-*.pack")):
        try:
            store_setup.run(store.git_dir, ["verify-pack", os.fspath(pack.with_suffix(".idx"))])
        except GitError:
            found.append(pack)
    # Indexes without a pack only mislead git.
    for other in (store.objects / "pack").glob("*.idx"):
        if not other.with_suffix(".pack").exists():
            store.quarantine(other)
    for shared in ("multi-pack-index", "../info/commit-graph"):
        with contextlib.suppress(FileNotFoundError):
            (store.objects / "pack" / shared).unlink()
    return found


def _quarantine_pack(store: _Store, pack: Path) -> set[str]:
    """Move a pack and its files to quarantine. Return the names of its objects if its index is readable."""
    for file in sorted(pack.parent.glob(f"{pack.stem}.*")):
        store.quarantine(file)
    index = (store.quarantine_folder / pack.relative_to(store.git_dir)).with_suffix(".idx")
    try:
        listing = store_setup.run(store.git_dir, ["show-index"], input=index.read_bytes()).decode()
    except (OSError, GitError):
        # Without a valid index, git reads the pack from its beginning up to the damage.
        moved = index.with_suffix(".pack")
        with contextlib.suppress(GitError, OSError):
            store_setup.run(store.git_dir, ["unpack-objects", "-r", "-q"], input=moved.read_bytes(), ok=range(256))
        return set()
    return {line.split()[1] for line in listing.splitlines()}


def _salvage_pack(store: _Store, pack: Path, lost: Collection[str]) -> None:
    """Write each readable object of a quarantined pack into the store."""
    aside = store.quarantine_folder / "objects"
    if not (store.quarantine_folder / pack.relative_to(store.git_dir)).with_suffix(".idx").exists():
        return
    reader = _ObjectReader(store.git_dir, aside)
    try:
        for name in sorted(lost):
            place = store.objects / name[:2] / name[2:]
            if place.exists() or (content := reader.read(name)) is None:
                continue
            place.parent.mkdir(exist_ok=True)
            atomic.write(place, zlib.compress(content, 1))
            place.chmod(0o444)
    finally:
        reader.close()


class _ObjectReader:
    """A reader of the objects in a folder of packs, some damaged."""

    def __init__(self, git_dir: Path, objects: Path) -> None:
        self._objects = CatFile(git_dir, {"GIT_OBJECT_DIRECTORY": os.fspath(objects)})

    def read(self, name: str) -> bytes | None:
        """Return an object as git hashes it, or None if it is damaged or missing."""
        try:
            found = self._objects.read(name)
        except GitError:
            return None
        if found is None:
            return None
        whole = b"%s %d\0%s" % (found[0].encode(), len(found[1]), found[1])
        algorithm = "sha1" if len(name) == 40 else "sha256"
        return whole if hashlib.new(algorithm, whole, usedforsecurity=False).hexdigest() == name else None

    def close(self) -> None:
        self._objects.close()


def _find_missing_objects(store: _Store) -> set[str]:
    """Return the objects that refs need and that the store lacks."""
    # The command fails if any object is missing, which is the expected case.
    checking = ["fsck", "--connectivity-only", "--no-dangling", "--no-reflogs", "--no-progress"]
    said = store_setup.run(store.git_dir, checking, ok=range(256)).decode(errors="replace")
    return {found[1] for found in re.finditer(r"^missing \w+ ([0-9a-f]+)$", said, re.M)}


def _fetch_objects(store: _Store, wanted: Collection[str], borrowed: tuple[Path, ...]) -> bool:
    """Copy the objects that the person's repository has. Return False if it has none of them."""
    if not borrowed:
        return False
    first, *others = borrowed
    environment = {**ISOLATED, "GIT_OBJECT_DIRECTORY": os.fspath(first), **alternates_variable(others)}
    asked = "".join(f"{name}\n" for name in sorted(wanted)).encode()
    # This only reads: git updates the time of an object only where it would write it.
    answers = store_setup.run(
        store.git_dir, ["cat-file", "--batch-check=%(objectname)"], input=asked, environment=environment
    )
    there = [line for line in answers.decode().splitlines() if _NAME.fullmatch(line)]
    if not there:
        return False
    names = "".join(f"{name}\n" for name in there).encode()
    store_setup.pack_names(store.git_dir, names, alternates_variable(borrowed))
    return True
