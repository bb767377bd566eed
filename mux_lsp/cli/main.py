"""The command line. Expected errors are one sentence on standard error; a bug leaves its traceback in a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from mux_lsp import __version__
from mux_lsp.cli import look, permissions, replaying, review, service, work
from mux_lsp.cli.demo.command import demo
from mux_lsp.cli.output import complain
from mux_lsp.errors import MuxError

SECTIONS = {
    "Have agents work": (work.run, work.continue_, work.retry, work.cancel, work.delete),
    "See what they did": (look.list_, look.show, look.log, look.diff, look.compare),
    "Decide": (review.accept, review.reject, permissions.allow, permissions.refuse),
    "mux-lsp itself": (
        service.agents,
        service.status,
        service.doctor,
        service.stop,
        service.serve,
        service.daemon,
        demo,
        replaying.replay,
        replaying.record,
    ),
}

BROKEN_PIPE = 141
"""The exit status of a program that writes to a reader that has gone, as a shell gives it."""


class _ReaderGoneError(Exception):
    """Nobody reads our output any more."""


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> object:
        """Run the command. Click would end the process itself, with status 1, when a pipe's reader goes away."""
        try:
            result: object = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            raise _ReaderGoneError from None
        return result

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by what they are for."""
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{command.name:<8}", command.get_short_help_str(70)) for command in commands])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="mux-lsp")
def commands() -> None:
    """Coding agents in hidden git worktrees, their work reviewed hunk by hunk.

    \b
    Exit status: 0 done; 1 the work failed; 2 bad usage; 3 a conflict, and nothing was written.
    """


for _section in SECTIONS.values():
    for _command in _section:
        commands.add_command(_command)


def main(argv: list[str] | None = None) -> int:
    """Run one command and give its exit status."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that is not UTF-8 gets what it cannot show spelt out.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        result = commands.main(argv, prog_name="mux-lsp", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return work.INTERRUPTED
    except MuxError as error:
        complain(str(error))
        return error.exit_status
    except _ReaderGoneError:
        # Python would complain of the same again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
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
        complain(told)
    complain(f"mux-lsp failed ({type(error).__name__}: {error}), which is a bug: please report it with {file}")
    return 1
