"""Test the messages when something cannot be done: one clear sentence, and never a bug."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from lsprotocol import types

from mux_lsp.lsp import protocol
from tests.e2e.lsp.client import Refused
from tests.e2e.lsp.connecting import connect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.e2e.lsp.client import Editor
    from tests.support.home import IsolatedHome

    Join = Callable[..., Awaitable[Editor]]

START = {"prompt": "do it", "agents": [{"agent": "sh:true"}]}

REFUSALS: list[tuple[str, Any, str]] = [
    ("mux.nothing", [{}], r"There is no command 'mux\.nothing' in mux-lsp \S+\."),
    (
        "mux.task.start",
        [{"prompt": "do it"}],
        r"No agent was named, and there is none to take by itself: set ANTHROPIC_API_KEY .*mux-lsp demo.*\.",
    ),
    (
        "mux.task.start",
        [START | {"agents": [{"agent": "no\x1b[31mbody"}]}],
        r"There is no agent 'nobody' \(known: aider, anthropic, .*, opencode\): add it to config\.toml .*\.",
    ),
    ("mux.task.start", [START | {"agents": [{"agent": "sh:"}]}], r".+\."),
    ("mux.task.start", [{}], r"mux\.task\.start: prompt: field required\."),
    (
        "mux.task.start",
        [START | {"prompt": ""}],
        r"mux\.task\.start: prompt: string should have at least 1 character\.",
    ),
    ("mux.task.start", [START | {"promt": "x"}], r"mux\.task\.start: promt: extra inputs are not permitted\."),
    (
        "mux.task.start",
        [START | {"agents": [{"agent": "x", "count": 501}]}],
        r"mux\.task\.start: agents\.0\.count: .*\.",
    ),
    ("mux.task.start", [START | {"unsaved": "some"}], r"mux\.task\.start: unsaved: input should be 'own', .*\."),
    ("mux.task.start", [START | {"repository": "untitled:1"}], r"untitled:1 is not a folder on this machine: .*\."),
    ("mux.task.start", [START | {"repository": "file://["}], r"file://\[ is not a folder on this machine: .*\."),
    ("mux.task.start", [START | {"repository": "file:///"}], r"/ is not (inside|in) a git repository.*\."),
    ("mux.task.start", [START | {"context": [{"uri": "file:///etc/passwd"}]}], r"/etc/passwd is not inside the .*\."),
    (
        "mux.task.start",
        [START | {"context": [{"uri": "untitled:1"}]}],
        r"untitled:1 is not a file on this machine; .*\.",
    ),
    ("mux.task.start", ["do it"], r"mux\.task\.start: its argument: input should be .*\."),
    ("mux.task.start", [START, START], r"mux\.task\.start takes one object as its argument, not 2 arguments\."),
    ("mux.task.get", None, r"mux\.task\.get: task: field required\."),
    ("mux.task.get", [{"task": "no"}], r"There is no task 'no'; `mux-lsp list` shows those there are\."),
    ("mux.task.compare", [{"task": "no"}], r"There is no task 'no'; .*\."),
    ("mux.task.cancel", [{"task": "no"}], r"There is no task 'no'; .*\."),
    ("mux.task.delete", [{"id": "no"}], r"There is no task 'no'; .*\."),
    ("mux.task.delete", [{"id": "no-1"}], r"There is no run 'no-1'; .*\."),
    ("mux.run.get", [{"run": "no-1"}], r"There is no run 'no-1'; .*\."),
    ("mux.run.log", [{"run": "no-1"}], r"There is no run 'no-1'; .*\."),
    ("mux.run.log", [{"run": "RUN", "stream": "exit"}], r"mux\.run\.log: stream: input should be .*\."),
    ("mux.run.log", [{"run": "RUN", "offset": -1}], r"mux\.run\.log: offset: .*\."),
    ("mux.run.cancel", [{"run": "no-1"}], r"There is no run 'no-1'; .*\."),
    ("mux.run.retry", [{"run": "no-1"}], r"There is no run 'no-1'; .*\."),
    ("mux.run.continue", [{"run": "no-1", "message": "x"}], r"There is no run 'no-1'; .*\."),
    ("mux.run.diff", [{"run": "RUN", "paths": ["no"]}], r"RUN does not change 'no'; `mux-lsp show RUN` lists .*\."),
    ("mux.run.accept", [{"run": "no-1"}], r"There is no run 'no-1'; .*\."),
    ("mux.file.accept", [{"run": "RUN", "path": "../x"}], r"RUN does not change '\.\./x'; .*\."),
    ("mux.file.reject", [{"run": "RUN", "path": "no"}], r"RUN does not change 'no'; .*\."),
    ("mux.hunk.accept", [{"run": "RUN", "hunks": ["no"]}], r"RUN has no hunk 'no'; `mux-lsp show RUN` lists .*\."),
    ("mux.hunk.accept", [{"run": "RUN", "hunks": []}], r"mux\.hunk\.accept: hunks: list should have at least 1 .*\."),
    ("mux.hunk.reject", [{"run": "RUN", "hunks": ["no"]}], r"RUN has no hunk 'no'; `mux-lsp show RUN` lists .*\."),
    ("mux.review.list", [{}], r"mux\.review\.list needs a uri, a run, or both\."),
    ("mux.review.list", [{"uri": "untitled:1"}], r"untitled:1 is not a file\."),
    ("mux.review.list", [{"uri": "file://["}], r"file://\[ is not a file\."),
    ("mux.review.list", [{"uri": "file:///a%00b"}], r"file:///a%00b is not a file\."),
    ("mux.review.list", [{"run": "no-1"}], r"There is no run 'no-1'; .*\."),
]


async def test_what_cannot_be_done_is_said_in_one_clear_sentence(editor: Editor) -> None:
    task = await editor.done("echo > new.txt")
    run = task.runs[0].id

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(one) for key, one in value.items()}
        return [filled(one) for one in value] if isinstance(value, list) else run if value == "RUN" else value

    wrong: list[Any] = []
    for command, arguments, sentence in REFUSALS:
        try:
            wrong.append((command, arguments, "was done", await editor.execute(command, filled(arguments))))
        except Refused as error:
            if (error.kind, error.code) != ("usage", protocol.REQUEST_FAILED) or not re.fullmatch(
                sentence.replace("RUN", run), error.message
            ):
                wrong.append((command, arguments, error.kind, error.message))
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("str", r"codeAction/resolve: its argument: input should be .*\."),
        (7, r"codeAction/resolve: its argument: input should be .*\."),
        ({"run": "no-1"}, r"codeAction/resolve: hunks: field required\."),
        ({"run": {}, "hunks": "abc"}, r"codeAction/resolve: run: input should be a valid string\."),
        ({"run": "no-1", "hunks": ["x"]}, r"There is no run 'no-1'; .*\."),
    ],
)
async def test_an_action_that_is_not_one_of_ours_is_refused(editor: Editor, data: Any, sentence: str) -> None:
    with pytest.raises(Refused) as refused:
        await editor.resolve(types.CodeAction("x", data=data))
    assert re.fullmatch(sentence, refused.value.message)
    assert refused.value.kind == "usage"


async def test_an_action_without_data_is_as_it_is(editor: Editor) -> None:
    assert await editor.resolve(types.CodeAction("x")) == types.CodeAction("x")


async def test_a_client_of_another_protocol_is_told_what_to_upgrade(home: IsolatedHome, repository: Path) -> None:
    for version, what in ((3, "mux-lsp"), (1, "the client"), ("one", "the client")):
        with pytest.raises(Refused) as refused:
            await connect(home, repository, options={"mux": {"protocol": version}})
        assert (refused.value.kind, refused.value.code) == ("usage", protocol.REQUEST_FAILED)
        assert re.fullmatch(
            rf"This client speaks mux protocol {version}, mux-lsp \S+ speaks 2: upgrade {what}\.", refused.value.message
        )
        protocol.VersionErrorData.model_validate(refused.value.data)


async def test_a_folder_that_is_no_repository_is_told_what_to_do(join: Join, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    editor = await join(folder=bare)
    with pytest.raises(Refused, match="git init") as refused:
        await editor.start("do it", "true")
    assert refused.value.kind == "usage"
