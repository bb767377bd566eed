"""The URIs of the read-only documents: scheme `mux`, what it is, of which run or task, and at the end a file's name.

The path comes last so that an editor sees from its name which language it is in; a diff's has `.diff` behind it. It is
percent-encoded UTF-8, in whichever spelling a client makes of that. A path that is not UTF-8 has U+FFFD there, since
editors lose or refuse other bytes, and the query's `bytes` has it exactly, in hexadecimal.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

from mux_lsp.core.sanitize import printable
from mux_lsp.errors import UsageError

SCHEME = "mux"


class Kind(StrEnum):
    """What a document shows."""

    RUN = "run"
    """A file as a run has it."""
    SNAPSHOT = "snapshot"
    """A file as a task's snapshot had it."""
    PENDING = "pending"
    """The live text as it would be with all pending hunks of a run."""
    DIFF = "diff"
    """From the live text to that, or one hunk alone."""
    TRANSCRIPT = "transcript"
    """A run: what it was told, what it printed, how it ended."""
    COMPARE = "compare"
    """The runs of a task side by side."""
    PLOT = "plot"
    """Their agreement and cost, as a drawing."""

    @property
    def page(self) -> bool:
        """Whether it is a page about a run or a task; the others are about a file."""
        return self in {Kind.TRANSCRIPT, Kind.COMPARE, Kind.PLOT}

    @property
    def of_task(self) -> bool:
        """Whether it is a page about a task."""
        return self in {Kind.COMPARE, Kind.PLOT}

    @property
    def suffix(self) -> str:
        """What the names of its pages end with."""
        return ".svg" if self is Kind.PLOT else ".md"


@dataclass(frozen=True, slots=True)
class Address:
    """Which document it is. `of` is a run's id, or for a snapshot or a comparison a task's."""

    kind: Kind
    of: str
    path: str = ""
    """Relative to the repository's root; "" for a page."""
    hunk: str | None = None
    """Of a diff: the one hunk that it is about."""

    @property
    def name(self) -> str:
        """A file name for it, by which its language can be told."""
        if self.kind.page:
            return self.of + self.kind.suffix
        return self.path.rpartition("/")[2] + (".diff" if self.kind is Kind.DIFF else "")

    @property
    def uri(self) -> str:
        """Its URI."""
        if self.kind.page:
            return f"{SCHEME}:/{self.kind}/{quote(self.of, safe='')}{self.kind.suffix}"
        raw = os.fsencode(self.path)
        shown = raw.decode(errors="replace")
        query = [f"hunk={self.hunk}"] if self.hunk is not None else []
        if shown.encode() != raw:
            query.append(f"bytes={raw.hex()}")
        end = ".diff" if self.kind is Kind.DIFF else ""
        asked = f"?{'&'.join(query)}" if query else ""
        return f"{SCHEME}:/{self.kind}/{quote(self.of, safe='')}/{quote(shown)}{end}{asked}"


def parse(uri: str) -> Address:
    """The document of a URI. Raises UsageError where there can be none of that name."""
    try:
        parts = urlsplit(uri)
        # Some clients encode the whole of a query, the signs between its parts too. Our parts have none.
        asked = dict(one.split("=") for one in unquote(parts.query).split("&") if one)
        kind, of, *names = os.fsdecode(unquote_to_bytes(parts.path)).removeprefix("/").split("/")
        found = _address(Kind(kind), of, names, asked)
    except ValueError:
        raise _unknown(uri) from None
    if parts.scheme != SCHEME or parts.netloc or parts.fragment:
        raise _unknown(uri)
    return found


def _address(kind: Kind, of: str, names: list[str], asked: dict[str, str]) -> Address:
    """Raises ValueError where these do not make one."""
    if kind.page:
        if names or asked or not of.endswith(kind.suffix):
            raise ValueError(of)
        return Address(kind, of.removesuffix(kind.suffix))
    path = "/".join(names)
    hunk = None
    if kind is Kind.DIFF:
        if not path.endswith(".diff"):
            raise ValueError(path)
        path, hunk = path.removesuffix(".diff"), asked.pop("hunk", None)
    if "bytes" in asked:
        exact = bytes.fromhex(asked.pop("bytes"))
        if exact.decode(errors="replace") != path:
            raise ValueError(path)
        path = os.fsdecode(exact)
    # No tree has these names; git would take some of them for something else than a path.
    if asked or "\0" in path or not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise ValueError(path)
    return Address(kind, of, path, hunk)


def _unknown(uri: str) -> UsageError:
    return UsageError(
        f"{printable(uri)!r} names no document of mux-lsp; they are mux:/run/RUN/PATH, mux:/snapshot/TASK/PATH, "
        "mux:/pending/RUN/PATH, mux:/diff/RUN/PATH.diff, mux:/transcript/RUN.md, mux:/compare/TASK.md and "
        "mux:/plot/TASK.svg."
    )
