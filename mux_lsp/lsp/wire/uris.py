"""Build and parse the URIs of read-only documents: scheme `mux`, kind, id of the run or task, and last a file path.

The path comes last so that an editor recognizes the language by the name; a diff's name ends in `.diff`. The path is
percent-encoded UTF-8, in whichever spelling a client makes of that. A path that is not UTF-8 has U+FFFD there, since
editors lose or refuse other bytes; the query's `bytes` has the exact path, in hexadecimal.
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
    """Kind of a read-only document."""

    RUN = "run"
    """A file as a run has it."""
    SNAPSHOT = "snapshot"
    """A file as a task's snapshot had it."""
    PENDING = "pending"
    """The live text with all pending hunks of a run applied."""
    DIFF = "diff"
    """The difference between the live text and that, or one hunk alone."""
    TRANSCRIPT = "transcript"
    """A run: its prompt, its output and its end."""
    COMPARE = "compare"
    """The runs of a task side by side."""
    PLOT = "plot"
    """The agreement and cost of the runs, as a drawing."""

    @property
    def page(self) -> bool:
        """True if it is a page about a run or a task. The other kinds are about a file."""
        return self in {Kind.TRANSCRIPT, Kind.COMPARE, Kind.PLOT}

    @property
    def of_task(self) -> bool:
        """True if it is a page about a task."""
        return self in {Kind.COMPARE, Kind.PLOT}

    @property
    def suffix(self) -> str:
        """The ending of the names of its pages."""
        return ".svg" if self is Kind.PLOT else ".md"


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a document. `of` is a run's id, or a task's for a snapshot or a page about a task."""

    kind: Kind
    of: str
    path: str = ""
    """Path relative to the repository's root; "" for a page."""
    hunk: str | None = None
    """The id of the one hunk that a diff is about; None for the whole file."""

    @property
    def name(self) -> str:
        """A file name for the document that shows its language."""
        if self.kind.page:
            return self.of + self.kind.suffix
        return self.path.rpartition("/")[2] + (".diff" if self.kind is Kind.DIFF else "")

    @property
    def uri(self) -> str:
        """The URI of the document."""
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
    """Return the address of a URI. Raises UsageError if it cannot name a document."""
    try:
        parts = urlsplit(uri)
        # Some clients encode the whole query, its separators too. Our values contain no separators.
        asked = dict(one.split("=") for one in unquote(parts.query).split("&") if one)
        kind, of, *names = os.fsdecode(unquote_to_bytes(parts.path)).removeprefix("/").split("/")
        found = _address(Kind(kind), of, names, asked)
    except ValueError:
        raise _unknown(uri) from None
    if parts.scheme != SCHEME or parts.netloc or parts.fragment:
        raise _unknown(uri)
    return found


def _address(kind: Kind, of: str, names: list[str], asked: dict[str, str]) -> Address:
    """Return the address with these parts. Raises ValueError if they are invalid."""
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
    # No tree contains these names, and git would read some of them as something other than a path.
    if asked or "\0" in path or not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise ValueError(path)
    return Address(kind, of, path, hunk)


def _unknown(uri: str) -> UsageError:
    return UsageError(
        f"{printable(uri)!r} names no document of mux-lsp; they are mux:/run/RUN/PATH, mux:/snapshot/TASK/PATH, "
        "mux:/pending/RUN/PATH, mux:/diff/RUN/PATH.diff, mux:/transcript/RUN.md, mux:/compare/TASK.md and "
        "mux:/plot/TASK.svg."
    )
