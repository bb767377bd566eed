"""Provide small disks that can be full, out of inodes or read-only: tmpfs in a private mount namespace.

Nothing outside of the namespace sees the mounts, and they go with its last process. So an aborted test leaves no mount
behind. The test's commands run inside; the test itself reaches the disks through `/proc`.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SIZE = 24_000_000
"""Size of each disk in bytes."""
INODES = 3000

_HOLD = 'for place; do mount -t tmpfs -o "size=$SIZE,nr_inodes=$INODES,mode=0700" mux-test "$place" || exit; done; '
_HOLD += "echo ready; exec cat"

_IN_FOLDER = 'cd "$1" && shift && exec "$@"'


@dataclass(frozen=True, slots=True)
class Disk:
    """One of the disks. Commands find it at `place`, the test at `seen`."""

    place: Path
    seen: Path

    def full(self) -> None:
        """Fill the disk to the last byte."""
        with (self.seen / "filler").open("ab", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError as error:
                    assert error.errno == errno.ENOSPC, error

    def out_of_inodes(self) -> None:
        """Use up all inodes."""
        folder = self.seen / "fillers"
        folder.mkdir()
        try:
            for number in range(INODES + 1):
                (folder / str(number)).touch()
        except OSError as error:
            assert error.errno == errno.ENOSPC, error

    def roomy(self) -> None:
        """Free the space and the inodes again."""
        (self.seen / "filler").unlink(missing_ok=True)
        shutil.rmtree(self.seen / "fillers", ignore_errors=True)


@dataclass
class Disks:
    """A mount namespace with disks in it. The process `holder` keeps it alive."""

    holder: subprocess.Popen[bytes]
    enter: list[str]
    environment: Mapping[str, str]
    _bound: list[Path] = field(default_factory=list)

    def disk(self, place: Path) -> Disk:
        """Return the disk that is mounted at a place."""
        return Disk(place, self.seen(place))

    def seen(self, place: Path) -> Path:
        """Return the path at which the test finds a place of the namespace."""
        return Path(f"/proc/{self.holder.pid}/root{place}")

    def start(self, folder: Path, *command: str) -> subprocess.Popen[bytes]:
        """Start a command in a folder inside the namespace."""
        line = [*self.enter, "sh", "-c", _IN_FOLDER, "sh", str(folder), *command]
        return subprocess.Popen(
            line, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def run(self, folder: Path, *command: str) -> subprocess.CompletedProcess[bytes]:
        """Run a command in a folder inside the namespace and wait for its end."""
        process = self.start(folder, *command)
        out, errors = process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, out, errors)

    def read_only(self, disk: Path) -> None:
        """Make a disk read-only. This fails while a process has one of its files open for writing."""
        self._mount("-o", "remount,ro", str(disk))

    def read_only_below(self, folder: Path) -> None:
        """Make a folder read-only even while its files are open: writes to those go on, as on a failing disk."""
        self._mount("--bind", str(folder), str(folder))
        self._mount("-o", "remount,bind,ro", str(folder))
        self._bound.append(folder)

    def writable(self, disk: Path) -> None:
        """Make the disk and all folders on it writable again."""
        while self._bound:
            folder = self._bound.pop()
            done = self.run(Path("/"), "umount", "--lazy", str(folder))
            assert done.returncode == 0, done.stderr
        self._mount("-o", "remount,rw", str(disk))

    def _mount(self, *arguments: str) -> None:
        done = self.run(Path("/"), "mount", *arguments)
        assert done.returncode == 0, done.stderr


@contextmanager
def small_disks(*places: Path, environment: Mapping[str, str]) -> Iterator[Disks]:
    """Yield disks at these places, which are existing folders. Skip the test if the system does not allow them."""
    unshare = shutil.which("unshare")
    if unshare is None or shutil.which("nsenter") is None:
        pytest.skip("this system has no mount namespaces (no unshare and nsenter)")
    as_root = os.geteuid() == 0
    command = [unshare, *([] if as_root else ["--user", "--map-root-user"]), "--mount", "--propagation", "private"]
    holder = subprocess.Popen(
        [*command, "sh", "-c", _HOLD, "sh", *map(str, places)],
        env={**os.environ, "SIZE": str(SIZE), "INODES": str(INODES)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stderr is not None
    try:
        if holder.stdout.readline() != b"ready\n":
            words = holder.stderr.read().decode(errors="replace").strip()
            pytest.skip(f"this system allows tests no mount namespace: {words}")
        user = [] if as_root else ["--user", "--preserve-credentials"]
        yield Disks(holder, ["nsenter", f"--target={holder.pid}", "--mount", *user, "--"], environment)
    finally:
        holder.stdin.close()
        holder.wait()
        holder.stdout.close()
        holder.stderr.close()
