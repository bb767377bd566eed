"""Where mux-lsp keeps its files.

This is a leaf that the bridge imports on every start of an editor, so it uses the standard library only, and of that
only what the interpreter has loaded anyway: strings and `os.path` rather than `pathlib`, a plain class rather than a
dataclass. The folders are those that platformdirs would choose for the application `mux-lsp`.
"""
# pathlib costs the bridge a fifth of its start.
# ruff: noqa: PTH100, PTH101, PTH102, PTH103, PTH111, PTH116, PTH118, PTH120

from __future__ import annotations

import os
import stat
import sys

from mux_lsp.errors import MuxError

APPLICATION = "mux-lsp"

ROOT = "MUX_LSP_HOME"
"""The variable that puts everything under one folder."""

_SUN_PATH = 104 if sys.platform == "darwin" else 108
"""The bytes that a unix socket's address has for its path, with the closing NUL."""


class Home:
    """The folders of one person, and the files in them that the daemon and its clients meet at. All absolute."""

    __slots__ = ("config", "state")

    def __init__(self, config: str, state: str) -> None:
        self.config = config
        self.state = state

    def __repr__(self) -> str:
        return f"Home(config={self.config!r}, state={self.state!r})"

    @property
    def config_file(self) -> str:
        """The person's configuration."""
        return f"{self.config}/config.toml"

    @property
    def daemon_record(self) -> str:
        """Says where the daemon listens: pid, created, address, token, version. It may be stale."""
        return f"{self.state}/daemon.json"

    @property
    def person_key(self) -> str:
        """Holds what a client shows to do what only the person may: nothing gives it to an agent."""
        return f"{self.state}/person.key"

    @property
    def daemon_lock(self) -> str:
        """A living daemon holds an flock on it."""
        return f"{self.state}/daemon.lock"

    @property
    def start_lock(self) -> str:
        """Who starts a daemon holds an flock on it."""
        return f"{self.state}/start.lock"

    @property
    def log(self) -> str:
        """The daemon's log."""
        return f"{self.state}/log/daemon.log"


def home(platform: str = sys.platform) -> Home:
    """The person's folders: below `MUX_LSP_HOME` if the environment has it, else where the platform puts such."""
    if root := named_root():
        return Home(f"{root}/config", f"{root}/state")
    if platform == "darwin":
        support = "Library/Application Support"
        return Home(_folder("XDG_CONFIG_HOME", support), _folder("XDG_STATE_HOME", support))
    return Home(_folder("XDG_CONFIG_HOME", ".config"), _folder("XDG_STATE_HOME", ".local/state"))


def named_root() -> str | None:
    """The folder that `MUX_LSP_HOME` names, absolute, or None."""
    root = os.environ.get(ROOT)
    return os.path.abspath(os.path.expanduser(root)) if root else None


def _folder(variable: str, below_home: str) -> str:
    base = os.environ.get(variable, "")
    if not base.startswith("/"):  # the XDG specification: relative paths are to be ignored
        person = os.environ.get("HOME", "")
        if not person.startswith("/"):
            import pwd

            person = pwd.getpwuid(os.getuid()).pw_dir
        base = f"{person.rstrip('/')}/{below_home}"
    return os.path.join(base, APPLICATION)


def make_private_folder(path: str) -> None:
    """Makes sure that the folder is there and that only this person may enter it.

    Raises MuxError if it cannot be made or belongs to somebody else.
    """
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        found = os.stat(path)
        if found.st_uid != os.geteuid():
            raise MuxError(
                f"the folder {path} belongs to another user (uid {found.st_uid}): "
                "set MUX_LSP_HOME to a folder of your own"
            )
        if stat.S_IMODE(found.st_mode) & 0o077:
            os.chmod(path, 0o700)
    except OSError as error:
        raise unusable(path, error) from error


def unusable(path: str, error: OSError) -> MuxError:
    """The sentence for a folder or file of ours that the system refuses."""
    import errno

    if error.errno not in {errno.EACCES, errno.EPERM}:
        from mux_lsp import storage

        if refused := storage.explained(error, path):
            return refused
    return MuxError(
        f"mux-lsp cannot use {path} ({error.strerror or error}): make it writable or set MUX_LSP_HOME to another folder"
    )


def socket_path(state: str) -> str:
    """Where the daemon's unix socket goes: in the state folder, or in a temporary one if that path is too long.

    Makes the temporary folder, private. Raises MuxError if somebody else got there first.
    """
    path = f"{state}/daemon.sock"
    if len(os.fsencode(path)) < _SUN_PATH:
        return path
    import hashlib

    key = hashlib.sha256(os.fsencode(state)).hexdigest()[:12]
    name = f"{APPLICATION}-{os.geteuid()}-{key}"
    for base in (os.environ.get("TMPDIR", "/tmp"), "/tmp"):  # noqa: S108  (the folder below is checked)
        path = f"{base.rstrip('/')}/{name}/daemon.sock"
        if base.startswith("/") and len(os.fsencode(path)) < _SUN_PATH:
            _make_temporary_folder(os.path.dirname(path))
            return path
    raise MuxError(f"the path {state} is too long for a socket: set MUX_LSP_HOME to a shorter folder")


def _make_temporary_folder(path: str) -> None:
    """As `make_private_folder`, in a place where anybody may make folders: what is not exactly ours is refused."""
    try:
        os.mkdir(path, mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise unusable(path, error) from error
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != 0o700:
        raise MuxError(
            f"{path} is not a private folder of yours: remove it, or set MUX_LSP_HOME to a shorter folder "
            "so that the socket needs no temporary one"
        )
