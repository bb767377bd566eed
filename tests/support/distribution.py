"""Build everything that a release consists of into one folder: sdist, wheel, extension and their checksums.

`python -m tests.support.distribution FOLDER` is `make dist`. Two builds of one commit are equal to the byte, on any
machine and at any time: every time stamp is that of the commit.

The wheel is built from the sdist, as pip builds it where there is no wheel. The extension is beside the wheel and not
in it, since building it requires Node.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from mux_lsp import __version__
from tests.support import extension, node

CHECKOUT: Final = Path(__file__).parents[2]
SUMS: Final = "SHA256SUMS"


def build(folder: Path, source: Path = CHECKOUT, *, date: int | None = None) -> list[Path]:
    """Build sdist and wheel of a source tree, and the extension of this one, into a folder; return all files made.

    `date` is in seconds since the epoch and defaults to the date of the last commit. The files of an earlier build in
    the folder are removed.
    """
    stamp = commit_date() if date is None else date
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("mux_lsp-*"), *folder.glob("mux-lsp-*"), folder / SUMS):
        old.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        sdist = hatch("sdist", source, Path(temporary), stamp)
        with tarfile.open(sdist) as archive:
            archive.extractall(temporary, filter="data")
        wheel = hatch("wheel", Path(temporary, sdist.name.removesuffix(".tar.gz")), Path(temporary), stamp)
        made = [Path(shutil.copy(one, folder)) for one in (sdist, wheel)]
    made.append(Path(shutil.copy(extension.package(stamp), folder / f"mux-lsp-{__version__}.vsix")))
    sums = folder / SUMS
    sums.write_text("".join(f"{hashlib.sha256(one.read_bytes()).hexdigest()}  {one.name}\n" for one in sorted(made)))
    return [*made, sums]


def hatch(kind: str, source: Path, folder: Path, date: int) -> Path:
    """Build an sdist or a wheel of a source tree into a folder. Raises CalledProcessError."""
    before = set(folder.iterdir())
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    node.run(command, source, {"SOURCE_DATE_EPOCH": str(date)})
    (made,) = set(folder.iterdir()) - before
    return made


def commit_date() -> int:
    """Return the date of the last commit, or SOURCE_DATE_EPOCH if it is set, as in a tree that is no checkout."""
    if date := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(date)
    done = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True, check=True
    )
    return int(done.stdout)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.support.distribution FOLDER")
    for made in build(Path(sys.argv[1])):
        print(made)  # noqa: T201
