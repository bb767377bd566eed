"""Check the words of docstrings, comments, messages and documents, as `python -m tests.support.words`.

The patterns and their replacements are in `words.txt` beside this file.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT: Final = Path(__file__).parents[2]
PATTERNS: Final = Path(__file__).with_suffix(".txt")
_HERE: Final = {"tests/support/words.py", "tests/support/words.txt", "tests/unit/test_words.py"}
_LINE: Final = re.compile(r"(begins|anywhere)\s+(.*?)\s+->\s+(.*)")
_COMMENTS: Final = {".lua": re.compile(r"^\s*---? ?(.*)"), ".ts": re.compile(r"^\s*(?:/\*\*|\*|//) ?(.*?)(?:\*/)?$")}
_DOCUMENTS: Final = {".md", ".txt"}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern of the list, its scope (the beginning of a docstring or any text), and its advice."""

    begins: bool
    expression: re.Pattern[str]
    advice: str


@dataclass(frozen=True, slots=True)
class Text:
    """A text of a file with the number of its first line. `docstring` is true if its beginning is checked too."""

    line: int
    text: str
    docstring: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A match of a pattern in a file."""

    path: str
    line: int
    words: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.words!r}: {self.advice}"


def patterns(lines: Iterable[str]) -> list[Pattern]:
    """Parse the list. Raises ValueError for a line that is neither a pattern nor a comment."""
    found = []
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise ValueError(f"{PATTERNS.name}: {line!r} is no pattern")
        kind, expression, advice = match.groups()
        begins = kind == "begins"
        found.append(Pattern(begins, re.compile(rf"{'' if begins else '(?i)'}\b{expression}\b"), advice))
    return found


def check(path: str, content: str, wanted: Iterable[Pattern]) -> list[Finding]:
    """Find the words of a file that match the patterns."""
    found = []
    for one in _texts(path, content):
        for pattern in wanted:
            if pattern.begins:
                match = pattern.expression.match(one.text.lstrip()) if one.docstring else None
            else:
                match = pattern.expression.search(one.text)
            if match is not None:
                line = one.line + (0 if pattern.begins else one.text.count("\n", 0, match.start()))
                found.append(Finding(path, line, match.group(), pattern.advice))
    return found


def _texts(path: str, content: str) -> Iterator[Text]:
    suffix = Path(path).suffix
    if suffix == ".py":
        yield from _python(content)
    elif suffix in _COMMENTS:
        begun = False
        for number, line in enumerate(content.split("\n"), 1):
            comment = _COMMENTS[suffix].match(line)
            if comment is not None:
                yield Text(number, comment.group(1), docstring=not begun)
            begun = comment is not None
    elif suffix in _DOCUMENTS:
        yield Text(1, content)


def _python(content: str) -> Iterator[Text]:
    tree = ast.parse(content)
    docstrings = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                docstrings.add(id(statement.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield Text(node.lineno, node.value, docstring=id(node) in docstrings)
    for token in tokenize.generate_tokens(io.StringIO(content).readline):
        if token.type == tokenize.COMMENT:
            yield Text(token.start[0], token.string)


def files() -> list[str]:
    """Return the files of this project that people read, relative to its root."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    kept = (path for path in listed.split("\0") if Path(path).suffix in {".py", *_COMMENTS, *_DOCUMENTS})
    return [path for path in kept if path not in _HERE and not path.startswith("tests/unit/agents/samples/")]


def main() -> None:
    """Print each finding, and exit with status 1 if there is one."""
    wanted = patterns(PATTERNS.read_text(encoding="utf-8").splitlines())
    chosen = sys.argv[1:] or files()
    found = [finding for path in chosen for finding in check(path, (ROOT / path).read_text(encoding="utf-8"), wanted)]
    for finding in found:
        print(finding)  # noqa: T201
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
