"""Run the command line. An expected error is one sentence on standard error; a bug's traceback is saved in a file."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import click

from mux_lsp import __version__
from mux_lsp.cli import (
    choosing,
    clients,
    compare,
    inspect,
    permissions,
    queue,
    replaying,
    review,
    run,
    service,
    trust,
    verify,
)
from mux_lsp.cli.demo.command import demo
from mux_lsp.cli.help import help_
from mux_lsp.cli.output import echo_error
from mux_lsp.errors import MuxError

SECTIONS = {
    "Have agents work": (
        run.run,
        run.continue_,
        run.retry,
        run.cancel,
        run.delete,
        queue.pause,
        queue.resume,
        queue.prioritize,
    ),
    "See what they did": (inspect.list_, inspect.show, inspect.log, inspect.diff, compare.compare),
    "Decide": (
        verify.verify,
        review.accept,
        review.reject,
        choosing.pick,
        choosing.discard,
        choosing.restore,
        permissions.allow,
        permissions.refuse,
    ),
    "mux-lsp itself": (
        help_,
        trust.trust,
        service.agents,
        service.status,
        service.doctor,
        service.stop,
        service.serve,
        service.daemon,
        clients.neovim_path,
        demo,
        replaying.replay,
        replaying.record,
    ),
}

BROKEN_PIPE = 141
"""The exit status of a program that writes to a closed pipe, as in a shell."""


class _OutputLostError(Exception):
    """The output cannot be written. `words` is the message about it, if any."""

    def __init__(self, status: int, words: str = "") -> None:
        super().__init__(words)
        self.status = status
        self.words = words


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> object:
        """Run the command. Click itself would end the process, with status 1, when a pipe's reader goes away."""
        try:
            result: object = super().invoke(ctx)
            sys.stdout.flush()
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise _OutputLostError(BROKEN_PIPE) from None
            if error.errno == errno.ENOSPC:
                raise _OutputLostError(1, "No space is left on the device: not all was written.") from None
            raise
        return result

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by purpose."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{command.name:<8}", command.get_short_help_str(70)) for command in commands])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="mux-lsp")
def commands() -> None:
    """Run coding agents in hidden git worktrees, and review their work hunk by hunk.

    \b
    Exit status: 0 done; 1 the work failed; 2 bad usage; 3 a conflict, and nothing was written.
    """


for _section in SECTIONS.values():
    for _command in _section:
        commands.add_command(_command)


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    # The caller may have closed a standard stream; it is None then.
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115  (as long as the process)
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # A terminal that is not UTF-8 gets escapes for the characters that it cannot show.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        result = commands.main(argv, prog_name="mux-lsp", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return run.INTERRUPTED
    except MuxError as error:
        echo_error(str(error))
        return error.exit_status
    except _OutputLostError as error:
        # Otherwise, Python would report the same error again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.words:
            echo_error(error.words)
        return error.status
    except Exception as error:
        return _bug(error)
    return result if isinstance(result, int) else 0


def _bug(error: Exception) -> int:
    import traceback

    from mux_lsp import paths

    told = "".join(traceback.format_exception(error))
    file = Path(paths.home().state) / "log" / "command-line.log"
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text(f"mux-lsp {__version__}, {sys.argv}\n{told}", encoding="utf-8", errors="backslashreplace")
    except OSError:
        echo_error(told)
    echo_error(f"mux-lsp failed ({type(error).__name__}: {error}), which is a bug: please report it with {file}")
    return 1
