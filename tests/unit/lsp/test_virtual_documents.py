"""Test the URIs of read-only documents, and pages in which an agent's text stays plain text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol import types
from markdown_it import MarkdownIt

from mux_lsp.core.agreement import Agreement
from mux_lsp.core.grading import Candidate, Opinion, Weights
from mux_lsp.core.model import ChangeKind, Check, CheckState, FileChange, Hunk, LeftOut, Run, RunState, Task, Tests
from mux_lsp.core.ranking import rank
from mux_lsp.engine.state.run_summary import NO_SUMMARY
from mux_lsp.errors import UsageError
from mux_lsp.lsp.commands import compare
from mux_lsp.lsp.pages import compare_page, run_page
from mux_lsp.lsp.pages.run_page import Output, Printed
from mux_lsp.lsp.wire import capabilities, convert, markdown, uris
from mux_lsp.lsp.wire.uris import Address, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markdown_it.token import Token

    from mux_lsp.core.ranking import Ranked

# URIs

URIS = [
    (Address(Kind.RUN, "k3f-1", "src/app.py"), "mux:/run/k3f-1/src/app.py"),
    (Address(Kind.SNAPSHOT, "k3f", "a b#c?d%41.py"), "mux:/snapshot/k3f/a%20b%23c%3Fd%2541.py"),
    (Address(Kind.PENDING, "k3f-1", "é.txt"), "mux:/pending/k3f-1/%C3%A9.txt"),
    (Address(Kind.DIFF, "k3f-1", "src/app.py"), "mux:/diff/k3f-1/src/app.py.diff"),
    (Address(Kind.DIFF, "k3f-1", "a.diff", "0123456789"), "mux:/diff/k3f-1/a.diff.diff?hunk=0123456789"),
    (Address(Kind.RUN, "k3f-1", "caf\udce9.py"), "mux:/run/k3f-1/caf%EF%BF%BD.py?bytes=636166e92e7079"),
    (
        Address(Kind.DIFF, "k3f-1", "\udcff", "0123456789"),
        "mux:/diff/k3f-1/%EF%BF%BD.diff?hunk=0123456789&bytes=ff",
    ),
    (Address(Kind.RUN, "k3f-1", "caf\ufffd.py"), "mux:/run/k3f-1/caf%EF%BF%BD.py"),
    (Address(Kind.RUN, "k3f-1", "back\\xff.py"), "mux:/run/k3f-1/back%5Cxff.py"),
    (Address(Kind.TRANSCRIPT, "k3f-1"), "mux:/transcript/k3f-1.md"),
    (Address(Kind.COMPARE, "k3f"), "mux:/compare/k3f.md"),
    (Address(Kind.PLOT, "k3f"), "mux:/plot/k3f.svg"),
]


@pytest.mark.parametrize(("address", "uri"), URIS)
def test_an_address_has_one_uri(address: Address, uri: str) -> None:
    assert address.uri == uri
    assert uris.parse(uri) == address


@pytest.mark.parametrize(
    ("spelt", "uri"),
    [
        ("mux:/run/k3f%2D1/src%2Fapp.py", "mux:/run/k3f-1/src/app.py"),
        ("mux:///run/k3f-1/src/app.py", "mux:/run/k3f-1/src/app.py"),
        ("MUX:/run/k3f-1/é.py", "mux:/run/k3f-1/%C3%A9.py"),
        ("mux:/run/k3f-1/caf%E9.py", "mux:/run/k3f-1/caf%EF%BF%BD.py?bytes=636166e92e7079"),
        ("mux:/diff/k3f-1/a.diff?hunk%3D0123456789", "mux:/diff/k3f-1/a.diff?hunk=0123456789"),
        ("mux:/diff/k3f-1/%EF%BF%BD.diff?bytes%3Dff%26hunk%3Dabc", "mux:/diff/k3f-1/%EF%BF%BD.diff?hunk=abc&bytes=ff"),
    ],
)
def test_other_spellings_of_a_uri_are_the_same_document(spelt: str, uri: str) -> None:
    assert uris.parse(spelt).uri == uri


@pytest.mark.parametrize(
    "uri",
    [
        "", "mux:", "mux:/", "mux:/run", "mux:/run/k3f-1", "mux:/run/k3f-1/", "mux:/run/k3f-1//a", "mux:/run/k3f-1/a/",
        "mux:/run/k3f-1/../a", "mux:/run/k3f-1/%2E%2E/a", "mux:/run/k3f-1/./a", "mux:/run/k3f-1/a%00b",
        "mux:/run/k3f-1/a?hunk=0123456789", "mux:/run/k3f-1/a?other=1", "mux:/run/k3f-1/a?bytes", "mux:/run/k3f-1/a#b",
        "mux:/run/k3f-1/a?bytes=zz", "mux:/run/k3f-1/a?bytes=62", "mux:/run/k3f-1/%EF%BF%BD?bytes=2e2e2fff",
        "mux:/diff/k3f-1/a.py", "mux:/transcript/k3f-1", "mux:/transcript/k3f-1.md/a", "mux:/compare/k3f.md?hunk=1",
        "mux:/else/k3f-1/a", "mux://host/run/k3f-1/a", "file:///run/k3f-1/a", "/run/k3f-1/a", "mux://[/run/k3f-1/a",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_in_one_line(uri: str) -> None:
    with pytest.raises(UsageError, match="names no document of mux-lsp") as refused:
        uris.parse(uri)
    assert "\n" not in str(refused.value)


NAMES = st.binary(min_size=1, max_size=12).map(lambda raw: raw.decode(errors="surrogateescape"))
PARTS = NAMES.filter(lambda name: "/" not in name and "\0" not in name and name not in {".", ".."})


@given(st.lists(PARTS, min_size=1, max_size=4).map("/".join), st.sampled_from([kind for kind in Kind if not kind.page]))
def test_any_path_survives_as_a_uri_and_keeps_its_name(path: str, kind: Kind) -> None:
    address = Address(kind, "k3f-1", path)
    assert uris.parse(address.uri) == address
    assert address.uri.isascii()
    assert address.name == path.rpartition("/")[2] + (".diff" if kind is Kind.DIFF else "")


# Markdown

HOSTILE = [
    "[click](command:mux.run.accept)",
    "<https://evil.example>",
    "https://evil.example/x www.evil.example a@evil.example",
    "<img src=x onerror=alert(1)>",
    "``` \n```\n[x](y)\n```",
    "`` ` [x](y) ` ``",
    "`",
    "a``",
    " ` ",
    "a | [x](y) | b",
    "a \\| [x](y) \\\\| <b>",
    "\x1b]8;;https://evil.example\x07here\x1b]8;;\x07\x1b[31m\x9b2J",
    "\u202egnp.exe",
    "# heading\n\n[x]: y\n\n[x]",
    "~~~\n</details>\n---\n> - 1. ![i](u)",
    "\r\n```\r[x](y)\r",
    "| a |\n| --- |\n| [x](y) |",
    "&#91;x&#93;(y) &lt;b&gt;",
    "*a* _b_ ~~c~~ $x$ [[w]] {{t}}",
]
"""Texts that an agent may write to inject markup."""

ALLOWED = frozenset(
    {"heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "fence", "text", "code_inline",
     "bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close", "table_open", "table_close",
     "thead_open", "thead_close", "tbody_open", "tbody_close", "tr_open", "tr_close", "th_open", "th_close", "td_open",
     "td_close", "softbreak"}
)  # fmt: skip
"""The tokens that our pages use: no link, no HTML, no image, no emphasis."""


def tokens(document: str) -> list[Token]:
    """Return all tokens of a document, as a renderer that allows HTML sees it."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return [one for token in parser.parse(document) for one in (token, *(token.children or ()))]


def check_harmless(document: str, *texts: str) -> None:
    found = tokens(document)
    assert {one.type for one in found} <= ALLOWED
    assert not set("\x1b\x07\x9b\r\u202e") & set(document)
    # Text outside of code is ours alone; renderers may turn what looks like a link there into one.
    outside = "".join(one.content for one in found if one.type == "text")
    assert "evil" not in outside
    assert "](" not in outside
    inside = [one.content for one in found if one.type in {"fence", "code_inline"}]
    for text in texts:
        assert any(text in one for one in inside), text


RUN = Run("k3f-1", "k3f", "sh:make", "large", RunState.FINISHED, started=1.0, finished=3.5, exit_status=0)
TASK = Task("k3f", "do it", "/r", "", 1.0, runs=(RUN,))
NOTHING = Output(Printed(""), Printed(""), {})


def change(path: str, kind: ChangeKind = ChangeKind.MODIFIED, lines: tuple[int, int] | None = (1, 2)) -> FileChange:
    added, removed = lines or (None, None)
    return FileChange(path, kind, 0o100644, 0o100644, "1" * 40, "2" * 40, added, removed)


def hostile_run(words: str) -> tuple[Task, Run]:
    moved = replace(change(words, ChangeKind.RENAMED), old_path=words)
    run = replace(
        RUN,
        agent=f"sh:{words}",
        model=words,
        reason=words,
        files=(moved, change(f"dir/{words}", lines=None)),
        checks=(Check(words, CheckState.FAILED, 2, 0.5), Check(words, CheckState.RUNNING)),
        left_out=(LeftOut(words, words),),
        tokens=1,
        cost_usd=0.25,
    )
    return replace(TASK, prompt=words, runs=(run,)), run


def check_pages(words: str) -> None:
    task, run = hostile_run(words)
    printed = Printed(words, 7)
    check_harmless(run_page.page(task, run, Output(printed, printed, {0: printed}, [words])))
    task = replace(task, baseline=run.checks)
    ranking = rank([Candidate(run, outside=(words,), opinion=Opinion(0.5, words))], Weights(), task.baseline)
    found = {path: [Hunk("0123456789", 0, (words,), (words,))] for path in (words, f"dir/{words}")}
    compared = page_of(task, ranking, found)
    check_harmless(compared)
    rows = [token for token in tokens(compared) if token.type == "td_open"]
    assert len(rows) == 11 + 2 * 2 + 2 * 5


def page_of(task: Task, ranking: Sequence[Ranked], hunks: Mapping[str, Sequence[Hunk]]) -> str:
    """Return the page that compares the runs of a task with these hunks at these paths."""
    shape = convert.task_shape(task, lambda _: NO_SUMMARY)
    result = compare.compare(shape, task, ranking, Made(hunks))
    return compare_page.page(task.prompt, result, {hunk.id: hunk for own in hunks.values() for hunk in own})


class Made:
    """Made-up hunks by path. A file that was made executable lacks the last one."""

    def __init__(self, hunks: Mapping[str, Sequence[Hunk]]) -> None:
        self._hunks = hunks

    def hunks(self, change: FileChange) -> tuple[Hunk, ...]:
        return tuple(self._hunks.get(change.path, ()))[: -1 if change.new_mode == 0o100755 else None]


@pytest.mark.parametrize("words", HOSTILE)
def test_nothing_an_agent_wrote_is_more_than_text_on_a_page(words: str) -> None:
    check_pages(words)


# Parsing a page takes milliseconds, and much longer on a busy machine.
@settings(max_examples=50)
@given(st.text(st.sampled_from("`|\\[]()<>a:/. \n#*_!&;~-\x1b"), max_size=30))
def test_nothing_made_of_the_signs_of_markdown_is_more_than_text_on_a_page(words: str) -> None:
    check_pages(words)


@pytest.mark.parametrize(
    ("words", "spelt"),
    [
        ("plain", "`plain`"),
        ("a`b", "``a`b``"),
        ("``", "``` `` ```"),
        (" a", "`  a `"),
        ("two\nlines", "`two lines`"),
        ("", ""),
        (" \n", ""),
    ],
)
def test_code_spans(words: str, spelt: str) -> None:
    assert markdown.code(words) == spelt


@given(st.text(st.sampled_from("`|\\a b\n"), min_size=1, max_size=12))
def test_a_code_span_shows_exactly_its_words(words: str) -> None:
    spelt = markdown.code(words)
    if spelt:
        (_, inline, _) = MarkdownIt().parse(f"x{spelt}x")
        assert [child.content for child in inline.children or ()] == ["x", words.replace("\n", " "), "x"]


@given(st.text(st.sampled_from("|\\a "), max_size=12))
def test_a_bar_in_a_cell_has_exactly_one_backslash_before_it(words: str) -> None:
    """Renderers disagree on the meaning of two."""
    row = markdown.table(("x", "y"), [(words, "end")]).splitlines()[-1].removeprefix("| ").removesuffix(" | end |")
    assert all(row[:at].endswith("\\") and not row[:at].endswith("\\\\") for at in range(len(row)) if row[at] == "|")


# Pages


def test_a_transcript_tells_what_a_run_was_told_printed_and_changed() -> None:
    run = replace(
        RUN,
        files=(change("app.py"), change("logo.png", ChangeKind.ADDED, None)),
        checks=(Check("make test", CheckState.FAILED, 2, 1.25), Check("true", CheckState.PASSED, 0, 0.5)),
        reason="it went well",
    )
    output = Output(Printed("the end\n", 12), Printed(" \n"), {0: Printed("1 failed\n")}, ["go on"])
    assert run_page.page(TASK, run, output) == (
        "# k3f-1\n\n"
        "`sh:make:large` · finished after 2.5 s · exit status 0 · 2 files, +1 −2 · checks 1 of 2 passed\n\n"  # noqa: RUF001
        "Reason: `it went well`\n\n"
        "## Prompt\n\n```text\ndo it\n```\n\n"
        "## Messages that followed\n\n```text\ngo on\n```\n\n"
        "## Output\n\nThe first 12 bytes are left out; `mux-lsp log k3f-1` prints all of it.\n\n"
        "```text\nthe end\n```\n\n"
        "## Checks\n\n"
        "Failed with exit status 2 after 1.2 s: `make test`\n\n```text\n1 failed\n```\n\n"
        "Passed after 0.5 s: `true`\n\n"
        "## Files\n\n- `app.py` modified, +1 −2\n- `logo.png` added, not text\n"  # noqa: RUF001
    )


def test_a_comparison_shows_who_agrees_who_is_best_and_where_they_differ() -> None:
    passed = Check("make test", CheckState.PASSED, tests=Tests(4, 0, newly_passing=3, added=1))
    one = replace(RUN, files=(change("app.py"),), checks=(passed,), cost_usd=0.5, work_seconds=2.5)
    two = replace(
        one,
        id="k3f-2",
        agent="claude",
        model=None,
        state=RunState.FAILED,
        checks=(),
        files=(replace(one.files[0], new_mode=0o100755),),
    )
    task = replace(TASK, runs=(two, one, replace(RUN, id="k3f-3", state=RunState.RUNNING)))
    same = Hunk("aaaaaaaaaa", 0, ("old\n",), ("\n", "  new  line\n"))
    other = Hunk("bbbbbbbbbb", 9, ("gone\n",), ())
    ranking = rank([Candidate(one, Agreement(1, 1, 0.75, 0.75)), Candidate(two, Agreement(1, 1, 1.0, 1.0))], Weights())
    assert page_of(task, ranking, {"app.py": [same, other]}) == (
        "# k3f\n\n## Prompt\n\n```text\ndo it\n```\n\n## Runs\n\n"
        "| rank | run | agent | state | checks | tests | files | lines | agreement | cost | worked |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        "| 1 | k3f-1 | `sh:make:large` | finished | 1 of 1 passed | +2 −0 | 1 | +1 −2 | 75% | $0.5000 | 2.5 s |\n"  # noqa: RUF001
        "| 2 | k3f-2 | `claude` | failed |  |  | 1 | +1 −2 | 100% | $0.5000 | 2.5 s |\n"  # noqa: RUF001
        "|  | k3f-3 | `sh:make:large` | running |  |  | 0 |  |  |  |  |\n\n"
        "## Why\n\n"
        "- 1 k3f-1: `Passes the check. 2 tests pass that failed before. Adds 1 test of its own. "
        "Shares 75% of its lines with the other.`\n"
        "- 2 k3f-2: `Did not finish (failed). No check has judged it. Shares all of its lines with the other.`\n\n"
        "Agreement and cost as a plot: `mux:/plot/k3f.svg`\n\n"
        "## Files\n\n"
        "| file | k3f-1 | k3f-2 |\n| --- | --- | --- |\n| `app.py` | +1 −2 | +1 −2 |\n\n"  # noqa: RUF001
        "### `app.py`\n\nChanged by 2 of 3 runs.\n\n"
        "| hunk | agreement | runs | lines | begins |\n| --- | --- | --- | --- | --- |\n"
        "| `aaaaaaaaaa` | 2/3 | k3f-2, k3f-1 | +2 −1 | `+ new line` |\n"  # noqa: RUF001
        "| `bbbbbbbbbb` | 1/3 | k3f-1 | +0 −1 | `- gone` |\n\n"  # noqa: RUF001
        "#### Line 10\n\nk3f-1 (1/3):\n\n```diff\n-gone\n```\n"
    )


def test_pages_stay_small_whatever_a_run_does() -> None:
    many = tuple(change(f"file{number}") for number in range(10_000))
    run = replace(RUN, files=many, left_out=tuple(LeftOut(one.path, "big") for one in many))
    page = run_page.page(replace(TASK, prompt="p" * 1_000_000, runs=(run,)), run, NOTHING)
    assert len(page) < 100_000
    assert "… and 9800 more" in page
    assert "… 950000 more characters" in page
    hunks = [Hunk(f"{number:010d}", number * 3, ("a\n",) * 2, ("b\n",) * 2) for number in range(5_000)]
    two = [replace(RUN, id=f"k3f-{number}", files=many[:300]) for number in (1, 3)]
    small = [replace(RUN, id=f"k3f-{number}", files=many[:1]) for number in range(4, 60)]
    compared = page_of(replace(TASK, runs=(*two, *small)), (), {"file0": hunks})
    assert len(compared) < 150_000
    assert "… and 4800 more hunks." in compared
    assert "… and 38 more runs." in compared
    assert "… and 100 more files." in compared


# Capabilities of a client


def test_a_client_can_be_asked_to_show_a_document_where_it_says_so() -> None:
    for support, can in ((True, True), (False, False)):
        window = types.WindowClientCapabilities(show_document=types.ShowDocumentClientCapabilities(support))
        assert capabilities.can_show(types.ClientCapabilities(window=window)) is can
    assert not capabilities.can_show(types.ClientCapabilities())
    assert not capabilities.takes_content(types.ClientCapabilities())
