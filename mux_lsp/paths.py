"""Locate the files of mux-lsp.

The bridge imports this module on every start of an editor. So it imports only the standard library, and of that only
what the interpreter has loaded anyway: strings and `os.path` rather than `pathlib`, a plain class rather than a
dataclass. The folders are those that platformdirs would choose for the application `mux-lsp`.
"""
# pathlib takes a fifth of the bridge's start-up time.
# ruff: noqa: PTH100, PTH101, PTH102, PTH103, PTH111, PTH116, PTH118, PTH120

from __future__ import annotations

import os
import stat
import sys

from mux_lsp.errors import MuxError

APPLICATION = "mux-lsp"

ROOT = "MUX_LSP_HOME"
"""The variable that names one folder for all files."""

_SUN_PATH = 104 if sys.platform == "darwin" else 108
"""Maximum bytes of the path of a unix socket, with the closing NUL."""


class Home:
    """The folders of one user, and the files in them that the daemon and its clients share. All paths are absolute."""

    __slots__ = ("config", "state")

    def __init__(self, config: str, state: str) -> None:
        self.config = config
        self.state = state

    def __repr__(self) -> str:
        return f"Home(config={self.config!r}, state={self.state!r})"

    @property
    def config_file(self) -> str:
        """The user's configuration."""
        return f"{self.config}/config.toml"

    @property
    def daemon_record(self) -> str:
        """The file with the daemon's address: pid, created, address, token, version. It may be stale."""
        return f"{self.state}/daemon.json"

    @property
    def person_key(self) -> str:
        """The file with the key for requests that only the person may make. It is never given to an agent."""
        return f"{self.state}/person.key"

    @property
    def daemon_lock(self) -> str:
        """The file that a living daemon locks with flock."""
        return f"{self.state}/daemon.lock"

    @property
    def start_lock(self) -> str:
        """The file that a client locks with flock while it starts a daemon."""
        return f"{self.state}/start.lock"

    @property
    def log(self) -> str:
        """The daemon's log."""
        return f"{self.state}/log/daemon.log"


def home(platform: str = sys.platform) -> Home:
    """Return the person's folders: below `MUX_LSP_HOME` if it is set, else the platform's usual ones."""
    if root := named_root():
        return Home(f"{root}/config", f"{root}/state")
    if platform == "darwin":
        support = "Library/Application Support"
        return Home(_folder("XDG_CONFIG_HOME", support), _folder("XDG_STATE_HOME", support))
    return Home(_folder("XDG_CONFIG_HOME", ".config"), _folder("XDG_STATE_HOME", ".local/state"))


def named_root() -> str | None:
    """Return the folder in `MUX_LSP_HOME` as an absolute path, or None."""
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
    """Create a folder if necessary, and ensure that only this user may enter it.

    Raises MuxError if it cannot be created or belongs to another user.
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
    """Return the error for a folder or file of ours that the system refuses."""
    import errno

    if error.errno not in {errno.EACCES, errno.EPERM}:
        from mux_lsp import storage

        if refused := storage.explained(error, path):
            return refused
    return MuxError(
        f"mux-lsp cannot use {path} ({error.strerror or error}): make it writable or set MUX_LSP_HOME to another folder"
    )


def socket_path(state: str) -> str:
    """Return the path of the daemon's unix socket: in the state folder, or in a temporary one if that path is too long.

    Creates the temporary folder, private. Raises MuxError if another user has created it.
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
    """Create a private folder where any user may create folders. Raises MuxError if it is not exactly ours."""
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
