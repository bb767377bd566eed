"""Configure each of the real agents for a scripted model, and define the tool calls that make it change a file."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.support.models.play import Call, Say, Stall
from tests.support.models.server import playing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.support.models.play import Turn

KEY = "sk-canary-for-the-model"


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent as npm has it."""

    name: str
    package: str
    version: str
    write: Call
    """Call that makes `greeting.txt`."""
    run: Call
    """Call that runs `cat notes.txt`."""
    more: Call
    """Call that runs a command that no rule allows: it makes `forbidden.txt`."""
    tokens: int | None
    """Tokens of four answers of the scripted model; None if the agent does not report them."""
    files: Mapping[str, object] = field(default_factory=dict)
    """Files in the home folder, with `@URL@` for the model's address."""
    environment: Mapping[str, str] = field(default_factory=dict)
    refuses: tuple[str, ...] = ()
    """Files that an untrusted repository must not have, since the agent cannot be kept from running them."""
    hangs: Call | None = None
    """Call that runs an endless command, if the model cannot signal that it has stalled."""
    sandboxed: bool = False
    """True if the agent runs commands in a sandbox of its own, without asking for permission."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The environment of a person who uses the agent."""

    environment: Mapping[str, str]
    silent: threading.Event
    """An event that is set when the model has stalled."""


FORBIDDEN = "python3 -c \"open('forbidden.txt', 'w')\""

CLAUDE = Agent(
    "claude",
    "@anthropic-ai/claude-code",
    "2.1.197",
    Call("Write", {"file_path": "greeting.txt", "content": "hello\n"}),
    Call("Bash", {"command": "cat notes.txt", "description": "look"}),
    Call("Bash", {"command": FORBIDDEN, "description": "try"}),
    tokens=None,
    environment={"ANTHROPIC_BASE_URL": "@URL@", "ANTHROPIC_API_KEY": KEY},
    hangs=Call("Bash", {"command": "tail -f notes.txt", "description": "wait", "timeout": 600_000}),
)
CODEX = Agent(
    "codex",
    "@openai/codex",
    "0.169.0",
    Call(
        "exec_command",
        {"cmd": "apply_patch <<'END'\n*** Begin Patch\n*** Add File: greeting.txt\n+hello\n*** End Patch\nEND"},
    ),
    Call("exec_command", {"cmd": "cat notes.txt"}),
    Call("exec_command", {"cmd": "touch /forbidden.txt"}),
    tokens=440,
    files={
        ".codex/config.toml": """
            model = "scripted"
            model_provider = "scripted"
            [model_providers.scripted]
            name = "scripted"
            base_url = "@URL@/v1"
            wire_api = "responses"
            env_key = "OPENAI_API_KEY"
            request_max_retries = 0
            stream_max_retries = 0
        """
    },
    environment={"OPENAI_API_KEY": KEY},
    sandboxed=True,
)
GEMINI = Agent(
    "gemini",
    "@google/gemini-cli",
    "0.61.0",
    Call("write_file", {"file_path": "greeting.txt", "content": "hello\n"}),
    Call("run_shell_command", {"command": "cat notes.txt"}),
    Call("run_shell_command", {"command": FORBIDDEN}),
    tokens=440,
    files={
        ".gemini/settings.json": {
            "security": {"auth": {"selectedType": "gemini-api-key"}},
            "privacy": {"usageStatisticsEnabled": False},
            "general": {"enableAutoUpdate": False},
        },
        ".gemini/trustedFolders.json": {"/tmp": "TRUST_FOLDER"},  # noqa: S108  # where the tests' homes are
    },
    environment={"GOOGLE_GEMINI_BASE_URL": "@URL@", "GEMINI_API_KEY": KEY},
)
OPENCODE = Agent(
    "opencode",
    "opencode-ai",
    "1.18.33",
    Call("write", {"filePath": "greeting.txt", "content": "hello\n"}),
    Call("bash", {"command": "cat notes.txt", "description": "look"}),
    Call("bash", {"command": FORBIDDEN, "description": "try"}),
    tokens=440,
    files={
        ".config/opencode/opencode.json": {
            "provider": {
                "scripted": {
                    "npm": "@ai-sdk/openai-compatible",
                    "options": {"baseURL": "@URL@/v1", "apiKey": "{env:SCRIPTED_KEY}"},
                    "models": {"one": {"cost": {"input": 1, "output": 5}}},
                }
            },
            "model": "scripted/one",
            "small_model": "scripted/one",
        }
    },
    environment={"SCRIPTED_KEY": KEY, "OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_LSP_DOWNLOAD": "1"},
    refuses=(".opencode/plugin",),
)
COPILOT = Agent(
    "copilot",
    "@github/copilot",
    "1.0.102",
    Call("create", {"path": "greeting.txt", "file_text": "hello\n"}),
    Call("bash", {"command": "cat notes.txt", "description": "look"}),
    Call("bash", {"command": FORBIDDEN, "description": "try"}),
    tokens=None,
    environment={
        "COPILOT_PROVIDER_BASE_URL": "@URL@/v1",
        "COPILOT_PROVIDER_API_KEY": KEY,
        "COPILOT_MODEL": "gpt-4.1",
    },
)


def turns(agent: Agent) -> list[Turn]:
    """Return the turns of a task, of a further message, and of a task that is interrupted and resumed."""
    return [
        (Say("I write it."), agent.write),
        (agent.run,),
        (agent.more,),
        (Say("The greeting is there."),),
        (Say("Louder it is."),),
        (Say("I think about it."), agent.hangs or agent.run),
        *[(Say("And more."), Stall())] * (agent.hangs is None),
        *[(Say("I went on."),)] * 2,
    ]


@contextlib.contextmanager
def stage(agent: Agent, home: Path) -> Iterator[Stage]:
    """Serve the model and yield the environment for the agent."""
    with _model(agent, home) as (url, silent):
        for name, content in agent.files.items():
            text = content if isinstance(content, str) else json.dumps(content)
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(text.replace("@URL@", url))
        own = {name: value.replace("@URL@", url) for name, value in agent.environment.items()}
        folders = {
            f"XDG_{kind}_HOME": str(home / place)
            for kind, place in {
                "CONFIG": ".config",
                "DATA": ".local/share",
                "STATE": ".state",
                "CACHE": ".cache",
            }.items()
        }
        yield Stage({"HOME": str(home), **folders, **own}, silent)


@contextlib.contextmanager
def _model(agent: Agent, home: Path) -> Iterator[tuple[str, threading.Event]]:
    if agent.name != "claude":
        with playing(*turns(agent)) as (url, silent):
            yield url, silent
        return
    script = home / "play.toml"
    script.write_text(messages_script(agent))
    command = [sys.executable, "-P", "-m", "mux_lsp.agents.replay", str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            # A command hangs here, not the model.
            silent = threading.Event()
            silent.set()
            yield server.stdout.readline().strip(), silent
        finally:
            server.terminate()


def messages_script(agent: Agent) -> str:
    """Return the same turns for the replay server, which distinguishes conversations by their prompts."""

    def content(turn: Turn) -> str:
        parts = [
            f"{{ text = {json.dumps(part.text)} }}"
            if isinstance(part, Say)
            else f"{{ tool = {json.dumps(part.tool)}, input = {{ {_toml(part.arguments)} }} }}"
            for part in turn
            if not isinstance(part, Stall)
        ]
        return f"[[conversation.turn]]\ncontent = [{', '.join(parts)}]\n"

    def _toml(arguments: Mapping[str, object]) -> str:
        return ", ".join(f"{name} = {json.dumps(value)}" for name, value in arguments.items())

    every = turns(agent)
    first = "".join(map(content, every[:5]))
    second = "".join(map(content, every[5:]))
    return "".join(
        f"[[conversation]]\ncontains = {json.dumps(prompt)}\n{written}"
        for prompt, written in (("Write the greeting", first), ("Take your time", second))
    )
