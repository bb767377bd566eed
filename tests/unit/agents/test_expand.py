"""Test how an agent's command and a prompt are expanded to what is executed."""

from __future__ import annotations

import signal
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mux_lsp.agents.command import expand, explain, inline_command
from mux_lsp.errors import UsageError

VALUES = {"prompt": "fix it", "prompt_file": "/r/prompt", "model": "big"}

# Texts that a shell would run, split or expand.
NASTY = [
    "$(touch pwned)",
    "`touch pwned`",
    "'; touch pwned; '",
    '"; touch pwned; "',
    "\n touch pwned \n",
    "a  b\t*\n",
    "\\",
    "$HOME ${PATH} $$ !!",
    "{prompt} {model}",
    "-n --help",
    "",
    "ünïcödé 🎉",
]


def run_script(command: str, prompt: str) -> list[str]:
    """Return the arguments that `printf` gets when the shell runs `command`."""
    arguments, environment = expand(command, {**VALUES, "prompt": prompt})
    ended = subprocess.run(arguments, env={"PATH": "/usr/bin:/bin", **environment}, capture_output=True, check=True)
    return ended.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("prompt", NASTY)
@pytest.mark.parametrize(
    ("command", "before", "after"),
    [
        ("printf '%s\\0' {prompt}", "", ""),
        ("printf '%s\\0' \"{prompt}\"", "", ""),
        ("printf '%s\\0' '{prompt}'", "", ""),
        ("printf '%s\\0' --message={prompt}", "--message=", ""),
        ("printf '%s\\0' --message='{prompt}'.", "--message=", "."),
        ("printf '%s\\0' \"Do: \"{prompt}' now'", "Do: ", " now"),
        ("# don't\nprintf '%s\\0' {prompt} # isn't", "", ""),
        ("(printf '%s\\0' {prompt}) # (", "", ""),
        ('printf \'%s\\0\' "it\\"s "{prompt}', 'it"s ', ""),
    ],
)
def test_prompt_reaches_a_shell_command_as_one_argument(command: str, before: str, after: str, prompt: str) -> None:
    assert run_script(command, prompt) == [before + prompt + after]


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_prompt_is_one_argument_of_a_list(prompt: str) -> None:
    assert expand(["tool", "-p", "{prompt}", "--x={prompt}"], {"prompt": prompt}) == (
        ["tool", "-p", prompt, f"--x={prompt}"],
        {},
    )


@pytest.mark.parametrize(
    "command",
    [
        'printf \'%s\\0\' "$(printf %s "{prompt}")"',
        "printf '%s\\0' \"$(printf %s {prompt})\"",
    ],
)
def test_prompt_inside_a_command_substitution(command: str) -> None:
    assert run_script(command, "$(echo run) `echo run`  two") == ["$(echo run) `echo run`  two"]


@pytest.mark.parametrize(
    "command",
    [
        'sh -c "tool {prompt}"',
        "sh -c 'tool {prompt}'",
        "bash -lc 'tool \"{prompt}\"'",
        "sh -c \"tool '{prompt}'\"",
        'tool "Please {prompt}"',
        "tool 'Use {model}'",
        'tool "It\'s {prompt_file}"',
        ["sh", "-c", "tool {prompt}"],
        ["/bin/bash", "-lc", "tool {prompt}"],
        ["zsh", "-e", "-c", "{prompt}"],
    ],
)
def test_prompt_where_a_shell_would_run_it_is_refused(command: str | list[str]) -> None:
    with pytest.raises(UsageError, match="as code"):
        expand(command, VALUES)


@pytest.mark.parametrize(
    ("command", "script"),
    [
        ("awk '{print}' file", "awk '{print}' file"),
        ("awk '{print $1}' {unknown} {}", "awk '{print $1}' {unknown} {}"),
        ("echo ${prompt_file} \\{prompt}", 'echo $"${MUX_PROMPT_FILE}" \\{prompt}'),
        ("tool --model {model} <{prompt_file}", 'tool --model "${MUX_MODEL}" <"${MUX_PROMPT_FILE}"'),
    ],
)
def test_what_is_left_alone(command: str, script: str) -> None:
    assert expand(command, VALUES)[0] == ["/bin/sh", "-c", script]


def test_only_what_is_used_is_passed_on() -> None:
    assert expand("tool", VALUES)[1] == {}
    assert expand("tool {prompt}", VALUES)[1] == {"MUX_PROMPT": "fix it"}


def test_list_leaves_other_braces_and_spaces_alone() -> None:
    command = ["awk", "{print}", "{ prompt }", "a {prompt} b", "{model}{prompt_file}"]
    assert expand(command, VALUES)[0] == ["awk", "{print}", "{ prompt }", "a fix it b", "big/r/prompt"]


@pytest.mark.parametrize("command", ["tool --model {model}", ["tool", "{model}"]])
def test_model_that_was_not_given(command: str | list[str]) -> None:
    with pytest.raises(UsageError, match="no model was given"):
        expand(command, {"prompt": "x", "prompt_file": "y"})


@pytest.mark.parametrize(
    ("agent", "command"),
    [("sh:make fix", "make fix"), ("sh: a:b ", "a:b"), ("claude", None), ("shell", None), ("", None)],
)
def test_inline_command(agent: str, command: str | None) -> None:
    assert inline_command(agent) == command


@pytest.mark.parametrize("agent", ["sh:", "sh:   "])
def test_inline_command_that_is_missing(agent: str) -> None:
    with pytest.raises(UsageError, match="sh:COMMAND"):
        inline_command(agent)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, None),
        (1, "ended with exit status 1"),
        (127, "ended with exit status 127 (a command was not found)"),
        (137, "ended with exit status 137 (SIGKILL)"),
        (
            128 + signal.SIGXFSZ,
            "ended with exit status 153 (a file that it wrote, maybe its output, came to the largest size that is "
            "allowed: largest_file_mb under [runs] in config.toml)",
        ),
        (143, "ended with exit status 143 (SIGTERM)"),
        (255, "ended with exit status 255"),
    ],
)
def test_explain(status: int, words: str | None) -> None:
    assert explain(status) == words


def test_explain_what_was_not_recorded() -> None:
    assert "not recorded" in (explain(None) or "")
