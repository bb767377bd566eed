"""Check whether an index of ours is intact.

Our indexes have no checksum (`index.skipHash`), since git needs tens of milliseconds to compute one for 50,000 files.
So git does not notice an index whose end was lost in a power failure: it takes the missing files for removed. The
format: https://git-scm.com/docs/index-format
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_STAT: Final = 40
"""Bytes before the object's name: the file's stat data."""
_PADDING: Final = 16
"""Bytes of zeros that show lost data.

An entry ends in at most eight, an extension in none: more are what a file system puts in place of data that did not
reach the disk.
"""
_LONG: Final = 0xFFF
"""A path of at least this many bytes ends at its NUL."""
_EXTENDED: Final = 0x4000


def is_intact(index: Path, object_format: str) -> bool:
    """Return whether every entry and extension is complete. True if there is no index or if it has an unknown format.

    Takes about 30 ms for 50,000 files.
    """
    try:
        data = index.read_bytes()
    except FileNotFoundError:
        return True
    digest = 20 if object_format == "sha1" else 32
    if len(data) < 12 + digest or data[:4] != b"DIRC":
        return False
    version = int.from_bytes(data[4:8], "big")
    count = int.from_bytes(data[8:12], "big")
    if version not in {2, 3}:
        return version == 4
    end = len(data) - digest
    if end > 12 and not any(data[end - _PADDING : end]):
        return False
    place = _end_of_entries(data, count, digest, end)
    while place is not None and place < end:
        if end - place < 8:
            return False
        place += 8 + int.from_bytes(data[place + 4 : place + 8], "big")
    return place == end


def _end_of_entries(data: bytes, count: int, digest: int, end: int) -> int | None:
    """Return the offset of the end of the entries, or None if they are damaged."""
    place = 12
    flags_at = _STAT + digest
    nothing = bytes(digest)
    for _ in range(count):
        if place + flags_at + 2 > end or data[place + _STAT : place + flags_at] == nothing:
            return None
        flags = data[place + flags_at] << 8 | data[place + flags_at + 1]
        fixed = flags_at + (4 if flags & _EXTENDED else 2)
        length = flags & _LONG
        if length == _LONG:
            length = data.find(b"\0", place + fixed) - place - fixed
        if length <= 0:
            return None
        place += (fixed + length + 8) & ~7
    return place if place <= end else None
