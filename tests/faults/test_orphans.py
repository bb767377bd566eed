"""Test orphans of agents below their adopter: it reaps them, and never a child that other code waits for."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux gives orphans to another than the first process"
)


def run(program: str) -> str:
    """Run a program that adopts orphans, in a child process, so that the tests themselves adopt none."""
    begin = """
        import os, subprocess
        from mux_lsp.orphans import adopt_orphans, reap_adopted

        adopt_orphans()

        def start(script, **how):
            child = subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE, text=True, **how)
            return child, child.stdout.readline().strip()

        def ended(pid):
            os.waitid(os.P_PID, int(pid), os.WEXITED | os.WNOWAIT)

        def is_there(pid):
            return os.path.exists(f"/proc/{pid}")
    """
    command = [sys.executable, "-c", textwrap.dedent(begin) + textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def test_what_was_adopted_is_taken_and_what_was_started_is_left() -> None:
    run("""
        waits = "exec 3<&0; sh -c 'echo $$; read _ <&3' & exit 7"
        agent, orphan = start(waits, stdin=subprocess.PIPE, start_new_session=True)
        git, _ = start("echo; exit 3")
        for child in (agent, git):
            ended(child.pid)
        assert not reap_adopted({agent.pid}, ()), "nothing that was adopted has ended"
        agent.stdin.close()
        ended(orphan)
        assert int(open(f"/proc/{orphan}/stat").read().split()[3]) == os.getpid(), "it was adopted"
        assert not reap_adopted({agent.pid}, ())
        assert not is_there(orphan)
        assert (agent.wait(), git.wait()) == (7, 3)
    """)


def test_what_leads_a_session_is_taken_at_the_second_look() -> None:
    """It may be a child whose owner is just about to wait for it."""
    run("""
        git, orphan = start("setsid -f sh -c 'echo $$; exit 5'; exit 3")
        ended(git.pid)
        ended(orphan)
        own = subprocess.Popen(["/bin/sh", "-c", "exit 4"], start_new_session=True)
        ended(own.pid)
        seen = reap_adopted({own.pid}, ())
        assert seen == {int(orphan)}
        assert is_there(orphan)
        assert not reap_adopted({own.pid}, seen)
        assert not is_there(orphan)
        assert (git.wait(), own.wait()) == (3, 4)
    """)
