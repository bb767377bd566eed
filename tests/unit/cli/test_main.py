"""Test the one place where errors become exit statuses."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from mux_lsp.cli import main as main_module
from mux_lsp.cli import run
from mux_lsp.cli.main import commands, main
from mux_lsp.core import sanitize
from mux_lsp.errors import ConflictError, MuxError, UsageError


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return an isolated home, and a command `fail` that runs a given callback."""
    monkeypatch.setenv("MUX_LSP_HOME", str(tmp_path))
    monkeypatch.setattr(commands, "commands", dict(commands.commands))
    return tmp_path


def fails_with(error: BaseException) -> None:
    @click.command()
    def fail() -> None:
        raise error

    commands.add_command(fail)


@pytest.mark.parametrize(
    ("error", "status"), [(MuxError("It failed."), 1), (UsageError("No such."), 2), (ConflictError("Moved on."), 3)]
)
@pytest.mark.usefixtures("failing")
def test_an_expected_error_is_its_sentence_alone(
    error: MuxError, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    fails_with(error)
    assert main(["fail"]) == status
    assert capsys.readouterr() == ("", f"{error}\n")


@pytest.mark.usefixtures("failing")
def test_an_error_that_quotes_an_agent_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    fails_with(MuxError("no \x1b[2J"))
    assert main(["fail"]) == 1
    assert capsys.readouterr().err == "no \\x1b[2J\n"


def test_a_bug_leaves_its_traceback_in_a_file(failing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fails_with(ZeroDivisionError("oops"))
    assert main(["fail"]) == 1
    report = failing / "state" / "log" / "command-line.log"
    assert "ZeroDivisionError: oops" in report.read_text()
    error = capsys.readouterr().err
    assert error == f"mux-lsp failed (ZeroDivisionError: oops), which is a bug: please report it with {report}\n"


@pytest.mark.usefixtures("failing")
def test_an_interrupt_has_the_shells_status() -> None:
    fails_with(KeyboardInterrupt())
    assert main(["fail"]) == 130


@pytest.mark.usefixtures("failing")
def test_an_interrupt_over_the_snapshot_says_that_the_task_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The daemon has received the request by then, and agents cost money."""

    class Waiting:
        def execute(self, command: str, _: object) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(run, "connected", lambda _: contextlib.nullcontext(Waiting()))
    assert main(["run", "do it", "-a", "sh:true"]) == 130
    assert "The task begins without you. `mux-lsp list` shows it, and" in capsys.readouterr().err


@pytest.mark.usefixtures("failing")
def test_an_interrupt_before_the_daemon_was_asked_promises_no_task(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Loading what the terminal shows meanwhile takes a moment."""

    def interrupt(_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "connected", lambda _: contextlib.nullcontext(SimpleNamespace()))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sanitize, "visible", interrupt)
    assert main(["run", "do it", "-a", "sh:true"]) == 130
    assert "begins" not in capsys.readouterr().err


def test_an_interrupt_before_there_is_a_command_line_is_one_too() -> None:
    """Loading takes a moment, in which a person may notice a typing error."""
    script = """if True:
        import sys
        class Interrupted:
            def find_spec(self, name, *_):
                if name == "mux_lsp.cli.main":
                    raise KeyboardInterrupt
        sys.meta_path.insert(0, Interrupted())
        from mux_lsp.__main__ import main
        sys.exit(main())
    """
    done = subprocess.run([sys.executable, "-c", script, "list"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize(("closed", "said"), [(">&-", ""), ("2>&-", "The daemon is not running. "), (">&- 2>&-", "")])
def test_a_stream_that_was_closed_is_written_to_by_nobody(closed: str, said: str, tmp_path: Path) -> None:
    command = ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "mux_lsp", "status"]
    environment = {"MUX_LSP_HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[: len(said)], done.stderr) == (0, said, "")


def test_a_reader_that_goes_away_is_no_error() -> None:
    script = "import sys; sys.stdin.read(); from mux_lsp.cli.main import main; sys.exit(main(['status']))"
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"MUX_LSP_HOME": "/nowhere"},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait() == main_module.BROKEN_PIPE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_told_in_a_sentence() -> None:
    script = "import sys; from mux_lsp.cli.main import main; sys.exit(main(['status']))"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", script],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={"MUX_LSP_HOME": "/nowhere"},
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "No space is left on the device: not all was written.\n")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    words = (
        "run list show log diff compare accept reject cancel delete continue retry agents status doctor stop demo "
        "serve daemon allow refuse replay record pick discard restore trust verify pause resume prioritize "
        "neovim-path help"
    )
    for word in words.split():
        assert f"\n  {word} " in told
    assert set(words.split()) == set(commands.commands)


@pytest.mark.parametrize("arguments", [["nonsense"], ["run"], ["accept"], ["run", "x", "--nonsense"]])
def test_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "Error: " in capsys.readouterr().err


def test_the_command_line_is_quick_to_import() -> None:
    """`--help` and `status` load neither validation, nor LSP, nor tables."""
    heavy = ("pydantic", "rich", "pygls", "lsprotocol", "git", "asyncio", "psutil", "watchfiles")
    script = f"import sys, mux_lsp.cli.main; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
