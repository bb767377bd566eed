"""Test the tools of the built-in agent: files of its worktree and no others, and commands that see no key."""

from __future__ import annotations

import os
import re
import resource
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from mux_lsp.agents.backend import Decision
from mux_lsp.agents.builtin import search_tool
from mux_lsp.agents.builtin.worktree_files import WorktreeFiles
from mux_lsp.errors import UsageError
from mux_lsp.git.folders import remove_tree
from tests.integration.agents.builtin import KEY, is_of, results_of
from tests.support.replaying import call

if TYPE_CHECKING:
    from tests.integration.agents.builtin import Stage

# Tools


async def test_reads_lists_and_searches(stage: Stage) -> None:
    (stage.worktree / "src").mkdir()
    (stage.worktree / "src" / "b.txt").write_bytes(b"caf\xe9\r\ntwo\x0cparts\r\n")
    (stage.worktree / ".git").mkdir()
    (stage.worktree / ".git" / "config").write_text("two")
    # Links to nowhere, in a circle or to a folder do not affect the files beside them.
    for name, target in (("src/circle", "circle"), ("src/nowhere", "absent"), ("src/up", "..")):
        (stage.worktree / name).symlink_to(target)
    assert await results_of(
        stage,
        call("read_file", path="a.py"),
        call("read_file", path=str(stage.worktree / "a.py"), first_line=2),
        call("read_file", path="src/b.txt", lines=1),
        call("read_file", path="a.py", first_line=9),
        call("list_files"),
        call("list_files", pattern="*.txt"),
        call("search", pattern=r"^two\b"),
        call("search", pattern="two", glob="*.py"),
        call("search", pattern="("),
        call("search", pattern="nowhere"),
    ) == [
        "1\tone = 1\n2\ttwo = 2",
        "2\ttwo = 2",
        "1\tcaf?\n[lines 1-1 of 2]",
        "!a.py has 2 lines; there is no line 9.",
        "a.py\nsrc/b.txt\nsrc/circle\nsrc/nowhere",
        "src/b.txt",
        "a.py:2:two = 2\nsrc/b.txt:2:two\x0cparts",
        "a.py:2:two = 2",
        "!'(' is not a regular expression: missing ), unterminated subpattern at position 0.",
        "[no match]",
    ]


async def test_long_things_are_cut_and_say_so(stage: Stage) -> None:
    (stage.worktree / "long.txt").write_text("".join(f"line {n}\n" for n in range(5000)))
    (stage.worktree / "wide.txt").write_text("x" * 5000)
    read, wide, found, printed = await results_of(
        stage,
        call("read_file", path="long.txt"),
        call("read_file", path="wide.txt"),
        call("search", pattern="line"),
        call("run_command", command="seq 1 20000"),
    )
    assert read.splitlines()[-2:] == ["2000\tline 1999", "[lines 1-2000 of 5000]"]
    assert wide.endswith("xx [… 3000 more characters]")
    assert found.splitlines()[-1] == "[… more than 200 matches; narrow it down]"
    assert printed.startswith("1\n2\n")
    assert "bytes left out …]" in printed
    assert printed.endswith("19999\n20000\n")
    assert len(printed) < 31_000


@pytest.mark.timeout(30)
async def test_folders_however_deep(stage: Stage) -> None:
    deep = "d/" * 1200 + "x.txt"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        written, listed, read = await results_of(
            stage,
            call("write_file", path=deep, content="deep\n"),
            call("list_files", pattern="x.txt"),
            call("read_file", path=deep),
        )
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        remove_tree(stage.worktree / "d")  # pytest's own removal would fail
    assert written == f"{deep} was created."
    assert (listed, read) == (deep, "1\tdeep")


async def test_edits_all_or_nothing_and_keeps_line_ends(stage: Stage) -> None:
    (stage.worktree / "dos.txt").write_bytes(b"a\r\nb\r\nb\r\nc\xff\r\n")
    (stage.worktree / "a.py").chmod(0o755)
    results = await results_of(
        stage,
        call("edit_file", path="a.py", edits=[{"old": "1", "new": "10"}, {"old": "one = 10", "new": "ONE = 10"}]),
        call("edit_file", path="a.py", edits=[{"old": "ONE", "new": "gone"}, {"old": "nowhere", "new": "x"}]),
        call("edit_file", path="dos.txt", edits=[{"old": "b", "new": "B"}]),
        call("edit_file", path="dos.txt", edits=[{"old": "b", "new": "B\n!", "everywhere": True}]),
        call("edit_file", path="dos.txt", edits=[{"old": "a\nB", "new": "A\nB"}]),
        call("edit_file", path="a.py", edits=[{"old": "", "new": "x"}]),
        call("edit_file", path="a.py", edits=[]),
    )
    assert [one.split(";")[0] for one in results] == [
        "a.py was changed.",
        "!edit 2 of 2: the text to replace is not in a.py. Nothing was changed",
        "!the text to replace is in dos.txt 2 times. Nothing was changed",
        "dos.txt was changed.",
        "dos.txt was changed.",
        "!the text to replace is not in a.py. Nothing was changed",
        "!The input of edit_file is not right: edits: List should have at least 1 item after validation, not 0.",
    ]
    assert (stage.worktree / "a.py").read_text() == "ONE = 10\ntwo = 2\n"
    assert (stage.worktree / "a.py").stat().st_mode & 0o777 == 0o755
    assert (stage.worktree / "dos.txt").read_bytes() == b"A\r\nB\r\n!\r\nB\r\n!\r\nc\xff\r\n"


async def test_writes(stage: Stage) -> None:
    (stage.worktree / "dos.txt").write_bytes(b"a\r\nb\r\n")
    assert await results_of(
        stage,
        call("write_file", path="new/deep/er.txt", content="hello\n"),
        call("write_file", path="a.py", content="anew\n"),
        call("write_file", path="dos.txt", content="x\ny\n"),
        call("write_file", path="new", content="a folder is there"),
        call("write_file", path="a.py"),
    ) == [
        "new/deep/er.txt was created.",
        "a.py was written anew.",
        "dos.txt was written anew.",
        "!new: is a directory.",
        "!The input of write_file is not right: content: Field required.",
    ]
    assert (stage.worktree / "new/deep/er.txt").read_text() == "hello\n"
    assert (stage.worktree / "a.py").read_text() == "anew\n"
    assert (stage.worktree / "dos.txt").read_bytes() == b"x\r\ny\r\n"
    assert [path.name for path in stage.worktree.parent.iterdir()] == ["project"]  # nothing is left beside it


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../secret", "is outside the worktree"),
        ("/etc/passwd", "is outside the worktree"),
        ("out", "is outside the worktree"),
        ("folder/secret", "is outside the worktree"),
        ("loop", "is outside the worktree|loop"),
        (".git/config", "is inside .git"),
        ("sub/.GIT/hooks/x", "is inside .git"),
        ("pipe", "is not a file"),
        ("a\0b", "NUL"),
        ("d/" * 5000, "longer than any"),
        (".", "not a file|Name a file"),
    ],
)
async def test_no_path_leads_out(stage: Stage, path: str, said: str) -> None:
    (stage.folder / "secret").write_text("secret\n")
    (stage.worktree / ".git").mkdir()
    (stage.worktree / ".git" / "config").write_text("secret\n")
    (stage.worktree / "out").symlink_to(stage.folder / "secret")
    (stage.worktree / "folder").symlink_to(stage.folder)
    (stage.worktree / "loop").symlink_to("loop")
    os.mkfifo(stage.worktree / "pipe")
    results = await results_of(
        stage,
        call("read_file", path=path),
        call("write_file", path=path, content="mine"),
        call("edit_file", path=path, edits=[{"old": "secret", "new": "mine"}]),
    )
    for result in results:
        assert result.startswith("!"), result
        assert re.search(said, result), result
    assert (stage.folder / "secret").read_text() == "secret\n"
    assert (stage.worktree / ".git" / "config").read_text() == "secret\n"


async def test_links_inside_are_followed(stage: Stage) -> None:
    (stage.worktree / "link").symlink_to("a.py")
    assert await results_of(stage, call("write_file", path="link", content="x\n")) == ["a.py was written anew."]
    assert (stage.worktree / "link").is_symlink()
    assert (stage.worktree / "a.py").read_text() == "x\n"


async def test_a_link_swapped_in_meanwhile_is_an_error(stage: Stage) -> None:
    (stage.worktree / "src").mkdir()
    (stage.worktree / "src" / "f").write_text("x")
    (stage.folder / "f").write_text("outside")
    worktree_files = WorktreeFiles(stage.worktree)
    place = worktree_files.resolve("src/f")
    (stage.worktree / "src" / "f").unlink()
    (stage.worktree / "src").rmdir()
    (stage.worktree / "src").symlink_to(stage.folder)
    with pytest.raises(UsageError):
        worktree_files.read(place)
    with pytest.raises(UsageError):
        worktree_files.write(place, b"mine")
    assert (stage.folder / "f").read_text() == "outside"


# Commands


async def test_commands(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("MY_SERVICE_TOKEN", KEY)
    monkeypatch.setenv("WHERE_THE_MODEL_IS", KEY)  # the settings name it as the variable of the key
    results = await results_of(
        stage,
        call("run_command", command="pwd; echo err >&2; echo out"),
        call("run_command", command="exit 3"),
        call("run_command", command="env; cat /proc/self/environ /proc/$PPID/environ | tr '\\0' '\\n'"),
        call("run_command", command="echo $MUX_PORT; cat"),
    )
    assert results[0] == f"{stage.worktree}\nerr\nout\n"
    assert results[1] == "!\n[ended with exit status 3]"
    assert KEY not in results[2]
    assert "MUX_RUN=k3f-1" in results[2]
    assert results[3] == "4000\n"  # the input is empty, so reading it returns at once
    assert [one.subject for one in stage.asked][1] == "exit 3"


async def test_a_search_gets_no_key_and_ends_with_its_run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("WHERE_THE_MODEL_IS", KEY)
    (stage.folder / "bin").mkdir()
    program = stage.folder / "bin" / "rg"
    program.write_text("#!/bin/sh\nenv | sed 's/^/a:1:/'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stage.folder / 'bin'}:{os.environ['PATH']}")
    (found,) = await results_of(stage, call("search", pattern="x"))
    assert "PATH=" in found
    assert "MUX_RUN=k3f-1" in found
    assert KEY not in found


async def test_a_pattern_that_takes_for_ever_holds_up_nobody(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_tool, "TIMEOUT_SECONDS", 0.5)
    monkeypatch.setenv("PATH", "/nowhere")
    (stage.worktree / "a.py").write_text("a" * 60 + "!\n")
    (found,) = await results_of(stage, call("search", pattern="(a+)+$"))
    assert found == "[the search was ended: it took too long]"


async def test_a_time_limit_ends_the_whole_tree(stage: Stage) -> None:
    program = "import os,time\nif os.fork()==0:\n os.setsid()\nprint(os.getpid(),flush=True)\ntime.sleep(1000)"
    (result,) = await results_of(
        stage, call("run_command", command=f"{sys.executable} -c '{program}'", timeout_seconds=1)
    )
    *numbers, ended = result.split("\n", 2)
    assert ended.endswith("[ended after 1 seconds: it had not finished]")
    assert len(numbers) == 2
    assert not [one for one in psutil.process_iter() if is_of(one, stage)]


async def test_background_commands(stage: Stage) -> None:
    os.mkfifo(stage.folder / "go")
    os.mkfifo(stage.folder / "up")
    results = await results_of(
        stage,
        call("run_command", command=f"echo a; echo > {stage.folder}/up; read x < {stage.folder}/go; echo b; exit 2",
             background=True),
        call("run_command", command=f"read x < {stage.folder}/up"),
        call("command_output", id="c1"),
        call("stop_command", id="c1"),
        call("command_output", id="c9"),
        call("run_command", command="sleep 1000", background=True),
    )  # fmt: skip
    assert results[0] == "Started in the background as c1."
    assert results[2] == "a\n\n[still at work]"
    assert results[3] == "\n[stopped]"
    assert results[4].startswith("!There is no command 'c9'")
    # A process that was left at work ended with the agent.
    assert not [one for one in psutil.process_iter() if is_of(one, stage)]


async def test_a_refused_command_is_not_run(stage: Stage) -> None:
    stage.decision = Decision(False, "Not today.")
    assert await results_of(stage, call("run_command", command="touch x")) == ["!Not allowed: Not today."]
    assert not (stage.worktree / "x").exists()
    assert [line["kind"] for line in stage.conversation()].count("call") == 0
