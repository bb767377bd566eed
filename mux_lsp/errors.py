"""Define the errors that a user can meet. Each message is one clear sentence: what is wrong, where, and what to do."""

from __future__ import annotations


class MuxError(Exception):
    """An expected failure, with a message for the person; never a bug.

    `exit_status` is that of the command line: 1 the work failed, 2 bad usage, 3 a conflict (nothing written).
    """

    exit_status = 1


class UsageError(MuxError):
    """The request itself is wrong: an unknown id, a bad agent name, a setting out of range."""

    exit_status = 2


class NotARepositoryError(UsageError):
    """The folder is not inside a git working tree."""


class ConflictError(MuxError):
    """The text has changed so that the change cannot be placed exactly. Nothing was written."""

    exit_status = 3


class GitError(MuxError):
    """git failed unexpectedly. The message contains git's last lines of error output."""


class StorageError(MuxError):
    """A disk or the system refused an operation: full, read-only, out of inodes or descriptors, damaged.

    See `mux_lsp.storage`.
    """


class GitStorageError(GitError, StorageError):
    """git could not read or write for such a reason. Retrying does not help until the cause is fixed."""


class AgentError(MuxError):
    """An agent could not be started."""


def unreadable(file: object, error: OSError | UnicodeDecodeError) -> UsageError:
    """Return the error for a user's file that cannot be read as text."""
    why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror or error
    return UsageError(f"{file} cannot be read: {why}.")
