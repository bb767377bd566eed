"""Test how config.toml is read, and the messages for a wrong file."""

from __future__ import annotations

from pathlib import Path

import pytest

from mux_lsp import config
from mux_lsp.core.grading import Weights
from mux_lsp.errors import UsageError


def test_no_file_means_the_defaults(tmp_path: Path) -> None:
    assert config.load(tmp_path / "config.toml") == config.Configuration()


def test_a_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        """
        [defaults]
        agents = ["fix*2", "sh:make fmt"]
        checks = ["make test"]

        [agents.fix]
        kind = "command"
        command = ["fixer", "--prompt", "{prompt}"]
        environment = { FIXER = "1" }

        [runs]
        concurrent = 4
        """
    )
    loaded = config.load(file)
    assert loaded.agents["fix"] == config.CommandAgent(
        kind="command", command=("fixer", "--prompt", "{prompt}"), environment={"FIXER": "1"}
    )
    assert loaded.defaults.agents == ("fix*2", "sh:make fmt")
    assert loaded.runs.concurrent == 4


def test_the_weights_of_ranking_are_its_own() -> None:
    assert Weights(**config.RankingSection().model_dump()) == Weights()


def test_a_judge_is_the_built_in_agent_or_one_of_its_kind(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[judge]\nagent = "anthropic"\n')
    assert config.load(file).judge.agent == "anthropic"
    file.write_text('[agents.x]\nkind = "anthropic"\n[judge]\nagent = "x"\ntop = 2\n')
    assert config.load(file).judge == config.JudgeSection(agent="x", top=2)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[runs", "is not valid TOML"),
        ("[run]\nconcurrent = 1", "run: is not a setting"),
        ("[runs]\nconcurent = 1", "runs.concurent: is not a setting"),
        ("[runs]\nconcurrent = 0", "runs.concurrent: Input should be greater than or equal to 1"),
        ('[agents.x]\nkind = "robot"\ncommand = "x"', "agents.x.kind: Input should be one of 'command', 'anthropic'"),
        ('[agents.x]\nkind = "command"', "agents.x.command: Field required"),
        ('[agents.x]\nkind = "command"\ncommand = " "', "agents.x.command"),
        ('[agents.x]\ncommand = "x"', "agents.x.kind: Field required"),
        ('[agents.x]\nkind = "anthropic"\neffort = "huge"', "agents.x.effort: Input should be 'low'"),
        ('[agents.x]\nkind = "anthropic"\napi_key = "secret"', "agents.x.api_key: is not a setting"),
        (
            '[agents.x]\nkind = "anthropic"\nbase_url = "127.0.0.1:8080"',
            "agents.x.base_url: Value error, it is no addr",
        ),
        ('[agents.x]\nkind = "anthropic"\nbase_url = "http://h:port"', "agents.x.base_url: Value error, it is no addr"),
        ('[agents.x]\nkind = "anthropic"\nbase_url = "http://["', "agents.x.base_url: Value error, it is no address"),
        ('[agents.x]\nkind = "acp"', "agents.x.command: Field required"),
        ('[agents.x]\nkind = "acp"\ncommand = ["x"]\nmode = ""', "agents.x.mode: String should have at least 1"),
        ('[permissions]\nallow = ["Run:x"]', "permissions.allow.0"),
        ("[ranking]\nsize = -1", "ranking.size: Input should be greater than or equal to 0"),
        ("[ranking]\nspeed = 1", "ranking.speed: is not a setting"),
        ('[judge]\nagent = "gone"', "judge: Value error, agent 'gone' is no agent of the kind 'anthropic'"),
        ('[agents.x]\nkind = "command"\ncommand = "x"\n[judge]\nagent = "x"', "is no agent of the kind 'anthropic'"),
        ("[judge]\ntop = 1", "judge.top: Input should be greater than or equal to 2"),
        ("[permissions]\ntimeout_seconds = 0", "permissions.timeout_seconds: Input should be greater than 0"),
        ('[agents."a b"]\nkind = "command"\ncommand = "x"', "agents.a b"),
        ('[defaults]\nagents = ["sh:"]', "has no command after 'sh:'"),
        ('[defaults]\nagents = ["a*501"]', "asks for 501 runs"),
        ("[[repository]]\nsetup = []", "repository.0.path: Field required"),
        ('[[repository]]\npath = "/r"\nsetup = "make"', "repository.0.setup: Input should be a valid tuple"),
        ('[[repository]]\npath = "/r"\nagents = ["a*0"]', "repository.0.agents.0: Value error, 'a*0' asks for 0 runs"),
        ('[[repository]]\npath = "/r"\nchecks = [" "]', "repository.0.checks.0: String should have at least 1"),
        ("[runs]\noutput_mb = 0", "runs.output_mb: Input should be greater than or equal to 1"),
        ("[runs]\nlargest_file_mb = 63", "runs: Value error, largest_file_mb must be at least output_mb, which is 64"),
        ("[runs]\nsetup_timeout_seconds = 0", "runs.setup_timeout_seconds: Input should be greater than 0"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_key(tmp_path: Path, toml: str, said: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(toml)
    with pytest.raises(UsageError) as caught:
        config.load(file)
    assert str(file) in str(caught.value)
    assert said in str(caught.value)


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[runs]\nconcurrent = 0\ngrace_seconds = -1\n")
    with pytest.raises(UsageError) as caught:
        config.load(file)
    assert len(str(caught.value).splitlines()) == 2


def test_what_is_said_of_a_repository(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[[repository]]\npath = "~/r"\nsetup = ["a"]\n[[repository]]\npath = "~/r"\nsetup = ["b"]\n')
    loaded = config.load(file)
    assert loaded.of(Path("~/r").expanduser()).setup == ("b",)
    assert loaded.of(tmp_path) == config.OfRepository()


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("claude", ("claude", 1, None)),
        ("claude*3", ("claude", 3, None)),
        ("claude:opus*2", ("claude", 2, "opus")),
        ("claude:a:b", ("claude", 1, "a:b")),
        ("sh:make", ("sh:make", 1, None)),
        ("sh:make*5", ("sh:make", 5, None)),
        ("sh:rm *.o", ("sh:rm *.o", 1, None)),
        ("sh:rm *.o*2", ("sh:rm *.o", 2, None)),
        ("sh:echo 2*3; x", ("sh:echo 2*3; x", 1, None)),
    ],
)
def test_choices(text: str, choice: tuple[str, int, str | None]) -> None:
    assert config.parse_choice(text) == choice


@pytest.mark.parametrize("text", ["", "*3", "a b", "-x", "a*0", "a*501", "sh:", "sh: *3", "a:b*1000"])
def test_choices_refused(text: str) -> None:
    with pytest.raises(UsageError):
        config.parse_choice(text)
