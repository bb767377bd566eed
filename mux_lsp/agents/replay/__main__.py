"""`python -m mux_lsp.agents.replay`: plays a script, or records one, until it is interrupted."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.agents.replay.record import ANTHROPIC, record
from mux_lsp.agents.replay.script import load
from mux_lsp.agents.replay.server import serve
from mux_lsp.errors import MuxError

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager


def main(arguments: list[str]) -> int:
    """Serve until INT or TERM, with the base URL printed as the first line. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m mux_lsp.agents.replay", description=__doc__)
    parser.add_argument("script", type=Path, nargs="?", help="the script to play")
    parser.add_argument("--record", type=Path, metavar="FILE", help="forward to the upstream and write a script")
    parser.add_argument("--upstream", default=ANTHROPIC, metavar="URL", help="where to forward to (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="the port on 127.0.0.1; a free one if left out")
    options = parser.parse_args(arguments)
    if (options.script is None) == (options.record is None):
        parser.error("name either a script to play or --record FILE")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        if options.record is not None:
            serving = record(options.record, upstream=options.upstream, port=options.port)
        else:
            serving = serve(load(options.script), port=options.port)
        asyncio.run(_until_interrupted(serving))
    except (MuxError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return getattr(error, "exit_status", 1)
    return 0


async def _until_interrupted(serving: AbstractAsyncContextManager[str]) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Event loops on Windows have no signal handlers; there a KeyboardInterrupt ends the program.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, ended.set)
    async with serving as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        await ended.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
