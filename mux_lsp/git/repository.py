"""Read the person's repository: its location, its HEAD, and the settings that determine the files on disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mux_lsp.errors import GitError, NotARepositoryError
from mux_lsp.git import parse
from mux_lsp.git.command import git, status_of


@dataclass(frozen=True, slots=True)
class Repository:
    """A user's working tree and its git directories. All paths are absolute."""

    root: Path
    """The top folder of the working tree (of a linked worktree or submodule: its own)."""
    git_dir: Path
    common_dir: Path
    """The folder of objects and refs. It differs from `git_dir` in a linked worktree."""
    prefix: str = ""
    """The opened folder relative to `root`, with `/` between components; `""` for the root itself."""
    object_format: str = "sha1"

    @property
    def index(self) -> Path:
        """The user's index file, which may not exist."""
        return self.git_dir / "index"


@dataclass(frozen=True, slots=True)
class GitSettings:
    """A repository's settings that determine which files git sees and their form on disk."""

    values: dict[str, str]
    root: Path

    def is_on(self, key: str) -> bool:
        """Return whether the boolean setting `key` (in lower case) is on."""
        return parse.is_true(self.values.get(key))

    @property
    def file_mode(self) -> bool:
        """True if the executable bits on disk are significant."""
        return parse.is_true(self.values.get("core.filemode", "true"))

    @property
    def sparse(self) -> bool:
        """True if sparse checkout is on."""
        return self.is_on("core.sparsecheckout")

    @property
    def converts_line_ends(self) -> bool:
        """True if git converts line ends of text files when it reads them, regardless of attributes."""
        return self.values.get("core.autocrlf", "false").lower() in {"true", "yes", "on", "1", "input"}

    @property
    def excludes_file(self) -> Path | None:
        """The user's ignore file if a setting names it. git finds the default location by itself."""
        return self._path("core.excludesfile")

    @property
    def attributes_file(self) -> Path:
        """The user's attributes file, configured or in the default location. It may not exist."""
        configuration = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
        return self._path("core.attributesfile") or configuration / "git" / "attributes"

    def _path(self, key: str) -> Path | None:
        value = self.values.get(key)
        if not value:
            return None
        return self.root / os.path.expanduser(value)  # noqa: PTH111 - an unknown `~name` stays as it is, as in git


def discover(folder: Path) -> Repository:
    """Return the repository whose working tree contains `folder`.

    Raises NotARepositoryError, with advice, if there is no repository, if it is bare, or if git does not trust it.
    """
    if not folder.is_dir():
        raise NotARepositoryError(f"{folder} is not a folder: open one that exists.")
    questions = ["--is-bare-repository", "--is-inside-work-tree", "--show-object-format", "--absolute-git-dir"]
    places = ["--path-format=absolute", "--git-common-dir", "--show-prefix", "--show-toplevel"]
    status, output, errors = status_of(["rev-parse", *questions, *places], folder=folder)
    answers = os.fsdecode(output).split("\n")
    if status != 0:
        raise NotARepositoryError(_refusal(folder, answers, errors))
    if len(answers) != 8:
        raise NotARepositoryError(f"{folder}: mux-lsp cannot work where a folder's name holds a line break. Rename it.")
    _bare, _inside, object_format, git_dir, common_dir, prefix, root, _end = answers
    return Repository(Path(root), Path(git_dir), Path(common_dir), prefix.rstrip("/"), object_format)


def _refusal(folder: Path, answers: list[str], errors: str) -> str:
    if "dubious ownership" in errors:
        return (
            f"git does not trust the repository at {folder}, because another user owns it. If you do, run "
            f"`git config --global --add safe.directory {folder}`."
        )
    if answers[0] == "true":
        return (
            f"{folder} is a bare repository, with no files to work on: open a working tree of it (`git worktree add`)."
        )
    if answers[:2] == ["false", "false"]:
        return f"{folder} is inside a .git folder: open the working tree that belongs to it."
    if "not a git repository" in errors:
        return f"{folder} is not in a git repository: run `git init` there, or open a folder of a repository."
    last = errors.strip().splitlines()[-1:] or ["git gave no reason"]
    return f"git cannot read the repository at {folder}: {last[0].removeprefix('fatal: ')}"


def read_settings(repository: Repository) -> GitSettings:
    """Return the settings of `git config` in the repository, from all levels."""
    return GitSettings(
        parse.settings(git(["config", "--list", "-z", "--includes"], folder=repository.root)), repository.root
    )


def read_head(repository: Repository) -> str | None:
    """Return the commit of HEAD, or None in a repository without commits.

    Raises GitError if HEAD points to a commit that git cannot read.
    """
    name = (
        git(["rev-parse", "--quiet", "--verify", "HEAD^{commit}"], folder=repository.root, ok=(0, 1)).decode().strip()
    )
    if name:
        return name
    if git(["rev-parse", "--quiet", "--verify", "HEAD"], folder=repository.root, ok=(0, 1)).strip():
        raise GitError(f"The HEAD commit of {repository.root} cannot be read: run `git fsck` there.")
    return None


def object_folders(repository: Repository) -> tuple[Path, ...]:
    """Return all folders with the repository's objects: its own, then those it borrows, nearest first."""
    found: list[Path] = []
    waiting = [repository.common_dir / "objects"]
    while waiting:
        folder = waiting.pop(0)
        if folder in found or not folder.is_dir():
            continue
        found.append(folder)
        alternates = folder / "info" / "alternates"
        if alternates.is_file():
            lines = os.fsdecode(alternates.read_bytes()).splitlines()
            waiting += [Path(os.path.normpath(folder / line)) for line in lines if line and not line.startswith("#")]
    return tuple(found)
