"""Agents that write whatever they can think of: nothing of it runs in the daemon, nothing leaves the repository."""

from __future__ import annotations

import functools
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import hostile
from tests.support.client import RefusedError, connected
from tests.support.person import fingerprint, make_repository, text_of

if TYPE_CHECKING:
    from tests.support.client import Client, Json
    from tests.support.home import IsolatedHome

HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What drives a terminal or reorders what is seen."""


@dataclass
class Scene:
    """A person's folder with their repository in it, and something of theirs beside it."""

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
        """Remember what must stay."""
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
    """Ask for all there is to see of a run. Returns its hunks."""
    await client.diff(run["id"])
    for stream in ("stdout", "stderr"):
        await client.log(run["id"], stream)
    await client.command("mux.task.compare", task=run["task"])
    await client.command("mux.status")
    return await client.review(run["id"])


async def accept(client: Client, command: str, **argument: object) -> str | None:
    """Accept something. Returns why it was refused, or None where it was not."""
    try:
        await client.command(command, **argument)
    except RefusedError as error:
        assert error.kind in {"conflict", "usage"}, error
        assert not HARMFUL.search(str(error)), error
        return str(error)
    return None


async def accept_everything(client: Client, scene: Scene, run: Json, items: list[Json]) -> dict[str, str | None]:
    """Accept hunk by hunk, file by file and the whole run. Returns by path why not, None where it was."""
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
    mux_home: IsolatedHome, scene: Scene, applies: bool, what: str, refused: set[str], left_out: set[str]
) -> None:
    async with connected(mux_home, scene.root, applies=applies) as client:
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
        # The worktree is used again, or removed; either way with nothing of the agent's in it.
        again = await client.run("git status --porcelain --ignored; ls -A")
        assert (again["state"], again["files"]) == ("finished", [])
        scene.check()
        await client.command("mux.task.delete", id=task["id"])
        scene.check()


@pytest.mark.parametrize("applies", [False, True], ids=["on disk", "by the editor"])
async def test_names(mux_home: IsolatedHome, scene: Scene, applies: bool) -> None:
    async with connected(mux_home, scene.root, applies=applies) as client:
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


async def test_ten_thousand_files(mux_home: IsolatedHome, scene: Scene) -> None:
    async with connected(mux_home, scene.root) as client:
        run = await client.run(scene.agent("be_many").removeprefix("sh:"))
        assert (run["state"], run["file_count"]) == ("finished", 10_001)
        assert (await client.diff(run["id"], "many/100/142")).endswith("\n+142\n")
        answer = await client.command("mux.file.accept", run=run["id"], path="many/9900")
        assert answer["accepted"] == 100
        assert (scene.root / "many/9900/9942").read_text() == "9942\n"
        scene.check()


async def test_output(mux_home: IsolatedHome, scene: Scene) -> None:
    async with connected(mux_home, scene.root) as client:
        run = await client.run(scene.agent("be_loud").removeprefix("sh:"))
        for stream in ("stdout", "stderr"):
            text = await client.log(run["id"], stream)
            assert not HARMFUL.search(text)
            assert "red" in text
            assert "reversed" in text
            assert (text.count("x"), text.count("é")) == (1_000_000, 200_000)
            told = await client.until(functools.partial(told_to_the_end, client, run["id"], stream))
            assert not HARMFUL.search(told)


def told_to_the_end(client: Client, run: str, stream: str) -> str:
    """What was told of a stream, once its end was; nothing before. Of much at a time only the newest is told."""
    told = client.output.get((run, stream), "")
    return told if told.endswith("x" * 10_000) else ""


@pytest.mark.parametrize("applies", [False, True], ids=["on disk", "by the editor"])
async def test_a_folder_that_became_a_link(mux_home: IsolatedHome, scene: Scene, applies: bool) -> None:
    """The result is innocent, but the person's own tree leads outside by now."""
    async with connected(mux_home, scene.root, applies=applies) as client:
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
