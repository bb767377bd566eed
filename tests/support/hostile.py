"""Play an agent that tries to escape: `python hostile.py WHAT CANARY OUTSIDE`, run inside a worktree.

Executing anything that it leaves behind creates the file CANARY. Once its traps are laid it runs no git itself. It uses
the standard library only.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

HOOKS = (
    "applypatch-msg", "commit-msg", "fsmonitor-watchman", "post-applypatch", "post-checkout", "post-commit",
    "post-index-change", "post-merge", "post-receive", "post-rewrite", "post-update", "pre-applypatch", "pre-auto-gc",
    "pre-commit", "pre-merge-commit", "pre-push", "pre-rebase", "pre-receive", "prepare-commit-msg", "proc-receive",
    "push-to-checkout", "reference-transaction", "sendemail-validate", "update",
)  # fmt: skip
COMMANDS = (
    "apply", "cat-file", "check-attr", "check-ignore", "clean", "commit-tree", "diff-files", "diff-tree",
    "ls-files", "ls-tree", "pack-objects", "read-tree", "rev-parse", "status", "update-index", "update-ref",
    "write-tree",
)  # fmt: skip
ATTRIBUTES = "* filter=evil diff=evil merge=evil text eol=crlf ident working-tree-encoding=UTF-16\n"


def lay_traps(git_dir: Path, canary: str) -> None:
    """Set every setting and hook that makes git run a command."""
    script = git_dir / "trap"
    script.write_text(f"#!/bin/sh\necho \"$0 $@\" >> '{canary}'\ncat\n")
    script.chmod(0o755)
    aliases = "".join(f"{name} = !{script}\n" for name in COMMANDS)
    (git_dir / "included").write_text(f"[core]\nfsmonitor = {script}\n")
    (git_dir / "config").write_text(
        f"[core]\nrepositoryformatversion = 0\nbare = false\nfsmonitor = {script}\nhooksPath = {git_dir}/hooks\n"
        f"sshCommand = {script}\npager = {script}\neditor = {script}\n"
        f"askPass = {script}\nalternateRefsCommand = {script}\n"
        f'[filter "evil"]\nclean = {script}\nsmudge = {script}\nprocess = {script}\nrequired = true\n'
        f'[diff]\nexternal = {script}\n[diff "evil"]\ncommand = {script}\ntextconv = {script}\n'
        f'[merge "evil"]\ndriver = {script}\n[interactive]\ndiffFilter = {script}\n'
        f"[gpg]\nprogram = {script}\n[credential]\nhelper = !{script}\n[uploadpack]\npackObjectsHook = {script}\n"
        f"[include]\npath = {git_dir}/included\n[alias]\n{aliases}"
        f'[remote "origin"]\nurl = ext::{script}\nfetch = +refs/*:refs/*\npromisor = true\nuploadpack = {script}\n'
        "[extensions]\npartialClone = origin\n"
    )
    hooks = git_dir / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in HOOKS:
        shutil.copy(script, hooks / name)
    (git_dir / "info").mkdir(exist_ok=True)
    (git_dir / "info" / "attributes").write_text(ATTRIBUTES)


def make_git_dir(git_dir: Path, canary: str) -> None:
    """Make a git directory under the agent's control."""
    for name in ("objects/pack", "objects/info", "refs/heads"):
        (git_dir / name).mkdir(parents=True)
    (git_dir / "HEAD").write_text("ref: refs/heads/main\n")
    lay_traps(git_dir, canary)


def be_configured(canary: str, _: Path) -> None:
    """Set traps in the worktree's git directory, and attributes that trigger them."""
    git_dir = Path(Path(".git").read_text().removeprefix("gitdir: ").strip())
    lay_traps(git_dir, canary)
    Path(".gitattributes").write_text(ATTRIBUTES)
    Path("folder/.gitattributes").write_text(ATTRIBUTES)


def nest(canary: str, _: Path) -> None:
    """Make repositories within the worktree, one of them bare, one in place of a tracked folder."""
    for name in ("nested", "folder"):
        make_git_dir(Path(name, ".git"), canary)
        Path(name, ".gitattributes").write_text(ATTRIBUTES)
        Path(name, "within.txt").write_text("within\n")
    make_git_dir(Path("bare.git"), canary)


def replace_git(canary: str, _: Path) -> None:
    """Replace the worktree's `.git` file with a git directory under the agent's control."""
    Path(".git").unlink()
    make_git_dir(Path(".git"), canary)
    Path(".gitattributes").write_text(ATTRIBUTES)


def link_git(_: str, __: Path) -> None:
    """Replace the worktree's git directory with a link to the person's."""
    Path(".git").unlink()
    Path(".git").symlink_to(Path(os.environ["MUX_REPOSITORY"], ".git"))


def link_folder(_: str, outside: Path) -> None:
    """Replace folders with links to outside, and edit, make and delete files behind them."""
    shutil.rmtree("folder")
    Path("folder").symlink_to(outside)
    Path("folder/b.txt").write_text("edited by the agent itself\n")
    Path("new folder").symlink_to("../../../../..")
    Path("up").mkdir()
    Path("up/here").symlink_to("..")  # leads to the root; through it the next link leads above the root
    Path("sideways").symlink_to("up/here/../outside")
    Path("hooks").symlink_to(".git/hooks")


def link_file(_: str, outside: Path) -> None:
    """Replace files with links, and .gitmodules too."""
    for name, target in (("a.txt", "/etc/passwd"), ("folder/b.txt", str(outside / "b.txt")), ("c.txt", "../outside/n")):
        Path(name).unlink(missing_ok=True)
        Path(name).symlink_to(target)
    Path(".gitmodules").symlink_to("a.txt")


NAMES = (
    b"..\\x", b"..\\..\\x", b"C:\\x", b"C:x", b"\\\\server\\x", b".GIT/config", b".Git/hooks/pre-commit", b"git~1",
    b"folder/.git./config", b"folder/.git /config", b"x/.g\xe2\x80\x8cit/config", b".git::$INDEX_ALLOCATION/config",
    b".git\\config", b"folder\\.git\\config", b"nul", b"-rf", b"--help", b":(top)x", b"%2e%2e%2fx",
    b"\x1b[2Jescape\x07", b"new\nline", b"cr\rname", b"tab\tname", b"\xff\xfe.txt", b"'quote\"", b" ",
    b"x\xe2\x80\xaetxt.exe", b"*", b"$(touch x)",
)  # fmt: skip


def name_badly(_: str, __: Path) -> None:
    """Make files whose names have a meaning for git, a file system, a shell or a terminal."""
    for name in NAMES:
        place = Path(os.fsdecode(name))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("content\n")


def be_special(_: str, __: Path) -> None:
    """Make entries that are no regular files, or no files that can be read."""
    Path("c.txt").unlink()
    os.mkfifo("c.txt")
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    with Path("huge").open("wb") as file:
        file.truncate(50_000_000_000)
    Path("closed").mkdir()
    Path("closed/file").write_text("closed\n")
    Path("closed/file").chmod(0)
    Path("closed").chmod(0)
    Path("folder").chmod(0o500)


def be_many(_: str, __: Path) -> None:
    """Make more files than anybody reads."""
    for number in range(10_000):
        if number % 100 == 0:
            Path(f"many/{number}").mkdir(parents=True)
        Path(f"many/{number - number % 100}/{number}").write_text(f"{number}\n")


def be_loud(_: str, __: Path) -> None:
    """Print every terminal control sequence, and a megabyte without a line end."""
    for stream in (sys.stdout.buffer, sys.stderr.buffer):
        stream.write(
            b"\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[0m\x1b]52;c;ZXZpbA==\x07\x9b31m\xc2\x9b31m\x1bP1$r\x1b\\\r\x08\x00"
        )
        stream.write("\u202ereversed\u202c\n".encode())
        stream.write("é".encode() * 200_000)
        stream.write(b"\x1b" * 70_000 + b"\n" + b"x" * 1_000_000)
        stream.flush()


def main() -> None:
    """Edit a file like any agent, and then misbehave."""
    what, canary, outside = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    Path("plain.txt").write_text("line 0\nPLAIN\nline 2\n")
    globals()[what](canary, outside)


if __name__ == "__main__":
    main()
