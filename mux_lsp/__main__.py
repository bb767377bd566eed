"""Run the command `mux-lsp`, also as `python -m mux_lsp`."""

from __future__ import annotations

import sys

# Options that editors add to a server's command (as vscode-languageclient does).
_EDITOR_OPTIONS = ("--stdio", "--clientProcessId=")


def main() -> int:
    """Run the command line and return its exit status.

    `serve` is handled before anything slow is imported, since an editor waits for it.
    """
    arguments = sys.argv[1:]
    if arguments[:1] == ["serve"] and all(option.startswith(_EDITOR_OPTIONS) for option in arguments[1:]):
        from mux_lsp.daemon.bridge import main as serve

        serve()
    if arguments[:1] == ["daemon"] and not {"-h", "--help"}.intersection(arguments):
        from mux_lsp.daemon.server import main as daemon

        return daemon(arguments[1:])
    try:
        from mux_lsp.cli.main import main as command_line
    except KeyboardInterrupt:
        return 130  # like `command_line`, whose import takes a moment
    return command_line(arguments)


if __name__ == "__main__":
    sys.exit(main())
