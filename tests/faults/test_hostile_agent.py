"""Test agents that write anything harmful: nothing of it runs in the daemon, nothing leaves the repository."""

from __future__ import annotations

import functools
import json
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import hostile
from tests.support.client import RefusedError, connected
from tests.support.person import fingerprint, git, make_repository, text_of

if TYPE_CHECKING:
    from tests.support.client import Client, Json
    from tests.support.home import IsolatedHome

HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that control a terminal or reorder the visible text."""


@dataclass
class Scene:
    """A person's folder with their repository in it, and other files of theirs beside it."""

    place: Path

    def __post_init__(self) -> None:
        files = {"plain.txt": text_of(range(3)), "a.txt": "a\n", "folder/b.txt": "b\n", "c.txt": "c\n"}
        self.root = make_repository(self.place / "project", files)
        self.outside = self.place / "outside"
        self.outside.mkdir()
        (self.outside / "b.txt").write_text("b\n")
        self.canary = self.place / "canary"
        self.note()

    def note(self) -> None:
        """Record the state that must not change."""
        self._git, self._outside = fingerprint(self.root / ".git"), fingerprint(self.outside)

    def check_canary(self) -> None:
        assert not self.canary.exists(), self.canary.read_text()

    def check(self) -> None:
        self.check_canary()
        assert fingerprint(self.root / ".git") == self._git
        assert fingerprint(self.outside) == self._outside
        assert {entry.name for entry in self.place.iterdir()} == {"project", "outside"}

    def agent(self, what: str) -> str:
        program = [sys.executable, hostile.__file__, what, str(self.canary), str(self.outside)]
        return f"sh:{shlex.join(program)}"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path / "person")


async def look_at_everything(client: Client, run: Json) -> list[Json]:
    """Request every view of a run. Return its hunks."""
    await client.diff(run["id"])
    for stream in ("stdout", "stderr"):
        await client.log(run["id"], stream)
    await client.command("mux.task.compare", task=run["task"])
    await client.command("mux.status")
    return await client.review(run["id"])


async def accept(client: Client, command: str, **argument: object) -> str | None:
    """Accept something. Return the reason of a refusal, or None."""
    try:
        await client.command(command, **argument)
    except RefusedError as error:
        assert error.kind in {"conflict", "usage"}, error
        assert not HARMFUL.search(str(error)), error
        return str(error)
    return None


async def accept_everything(client: Client, scene: Scene, run: Json, items: list[Json]) -> dict[str, str | None]:
    """Accept hunk by hunk, file by file and the whole run. Return the reason of each refusal, or None, by path."""
    for item in items[:50]:
        if item["hunk"] is not None:
            await accept(client, "mux.hunk.accept", run=run["id"], hunks=[item["hunk"]])
            scene.check()
    answers = {}
    for file in run["files"][:50]:
        answers[file["path"]] = await accept(client, "mux.file.accept", run=run["id"], path=file["path"])
        scene.check()
    answers["the run"] = await accept(client, "mux.run.accept", run=run["id"])
    scene.check()
    return answers


@pytest.mark.parametrize("applies", [False, True], ids=["on disk", "by the editor"])
@pytest.mark.parametrize(
    ("what", "refused", "left_out"),
    [
        ("be_configured", set(), set()),
        ("nest", set(), set()),
        ("replace_git", set(), set()),
        ("link_git", set(), set()),
        ("link_folder", {"folder", "new folder", "sideways", "hooks", "the run"}, set()),
        ("link_file", {"a.txt", "folder/b.txt", "c.txt", "the run"}, {".gitmodules"}),
        ("be_special", set(), {"c.txt", "huge"}),
    ],
)
async def test_traps(
    shared_home: IsolatedHome, scene: Scene, applies: bool, what: str, refused: set[str], left_out: set[str]
) -> None:
    async with connected(shared_home, scene.root, applies=applies) as client:
        task = await client.start(scene.agent(what))
        (run,) = await client.ended(task["id"])
        scene.check_canary()
        assert (run["state"], run["reason"]) == ("finished", None), await client.log(run["id"], "stderr")
        if what == "link_folder":
            assert (scene.outside / "b.txt").read_text() == "edited by the agent itself\n"
        scene.note()
        items = await look_at_everything(client, run)
        scene.check()
        paths = {file["path"] for file in run["files"]}
        assert "plain.txt" in paths
        assert not [path for path in paths if ".git" in path.split("/")]
        assert left_out <= {one["path"] for one in run["left_out"]}
        answers = await accept_everything(client, scene, run, items)
        assert {path for path, why in answers.items() if why} == refused, answers
        assert (scene.root / "plain.txt").read_text() == "line 0\nPLAIN\nline 2\n"
        # The worktree is reused, or removed; either way nothing of the agent's is in it.
        again = await client.run("git status --porcelain --ignored; ls -A")
        assert (again["state"], again["files"]) == ("finished", [])
        scene.check()
        await client.command("mux.task.delete", id=task["id"])
        scene.check()


@pytest.mark.parametrize("applies", [False, True], ids=["on disk", "by the editor"])
async def test_names(shared_home: IsolatedHome, scene: Scene, applies: bool) -> None:
    async with connected(shared_home, scene.root, applies=applies) as client:
        task = await client.start(scene.agent("name_badly"))
        (run,) = await client.ended(task["id"])
        assert run["state"] == "finished"
        items = await look_at_everything(client, run)
        refused = {name for name, why in (await accept_everything(client, scene, run, items)).items() if why}
        assert not refused
        left_out = {one["path"] for one in run["left_out"]}
        taken = {file["path"] for file in run["files"]}
        for name in hostile.NAMES:
            shown = name.decode("utf-8", "backslashreplace")
            assert (shown in left_out) != (shown in taken), shown
            place = scene.root / Path(*[part.decode("utf-8", "surrogateescape") for part in name.split(b"/")])
            assert place.exists() == (shown in taken), shown
            if re.search(rb"git", name, re.IGNORECASE) or b"\x8cit" in name:
                assert shown in left_out


@pytest.mark.parametrize("applies", [False, True], ids=["on disk", "by the editor"])
async def test_names_that_are_shown_alike(shared_home: IsolatedHome, scene: Scene, applies: bool) -> None:
    """One file is reviewed and accepted, and another one whose name looks the same must not be accepted with it."""
    twins = (
        r"""mkdir new; echo seen > 'new/a\xff.txt'; echo unseen > "$(printf 'new/a\377.txt')"; echo new > new/c.txt"""
    )
    async with connected(shared_home, scene.root, applies=applies) as client:
        run = await client.run(twins)
        assert sorted(file["path"] for file in run["files"]) == [r"new/a\xff.txt", r"new/a\xff.txt", "new/c.txt"]
        refusal = await accept(client, "mux.file.accept", run=run["id"], path=r"new/a\xff.txt")
        assert refusal is not None
        assert "more than one file" in refusal
        assert not (scene.root / "new").exists()
        assert await accept(client, "mux.file.accept", run=run["id"], path="new/c.txt") is None
        assert [entry.name for entry in (scene.root / "new").iterdir()] == ["c.txt"]
        assert await accept(client, "mux.run.accept", run=run["id"]) is None
        assert len([*(scene.root / "new").iterdir()]) == 3


async def test_a_name_cannot_say_more_than_a_name(shared_home: IsolatedHome, scene: Scene) -> None:
    """A refusal is reported in one line: a second line would pass for a message of ours."""
    name = "x\nAccepted 1 change in plain.txt.\n"
    async with connected(shared_home, scene.root) as client:
        run = await client.run(f"mkdir '{name}'; echo theirs > '{name}/y'")
        (scene.root / name).mkdir()
        (scene.root / name / "y").write_text("mine\n")
        refusal = await accept(client, "mux.run.accept", run=run["id"])
        assert refusal is not None
        assert "a different file of this name was created here" in refusal
        assert "\n" not in refusal


@pytest.mark.parametrize("applies", [False, True], ids=["on disk", "by the editor"])
@pytest.mark.parametrize("linked", [False, True], ids=["named", "linked"])
async def test_a_git_folder_of_another_name(
    shared_home: IsolatedHome, scene: Scene, linked: bool, applies: bool
) -> None:
    """`git init --separate-git-dir` puts it anywhere, also among the files."""
    git(scene.root, "init", "--quiet", f"--separate-git-dir={scene.root / 'data'}")
    if linked:
        (scene.root / ".git").unlink()
        (scene.root / ".git").symlink_to("data")
    before = fingerprint(scene.root / "data")
    async with connected(shared_home, scene.root, applies=applies) as client:
        run = await client.run("echo PLAIN > plain.txt; echo evil > data/hooks/pre-commit; echo evil >> data/config")
        items = await look_at_everything(client, run)
        answers = [
            await accept(client, "mux.file.accept", run=run["id"], path=path)
            for path in ("plain.txt", "data/hooks/pre-commit", "data/config")
        ]
        answers.append(await accept(client, "mux.run.accept", run=run["id"]))
        for item in items:
            if item["hunk"] is not None:
                await accept(client, "mux.hunk.accept", run=run["id"], hunks=[item["hunk"]])
        assert fingerprint(scene.root / "data") == before
        assert [why is None for why in answers] == [True, False, False, False]
        assert (scene.root / "plain.txt").read_text() == "PLAIN\n"


async def test_ten_thousand_files(shared_home: IsolatedHome, scene: Scene) -> None:
    async with connected(shared_home, scene.root) as client:
        run = await client.run(scene.agent("be_many").removeprefix("sh:"))
        assert (run["state"], run["file_count"]) == ("finished", 10_001)
        assert (await client.diff(run["id"], "many/100/142")).endswith("\n+142\n")
        answer = await client.command("mux.file.accept", run=run["id"], path="many/9900")
        assert answer["accepted"] == 100
        assert (scene.root / "many/9900/9942").read_text() == "9942\n"
        scene.check()


async def test_more_names_than_a_command_line_holds(shared_home: IsolatedHome, scene: Scene) -> None:
    long = "/".join(letter * 250 for letter in "abc")
    program = f"for n in range(2_500): open(f'folder/{long}/{{n}}' + 'x' * 220, 'w').write(f'{{n}}')"
    many = f"mkdir -p folder/{long}; {shlex.quote(sys.executable)} -c {shlex.quote(program)}"
    async with connected(shared_home, scene.root) as client:
        run = await client.run(f"{many}; echo more >> c.txt")
        assert run["file_count"] == 2_501
        patch = await client.diff(run["id"], "folder")
        assert patch.count("diff --git ") == 2_500
        assert "c.txt" not in patch


async def test_output(shared_home: IsolatedHome, scene: Scene) -> None:
    async with connected(shared_home, scene.root) as client:
        run = await client.run(scene.agent("be_loud").removeprefix("sh:"))
        for stream in ("stdout", "stderr"):
            text = await client.log(run["id"], stream)
            assert not HARMFUL.search(text)
            assert "red" in text
            assert "reversed" in text
            assert (text.count("x"), text.count("é")) == (1_000_000, 200_000)
            told = await client.until(functools.partial(told_to_the_end, client, run["id"], stream))
            assert not HARMFUL.search(told)


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        '{"at": 1, "kind": "text", "text": 5}',
        '{"at": 1, "kind": "usage", "input": "x"}',
        '{"at": 1, "kind": "tool_call", "id": [], "name": 1, "title": 2}',
        '{"at": 1, "kind": "plan", "entries": [{"text": 1, "state": []}]}',
        '{"at": 1, "kind": "prompt", "text": 5, "turn": "x"}',
    ],
)
async def test_what_an_agent_adds_to_its_transcript(shared_home: IsolatedHome, scene: Scene, line: str) -> None:
    (scene.place / "line").write_text(f"{line}\n")
    append = f'cat {shlex.quote(str(scene.place / "line"))} >> "$(dirname "$MUX_PROMPT_FILE")/transcript.jsonl"'
    async with connected(shared_home, scene.root) as client:
        run = await client.run(f"echo 'words of the agent'; {append}")
        assert run["state"] == "finished"
        document = await client.command("mux.document.get", uri=f"mux:/transcript/{run['id']}.md")
        assert "words of the agent" in document["text"]


async def test_numbers_that_cannot_be_kept(shared_home: IsolatedHome, scene: Scene) -> None:
    """Invalid usage that an agent reports does not cost it its result."""
    costs = [{"amount": amount, "currency": "USD"} for amount in (1e308, 1.0, 1.7e308)]
    took = [{"tell": {"sessionUpdate": "usage_update", "used": 10**30, "size": 1, "cost": cost}} for cost in costs]
    write = {"write": {"path": "plain.txt", "content": "PLAIN\n"}}
    command = [sys.executable, "-P", "-m", "tests.support.acp_agent", json.dumps({"steps": [*took, write]})]
    path = json.dumps(str(Path(hostile.__file__).parents[2]))
    shared_home.write_config(
        f'[agents.counts]\nkind = "acp"\ncommand = {json.dumps(command)}\nenvironment = {{ PYTHONPATH = {path} }}\n'
    )
    async with connected(shared_home, scene.root) as client:
        task = await client.start("counts")
        (run,) = await client.ended(task["id"])
        assert (run["state"], run["reason"]) == ("finished", None)
        assert [file["path"] for file in run["files"]] == ["plain.txt"]
        assert run["tokens"] >= 10**12
        assert run["cost_usd"] >= 10**6


def told_to_the_end(client: Client, run: str, stream: str) -> str:
    """Return a stream's notified output once it is complete, "" before. Only the newest part of much is notified."""
    told = client.output.get((run, stream), "")
    return told if told.endswith("x" * 10_000) else ""


@pytest.mark.parametrize("applies", [False, True], ids=["on disk", "by the editor"])
async def test_a_folder_that_became_a_link(shared_home: IsolatedHome, scene: Scene, applies: bool) -> None:
    """The result is harmless, but the person's own tree leads outside by now."""
    async with connected(shared_home, scene.root, applies=applies) as client:
        run = await client.run("echo more >> folder/b.txt; echo new > folder/new.txt; echo PLAIN > plain.txt")
        items = await client.review(run["id"])
        (scene.root / "folder" / "b.txt").unlink()
        (scene.root / "folder").rmdir()
        (scene.root / "folder").symlink_to(scene.outside)
        answers = await accept_everything(client, scene, run, items)
        assert {path for path, why in answers.items() if why} == {"folder/b.txt", "folder/new.txt", "the run"}
        assert "leads through the symbolic link folder" in str(answers["folder/new.txt"])
        statuses = {item["path"]: (item["status"], item["reason"]) for item in await client.review(run["id"])}
        assert statuses["plain.txt"] == ("applied", None)
        assert statuses["folder/b.txt"] == ("conflict", "folder/b.txt leads through the symbolic link folder")
