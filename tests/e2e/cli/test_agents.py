"""Test the list of agents, the default agent, and what an agent requires."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mux_lsp.keys import KEYS
from tests.support.home import isolated_home
from tests.support.replaying import CHANGE, DONE, replaying

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.cli.terminal import Terminal
    from tests.support.home import IsolatedHome


@pytest.fixture
def home() -> Iterator[IsolatedHome]:
    """Yield a separate home for each test: the daemon reads its environment once."""
    with isolated_home() as home:
        yield home


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Play a person without API key and without agent. Return an empty folder on their PATH."""
    for name in (*KEYS, "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("programs", "person"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    for variable in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PATH", f"{tmp_path / 'programs'}:/usr/bin:/bin")
    return tmp_path / "programs"


# The output by which each reports that it is done.
SAYS = {
    "claude": [
        '{"type":"system","subtype":"init","session_id":"s"}',
        '{"type":"result","subtype":"success","is_error":false,"result":"It is done.","session_id":"s"}',
    ],
    "codex": [
        '{"type":"thread.started","thread_id":"s"}',
        '{"type":"item.completed","item":{"id":"1","type":"agent_message","text":"It is done."}}',
        '{"type":"turn.completed","usage":{"input_tokens":20,"output_tokens":3}}',
    ],
    "gemini": [
        '{"type":"init","session_id":"s"}',
        '{"type":"message","role":"assistant","content":"It is done."}',
        '{"type":"result","status":"success","stats":{}}',
    ],
    "opencode": [
        '{"type":"text","sessionID":"s","part":{"text":"It is done."}}',
        '{"type":"step_finish","sessionID":"s","part":{"reason":"stop","tokens":{"input":20,"output":3}}}',
    ],
    "copilot": [
        '{"type":"assistant.message","data":{"content":"It is done."}}',
        '{"type":"result","sessionId":"s","exitCode":0}',
    ],
    "cursor-agent": [
        '{"type":"system","subtype":"init","session_id":"s"}',
        '{"type":"result","subtype":"success","is_error":false,"result":"It is done.","session_id":"s"}',
    ],
    "aider": ["It is done."],
}


def install(folder: Path, name: str, version: str = "1.2.3") -> None:
    """Write a program in place of an agent. It records how it was started."""
    lines = " ".join(map(shlex.quote, SAYS[name]))
    program = folder / name
    program.write_text(
        f"""#!/bin/sh
test "$1" = --version && echo "{name} {version}" && exit
for one; do printf '%s\\0' "$one"; done > "{folder}/{name}.arguments"
env -0 > "{folder}/{name}.environment"
cat > /dev/null
echo 'LINE FIVE' >> notes.txt
printf '%s\\n' {lines}
"""
    )
    program.chmod(0o755)


def the_run(terminal: Terminal) -> Any:
    [task] = terminal.json("list")["tasks"]
    [run] = task["runs"]
    return run


def test_a_key_is_all_it_takes(terminal: Terminal, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(bare, "claude")  # the key takes precedence
    with replaying(tmp_path, CHANGE, DONE) as url:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "canary-key")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
        said = terminal.ok("run", "Change line five")
        assert re.search(r"-1 +anthropic +finished .* 1 +\+1 -1 +It is done\.", said), said
        run = the_run(terminal)["id"]
        shown = terminal.ok("show", run)
        assert re.search(r"0\.\d{4} US dollars and [\d,]+ tokens", shown), shown
        assert "LINE FIVE" in terminal.ok("diff", run)
        terminal.ok("accept", run)
        assert "LINE FIVE\n" in (terminal.folder / "notes.txt").read_text()
    assert "canary-key" not in everything_kept(terminal.home)


def test_a_key_is_all_it_takes_where_the_daemon_was_there_without_it(
    terminal: Terminal, bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with replaying(tmp_path, CHANGE, DONE) as url:
        assert terminal("run", "Change line five").status == 2
        monkeypatch.setenv("ANTHROPIC_API_KEY", "canary-key")
        # Another address of this machine: a server that is known to be on it needs no key.
        monkeypatch.setenv("ANTHROPIC_BASE_URL", url.replace("127.0.0.1", "0.0.0.0"))  # noqa: S104  asked, not bound
        said = terminal.ok("run", "Change line five")
        assert re.search(r"-1 +anthropic +finished .* 1 +\+1 -1 +It is done\.", said), said
        # From now on the daemon has both variables, and ignores those of other clients.
        monkeypatch.delenv("ANTHROPIC_API_KEY")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
        assert terminal.run("Change line five")["runs"][0]["state"] == "finished"
    assert "canary-key" not in everything_kept(terminal.home)
    assert re.findall(r"has brought (\w+)", terminal.home.log) == ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"]


def test_no_key_is_taken_from_an_agent(terminal: Terminal, bare: Path) -> None:
    told = f"OPENAI_API_KEY=canary {sys.executable} -P -m mux_lsp"
    command = f"{told} list > listed && env -u MUX_RUN {told} list >> listed"
    run = terminal.run("x", "-a", f"sh:{command}")["runs"][0]
    assert run["state"] == "finished", run
    assert "has brought" not in terminal.home.log
    assert terminal.run("x", "-a", 'sh:test -z "$OPENAI_API_KEY"')["runs"][0]["state"] == "finished"


def everything_kept(home: IsolatedHome) -> str:
    return "".join(
        path.read_bytes().decode("latin-1") for path in home.folder.rglob("*") if path.is_file() or path.is_symlink()
    )


@pytest.mark.parametrize("name", SAYS)
def test_without_a_key_the_agent_that_is_installed_is_taken(terminal: Terminal, bare: Path, name: str) -> None:
    install(bare, name)
    assert f"Without -a a task goes to {name}." in terminal.ok("agents")
    said = terminal.ok("run", "Change line five")
    assert re.search(rf"-1 +{name} +finished .* 1 +\+1 -0 +It is done\.", said), said
    assert "LINE FIVE" in terminal.ok("diff", the_run(terminal)["id"])


def test_an_address_that_is_none_is_told(terminal: Terminal, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "canary-key")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://me:secret@models:port")
    said = terminal("run", "Change line five").out
    assert "ANTHROPIC_BASE_URL is no address such as https://models.example.com: Invalid port: 'port'." in said
    assert "secret" not in said
    agent = next(agent for agent in terminal.json("agents")["agents"] if agent["name"] == "anthropic")
    assert agent["command"].endswith(" at http://models:port")


def test_an_address_that_cannot_be_asked_fails_at_once(
    terminal: Terminal, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "canary-key")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.1:9")
    said = " ".join(terminal("run", "Change line five").out.split())
    assert "cannot be asked: its address is not valid (127.1 - is not a canonical IPv4 address)." in said


def test_of_several_the_first_in_the_list_is_taken(terminal: Terminal, bare: Path) -> None:
    for name in ("gemini", "claude", "codex"):
        install(bare, name)
    terminal.ok("run", "Change line five")
    assert the_run(terminal)["agent"] == "claude"


@pytest.mark.usefixtures("bare")
def test_without_either_it_is_said_what_to_do(terminal: Terminal) -> None:
    done = terminal("run", "Change line five")
    assert (done.status, done.out) == (2, "")
    told = " ".join(done.err.split())
    assert told.count(". ") == 1, "two sentences"
    assert "set ANTHROPIC_API_KEY for the built-in agent, or install one of claude, codex, gemini," in told
    assert told.endswith("`mux-lsp demo` shows how it all works without any of them.")


@pytest.mark.usefixtures("bare")
def test_that_the_repository_names_one_which_does_not_count_is_said_first(terminal: Terminal) -> None:
    (terminal.folder / "mux.toml").write_text('agents = ["sh:true"]\n')
    done = terminal("run", "Change line five")
    assert done.status == 2
    told = " ".join(done.err.split())
    assert told.startswith(
        f"The mux.toml of {terminal.folder} does not count, since you have not trusted it: `mux-lsp trust` there shows "
        "what it would run, and asks. No agent was named, and there is none"
    )


@pytest.mark.usefixtures("bare")
def test_one_that_is_not_installed_is_refused_before_anything_begins(terminal: Terminal) -> None:
    done = terminal("run", "Change line five", "-a", "sh:true", "-a", "claude")
    assert (done.status, done.out) == (2, "")
    told = " ".join(done.err.split())
    assert told.startswith(
        "claude is not installed: there is no program 'claude' on PATH. "
        "Install it (`npm install -g @anthropic-ai/claude-code`), and say `mux-lsp stop`"
    )
    assert terminal.json("list")["tasks"] == []


def test_agents_are_listed_with_what_is_known_of_them(terminal: Terminal, bare: Path) -> None:
    install(bare, "codex", "0.169.0")
    install(bare, "gemini", "0.61.0")
    (bare.parent / "person" / ".gemini").mkdir()
    secret = bare.parent / "person" / ".gemini" / "oauth_creds.json"
    secret.write_text("canary")
    secret.chmod(0)  # only its existence counts
    shown = terminal.ok("agents")
    assert re.search(r"^codex +codex +0\.169\.0 +no key and no login found$", shown, re.MULTILINE), shown
    assert re.search(r"^gemini +gemini +0\.61\.0 +ready$", shown, re.MULTILINE), shown
    assert re.search(r"^claude +claude +not installed$", shown, re.MULTILINE), shown
    assert "\nTo install:\n  aider: uv tool install aider-chat\n" in shown
    assert "\n  claude: npm install -g @anthropic-ai/claude-code\n" in shown
    assert re.search(r"^anthropic +anthropic +no key and no login found$", shown, re.MULTILINE), shown


@pytest.mark.parametrize("name", SAYS)
def test_what_is_shown_is_what_is_run(terminal: Terminal, bare: Path, name: str) -> None:
    install(bare, name)
    terminal.home.write_config('[permissions]\nallow = ["run:npm test"]\ndeny = ["run:git push"]\n')
    command = next(agent["command"] for agent in terminal.json("agents")["agents"] if agent["name"] == name)
    run = terminal.run("PROMPT", "-a", name)["runs"][0]
    assert run["state"] == "finished", run
    words = shlex.split(command.removesuffix(" < PROMPT"))
    shown = words.index(name)
    kept = (bare / f"{name}.arguments").read_bytes().decode().split("\0")[:-1]
    environment = dict(
        one.partition("=")[::2] for one in (bare / f"{name}.environment").read_bytes().decode().split("\0") if one
    )
    places = {environment["MUX_WORKTREE"]: "WORKTREE", str(Path(environment["MUX_PROMPT_FILE"]).parent): "RUN_FOLDER"}

    def without_places(one: str) -> str:
        for place, word in places.items():
            one = one.replace(place, word)
        return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "SESSION", one)

    assert list(map(without_places, kept)) == list(map(without_places, words[shown + 1 :]))
    for variable, value in (word.split("=", 1) for word in words[:shown]):
        assert without_places(environment[variable]) == value
