"""Find the mount points below a folder: nothing can be renamed across such a point."""

from __future__ import annotations

import os
import re
from pathlib import Path


def mounts_below(root: Path) -> tuple[str, ...]:
    """Return the mount points below a folder, as paths relative to it; () on systems without `/proc` (macOS)."""
    try:
        # proc(5): the fifth field of a line is the mount point, with octal escapes.
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return ()
    top = os.fsencode(os.path.realpath(root)).rstrip(b"/") + b"/"
    points = (_unescaped(fields[4]) for line in lines if len(fields := line.split(b" ")) > 4)
    return tuple(sorted({os.fsdecode(point.removeprefix(top)) for point in points if point.startswith(top)}))


def _unescaped(field: bytes) -> bytes:
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), field)
