"""Check and package the VS Code extension, in the cache, so that the tree stays clean.

`python -m tests.support.extension check` is part of `make check`; `python -m tests.support.extension package FOLDER` is
`make vsix`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock

from tests.support import node
from tests.support.isolation import CACHE

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES: Final = Path(__file__).parents[2] / "editor-clients" / "vscode"
MADE: Final = frozenset({"node_modules", "out"})
"""Folders with build results, which may be among a person's sources."""

SOME_DAY: Final = 1_700_000_000
"""Default time stamp in seconds since the epoch: with a fixed one, a package is built once for its sources."""


def package(date: int = SOME_DAY) -> Path:
    """Build a .vsix of the current sources. `date` is the time stamp of all entries, in seconds since the epoch."""
    with _workshop() as shop:
        made = shop / "packages" / f"{_digest(*_sources())}-{date}.vsix"
        if not made.exists():
            _copy(shop)
            made.parent.mkdir(exist_ok=True)
            # Time stamps in an archive are in local time.
            node.npm(shop, "run", "package", "--", "--out", "new.vsix", SOURCE_DATE_EPOCH=str(date), TZ="UTC")
            (shop / "new.vsix").rename(made)
        return made


def module(path: str) -> str:
    """Return the text of a file in `node_modules`."""
    with _workshop() as shop:
        return (shop / "node_modules" / path).read_text(encoding="utf-8")


def check() -> None:
    """Run the types, lint and unit tests. Raises CalledProcessError, with their output in its notes."""
    with _workshop() as shop:
        seen = shop / "checked" / _digest(*_sources())
        if not seen.exists():
            _copy(shop)
            node.npm(shop, "run", "check")
            seen.parent.mkdir(exist_ok=True)
            seen.touch()


@contextmanager
def _workshop() -> Iterator[Path]:
    """Yield a folder with the packages of the lock file, locked for one process."""
    manifest, lock = SOURCES / "package.json", SOURCES / "package-lock.json"
    wanted = json.loads(manifest.read_text(encoding="utf-8"))
    needs = json.dumps([wanted.get("dependencies"), wanted.get("devDependencies")])
    shop = CACHE / "vscode" / f"shop-{hashlib.sha256(lock.read_bytes() + needs.encode()).hexdigest()[:16]}"
    shop.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{shop}.lock"):
        if not (shop / "complete").exists():
            shutil.rmtree(shop, ignore_errors=True)
            shop.mkdir()
            for one in (manifest, lock, SOURCES / ".npmrc"):
                shutil.copy(one, shop)
            node.npm(shop, "ci", "--ignore-scripts")
            (shop / "complete").touch()
        yield shop


def _sources() -> list[Path]:
    return [
        path
        for path in sorted(SOURCES.rglob("*"))
        if path.is_file() and path.relative_to(SOURCES).parts[0] not in MADE and path.suffix != ".vsix"
    ]


def _digest(*files: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(SOURCES)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def _copy(shop: Path) -> None:
    """Replace the sources in the folder with the current ones."""
    for old in shop.iterdir():
        if old.name not in {"node_modules", "complete", "packages", "checked"}:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    for file in _sources():
        place = shop / file.relative_to(SOURCES)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["check"]:
            check()
        case ["package", folder]:
            version = json.loads((SOURCES / "package.json").read_text(encoding="utf-8"))["version"]
            print(shutil.copy(package(), Path(folder) / f"mux-lsp-{version}.vsix"))  # noqa: T201
        case _:
            sys.exit("usage: python -m tests.support.extension check | package FOLDER")
