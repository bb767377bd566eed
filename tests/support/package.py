"""Build the packages that people install from the checkout, and lay them out like an installation."""

from __future__ import annotations

import os
import shlex
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


def unpack_wheel(place: Path) -> Path:
    """Build the wheel and lay it out in `place`/site. Return its program `mux-lsp`, in `place`/bin."""
    name = _build("build_wheel", place)
    with zipfile.ZipFile(place / name) as wheel:
        wheel.extractall(place / "site")
    (place / "bin").mkdir()
    program = place / "bin" / "mux-lsp"
    command = shlex.join([sys.executable, "-P", "-m", "mux_lsp"])
    program.write_text(f'#!/bin/sh\nPYTHONPATH={place}/site exec {command} "$@"\n')
    program.chmod(0o755)
    return program


def build_sdist(place: Path) -> Path:
    """Build the source distribution in `place`."""
    return place / _build("build_sdist", place)


def _build(hook: str, place: Path) -> str:
    hatchling = pytest.importorskip("hatchling.build")
    before = Path.cwd()
    os.chdir(CHECKOUT)
    try:
        name: str = getattr(hatchling, hook)(str(place))
    finally:
        os.chdir(before)
    return name
