"""Copy mux-lsp with fakes for its engine and language server, and with a version of the test's choice.

The copied bridge starts the copied daemon. Both are the real code; only what they connect to is fake.
"""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import mux_lsp
from tests.support.home import IsolatedHome, isolated_home

if TYPE_CHECKING:
    from collections.abc import Iterator

_REAL = Path(mux_lsp.__file__).parent
_FAKES = Path(__file__).parent / "fakes"


@contextmanager
def home_with_stand_ins() -> Iterator[IsolatedHome]:
    """Yield an isolated home whose `mux-lsp` is a copy with fakes."""
    with isolated_home() as home:
        yield replace(home, extra={"PYTHONPATH": str(make_tree(home.folder))})


@pytest.fixture
def fake_home() -> Iterator[IsolatedHome]:
    with home_with_stand_ins() as home:
        yield home


def other_version(home: IsolatedHome, version: str) -> IsolatedHome:
    """Return the same home for a `mux-lsp` of another version."""
    return replace(home, extra={"PYTHONPATH": str(make_tree(home.folder, version))})


def release(home: IsolatedHome, version: str, migration: str | None = None) -> IsolatedHome:
    """Return the same home for a complete copy of mux-lsp of another version, with one more migration if given."""
    root = home.folder / f"release-{version}"
    package = root / "mux_lsp"
    shutil.copytree(_REAL, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").write_text(f'__version__ = "{version}"\n')
    if migration is not None:
        with (package / "store" / "database.py").open("a") as file:
            file.write(f"\nMIGRATIONS = (*MIGRATIONS, ({migration!r},))\n")
    return replace(home, extra={**home.extra, "PYTHONPATH": str(root)})


def tune(home: IsolatedHome, module: str, name: str, value: float) -> None:
    """Change a constant of the copy, so that a test need not wait as long as a person would."""
    path = Path(home.extra["PYTHONPATH"]) / "mux_lsp" / module
    text, count = re.subn(rf"^{name} = .*$", f"{name} = {value}", path.read_text(), flags=re.MULTILINE)
    assert count == 1
    path.write_text(text)


def make_tree(folder: Path, version: str = mux_lsp.__version__) -> Path:
    """Copy the package below the folder. Return the entry for `PYTHONPATH`."""
    root = folder / f"tree-{version}"
    package = root / "mux_lsp"
    package.mkdir(parents=True)
    for name in (
        "__main__.py",
        "atomic.py",
        "callers.py",
        "errors.py",
        "faults.py",
        "keys.py",
        "orphans.py",
        "paths.py",
        "storage.py",
    ):
        shutil.copy(_REAL / name, package)
    shutil.copytree(_REAL / "daemon", package / "daemon", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").write_text(f'__version__ = "{version}"\n')
    shutil.copy(_FAKES / "config.py", package)
    (package / "core").mkdir()
    for name in ("__init__.py", "phrases.py"):
        shutil.copy(_REAL / "core" / name, package / "core")
    for room, fake in (("engine", "engine.py"), ("lsp", "session.py")):
        (package / room).mkdir()
        (package / room / "__init__.py").touch()
        shutil.copy(_FAKES / fake, package / room)
    return root
