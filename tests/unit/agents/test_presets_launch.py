"""Test the command lines that start the preset agents."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import psutil
import pytest

from mux_lsp.agents.presets import detection
from mux_lsp.agents.presets.detection import looks_logged_in, version_of
from mux_lsp.agents.presets.preset import Commands, Launch, LaunchRequest, commands_of, is_session
from mux_lsp.agents.presets.registry import PRESETS, installed
from mux_lsp.core.permissions import rules
from mux_lsp.errors import UsageError

PROMPT = "--help me"
ORDER = LaunchRequest(
    "k3f-1", PROMPT, Path("/work/tree"), Path("/work/tree"), Path("/work/run"), {"HOME": "/home/nobody"}
)

BYPASSES = (
    "bypassPermissions", "--dangerously-skip-permissions", "--dangerously-bypass-approvals-and-sandbox",
    "danger-full-access", "--yolo", "-y", "yolo", "--auto", "--allow-all", "--allow-all-tools", "--force", "-f",
)  # fmt: skip


def launch(preset: str, order: LaunchRequest = ORDER) -> Launch:
    return PRESETS[preset].launch(order)


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("preset", PRESETS)
def test_nothing_bypasses_an_agents_own_permissions(preset: str, trusted: bool) -> None:
    order = replace(ORDER, trusted=trusted, session="abc", model="m", commands=Commands((None,), ("rm",)))
    assert not set(launch(preset, order).arguments) & set(BYPASSES)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_prompt_is_never_an_option(preset: str) -> None:
    made = launch(preset)
    if made.reads_input:
        assert PROMPT not in made.arguments
    elif PROMPT in made.arguments:
        assert made.arguments[-2:] == ("--", PROMPT)
    else:
        assert PROMPT in made.files.values()


@pytest.mark.parametrize("preset", PRESETS)
def test_the_model_and_the_session(preset: str) -> None:
    arguments = launch(preset, replace(ORDER, model="the-model", session="the-session")).arguments
    assert "the-model" in arguments
    if preset == "aider":
        assert "--restore-chat-history" in arguments
        assert "--restore-chat-history" not in launch(preset).arguments
    else:
        assert [one for one in arguments if one.endswith("the-session")]


@pytest.mark.parametrize(
    ("preset", "untrusted", "trusted"),
    [
        ("claude", ["--setting-sources", "--strict-mcp-config"], []),
        (
            "codex",
            ['projects={"/work/tree"={trust_level="untrusted"}}'],
            ['projects={"/work/tree"={trust_level="trusted"}}'],
        ),
        ("gemini", ["--allowed-mcp-server-names", "--skip-trust"], []),
        ("copilot", [], ["--trust-folder"]),
        ("cursor-agent", [], ["--approve-mcps"]),
        ("aider", ["--config", "--no-auto-lint", "--no-auto-test"], []),
    ],
)
def test_what_a_repository_brings_runs_only_where_it_is_trusted(
    preset: str, untrusted: list[str], trusted: list[str]
) -> None:
    without, with_trust = (set(launch(preset, replace(ORDER, trusted=one)).arguments) for one in (False, True))
    assert without - with_trust >= set(untrusted)
    assert with_trust - without >= set(trusted)


def test_gemini_trusts_no_worktree_because_of_the_folders_above(tmp_path: Path) -> None:
    (tmp_path / ".gemini").mkdir()
    order = replace(ORDER, worktree=tmp_path, folder=tmp_path, environment={"HOME": str(tmp_path / "person")})
    made = launch("gemini", order)
    assert json.loads(made.files["gemini-trusted-folders.json"]) == {str(tmp_path): "DO_NOT_TRUST"}
    assert made.environment == {
        "GEMINI_CLI_TRUST_WORKSPACE": "false",
        "GEMINI_CLI_TRUSTED_FOLDERS_PATH": "/work/run/gemini-trusted-folders.json",
    }
    assert launch("gemini", replace(order, trusted=True)).environment == {"GEMINI_CLI_TRUST_WORKSPACE": "true"}


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ('{"security": {"folderTrust": {"enabled": false}}}', True),
        ('{ /* mine */ "security": {"folderTrust": {"enabled": false}}}', True),
        ('{"security": {"folderTrust": {"enabled": true}}}', False),
        ('{"security": {}}', False),
        ("[]", False),
    ],
)
def test_gemini_where_its_person_has_switched_trust_off(settings: str, refused: bool, tmp_path: Path) -> None:
    (tmp_path / "person" / ".gemini").mkdir(parents=True)
    (tmp_path / "person" / ".gemini" / "settings.json").write_text(settings)
    order = replace(ORDER, worktree=tmp_path, folder=tmp_path, environment={"HOME": str(tmp_path / "person")})
    launch("gemini", order)  # a repository without configuration of the agent
    for name in (".gemini", ".env"):
        (tmp_path / name).mkdir()
        if refused:
            with pytest.raises(UsageError, match=f"what {name} of this repository says"):
                launch("gemini", order)
        launch("gemini", order if not refused else replace(order, trusted=True))
        (tmp_path / name).rmdir()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (".opencode/plugin/a.js", ""),
        (".opencode/plugins/a.ts", ""),
        ("opencode.json", '{"plugin": ["./a.js"]}'),
        ("opencode.jsonc", '{"plugins": ["./a.js"]}'),
        (".opencode/opencode.json", '{"\\u0070lugin": ["./a.js"]}'),
    ],
)
def test_opencode_works_with_no_plugins_that_nobody_trusts(file: str, text: str, tmp_path: Path) -> None:
    below = tmp_path / "tree" / "below"
    below.mkdir(parents=True)
    (tmp_path / ".opencode" / "plugin").mkdir(parents=True)  # the person's, outside of the worktree
    (tmp_path / "tree" / "opencode.json").write_text('{"model": "a/b"}')
    order = replace(ORDER, worktree=tmp_path / "tree", folder=below)
    assert launch("opencode", order).environment["OPENCODE_DISABLE_PROJECT_CONFIG"] == "1"
    for folder in (tmp_path / "tree", below):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
        with pytest.raises(UsageError, match="opencode would run what"):
            launch("opencode", order)
        assert "OPENCODE_DISABLE_PROJECT_CONFIG" not in launch("opencode", replace(order, trusted=True)).environment
        (folder / file).unlink()
        if "plugin" in file:
            (folder / file).parent.rmdir()


def test_settings_that_are_no_plain_file_are_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "opencode.json").symlink_to("elsewhere.json")
    with pytest.raises(UsageError, match=r"opencode\.json"):
        launch("opencode", replace(ORDER, worktree=tmp_path, folder=tmp_path))


RULES = rules(["run:git diff", "write:docs/*", "run:npm test"], ["run:git diff --output", "read:x"])


def test_what_may_be_run_without_asking() -> None:
    commands = commands_of(RULES, ["make -k"])
    assert commands == Commands(("git diff", "npm test", "make -k"), ("git diff --output",))
    order = replace(ORDER, commands=commands)

    arguments = launch("claude", order).arguments
    permissions = json.loads(arguments[arguments.index("--settings") + 1])["permissions"]
    assert permissions == {
        "allow": ["Bash(git diff:*)", "Bash(npm test:*)", "Bash(make -k:*)"],
        "deny": ["Bash(git diff --output:*)"],
    }

    policy = tomllib.loads(launch("gemini", order).files["gemini-policy.toml"])["rule"]
    ranked = sorted(policy, key=lambda rule: rule["priority"])
    assert [(rule.get("commandPrefix"), rule["decision"]) for rule in ranked] == [
        (None, "deny"),
        ("git diff", "allow"),
        ("npm test", "allow"),
        ("make -k", "allow"),
        ("git diff --output", "deny"),
    ]

    shell = json.loads(launch("opencode", order).environment["OPENCODE_PERMISSION"])["bash"]
    assert list(shell) == [
        "*", "git diff", "git diff *", "npm test", "npm test *", "make -k", "make -k *", "git diff --output",
        "git diff --output *",
    ]  # fmt: skip
    assert [shell["*"], shell["git diff *"], shell["git diff --output *"]] == ["deny", "allow", "deny"]

    arguments = launch("copilot", order).arguments
    assert "shell(npm test:*)" in arguments
    assert arguments[arguments.index("--deny-tool") + 1] == "shell(git diff --output:*)"


def test_everything_may_run_where_a_rule_says_so() -> None:
    order = replace(ORDER, commands=commands_of(rules(["run"], ["run:rm"])))
    shell = json.loads(launch("opencode", order).environment["OPENCODE_PERMISSION"])["bash"]
    assert shell == {"*": "allow", "rm": "deny", "rm *": "deny"}
    assert json.loads(launch("claude", order).arguments[-1])["permissions"]["allow"] == ["Bash"]


def test_a_session_in_another_folder(tmp_path: Path) -> None:
    order = replace(ORDER, session="abc", moved=True, environment={"HOME": str(tmp_path)})
    for preset in ("claude", "gemini", "opencode"):
        made = launch(preset, order)
        assert made.forgets
        assert not [one for one in made.arguments if "abc" in one]
    kept = tmp_path / ".claude" / "projects" / "-work-other" / "abc.jsonl"
    kept.parent.mkdir(parents=True)
    kept.touch()
    made = launch("claude", order)
    assert not made.forgets
    assert made.arguments[-2:] == ("--resume", str(kept))
    for preset in ("codex", "copilot"):
        assert not launch(preset, order).forgets


def test_cursor_agent_takes_no_longer_argument_than_the_system() -> None:
    with pytest.raises(UsageError, match="128 KB"):
        launch("cursor-agent", replace(ORDER, prompt="é" * 65_536))
    assert launch("claude", replace(ORDER, prompt="é" * 1_000_000)).reads_input


@pytest.mark.parametrize("name", ["", "-p", "../x", "a/b", "a b", "*", "x" * 129, "a\n"])
def test_no_name_for_a_session(name: str) -> None:
    assert not is_session(name)


def test_what_is_installed_and_how_it_looks(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "codex"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n: > ran\n")
    program.chmod(0o755)
    environment = {"PATH": str(program.parent), "HOME": str(tmp_path)}
    assert [preset.name for preset in installed(environment)] == ["codex"]
    codex = PRESETS["codex"]
    assert not looks_logged_in(codex, environment)
    assert looks_logged_in(codex, {**environment, "OPENAI_API_KEY": "x"})
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex" / "auth.json").touch()
    (tmp_path / ".codex" / "auth.json").chmod(0)
    assert looks_logged_in(codex, environment)
    assert not looks_logged_in(codex, {**environment, "HOME": "/nowhere"})


@pytest.mark.parametrize(
    ("script", "version"),
    [
        ("echo codex-cli 0.169.0", "0.169.0"),
        ("echo 'GitHub Copilot CLI 1.0.102.'", "1.0.102"),
        ("echo nothing", None),
        ("exit 1", None),
        ('echo "1.0$OPENAI_API_KEY"', "1.0"),
    ],
)
async def test_the_version_of_a_program(script: str, version: str | None, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    environment = {"PATH": "/usr/bin:/bin", "OPENAI_API_KEY": "canary"}
    assert await version_of(str(program), environment) == version


async def test_a_program_that_does_not_tell_its_version_in_time(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho 1.2; echo $$ > {tmp_path}/pid; sleep 1000\n")
    program.chmod(0o755)
    with patch.object(detection, "VERSION_SECONDS", 0.2):
        assert await version_of(str(program), {"PATH": "/usr/bin:/bin"}) is None
    if (tmp_path / "pid").exists():
        assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))
