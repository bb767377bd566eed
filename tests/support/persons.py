"""Run the tests as a program of the person's, whoever starts them.

mux-lsp does not take a coding agent in a person's terminal, nor what it starts, for the person. Tests play the person
all the time. So tests that an agent has started first leave it as far as any process can: they clear its variables, and
continue in a session of their own, as the child of none of its processes. Only a sandbox could hold them then, as
`security.md` states for an agent that does so.
"""

from __future__ import annotations

import os
import signal
import sys

from mux_lsp.daemon.admission import agent_around
from mux_lsp.daemon.interactive import without_marks

_LEFT = "TESTS_HAVE_LEFT_THEIR_AGENT"

# Waits in place of the tests for the agent: sends their process id, then their exit status.
_KEEPER = """
import os, subprocess, sys
said = int(sys.argv[1])
with subprocess.Popen(sys.argv[2:]) as tests:
    os.write(said, b"%d\\n" % tests.pid)
os.write(said, b"%d\\n" % tests.returncode)
"""


def leave_agent() -> None:
    """Return if a person has started this process. Otherwise restart its command line outside of the agent.

    In that case wait for the restarted process and exit with its status. Call this before there is any other thread,
    and with the real standard streams in place.
    """
    agent = agent_around()
    if agent is None:
        return
    if _LEFT in os.environ:
        sys.exit(f"{agent} has started the tests and they cannot leave it: run them in a terminal of your own")
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.set_inheritable(writing, True)
            command = [sys.executable, "-c", _KEEPER, str(writing), *sys.orig_argv]
            os.execve(sys.executable, command, {**without_marks(os.environ), _LEFT: "1"})  # noqa: S606
        os._exit(0)
    os.wait()
    os.close(writing)
    with os.fdopen(reading) as keeper:
        tests = int(keeper.readline())
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: os.kill(tests, number))
        status = int(keeper.readline() or 1)
    os._exit(status if status >= 0 else 128 - status)
