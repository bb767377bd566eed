"""The errors a person can meet. Each is one clear sentence: what is wrong, where, and what to do."""

from __future__ import annotations


class MuxError(Exception):
    """An expected failure whose message is written for the person, never a bug.

    `exit_status` is what the command line ends with: 1 the work failed, 2 bad usage, 3 a conflict (nothing written).
    """

    exit_status = 1


class UsageError(MuxError):
    """The request itself is wrong: an unknown id, a bad agent name, a setting out of range."""

    exit_status = 2


class NotARepositoryError(UsageError):
    """The folder is not inside a git working tree."""


class ConflictError(MuxError):
    """The text has moved on so that the change cannot be placed exactly. Nothing was written."""

    exit_status = 3


class GitError(MuxError):
    """git ended with an error we did not expect. The message carries git's own last words."""


class StorageError(MuxError):
    """A disk or the system refused: full, read-only, out of inodes or descriptors, damaged. See `mux_lsp.storage`."""


class GitStorageError(GitError, StorageError):
    """git could not read or write for such a reason. Trying again changes nothing before that is put right."""


class AgentError(MuxError):
    """An agent could not be started."""


def unreadable(file: object, error: OSError | UnicodeDecodeError) -> UsageError:
    """The sentence for a file of the person's that cannot be read as text."""
    why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error.strerror or error
    return UsageError(f"{file} cannot be read: {why}.")
