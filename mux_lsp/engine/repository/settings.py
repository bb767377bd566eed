"""Merge the settings of a repository: the person's, and those of its own `mux.toml` if the person trusts them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mux_lsp.agents.files import open_to_read
from mux_lsp.config import OfRepository, of_repository
from mux_lsp.core.model import Setup
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from mux_lsp.config import Configuration

FILE: Final = "mux.toml"
"""File of settings at a repository's root. It is used only while the person trusts its exact values."""

LARGEST: Final = 1_000_000
"""Bytes. Larger files are refused."""


@dataclass(frozen=True, slots=True)
class RepositorySettings:
    """Default settings of a task in a repository."""

    agents: tuple[str, ...]
    """Agents in the form that `config.parse_choice` parses; empty if none are configured."""
    checks: tuple[str, ...]
    setup: Setup
    protected: tuple[str, ...]
    """Patterns of protected files, in addition to the built-in ones."""
    check_seconds: float
    """Maximum duration of one check, in seconds."""
    notices: tuple[str, ...] = ()
    """Sentences about these settings that the person should see."""


_NOTHING: Final = OfRepository()


@dataclass(frozen=True, slots=True)
class RepositoryConfig:
    """The values of a repository's own `mux.toml`."""

    said: OfRepository = _NOTHING
    digest: str | None = None
    """Digest of the values, independent of their formatting; None if there are no values."""
    problem: str | None = None
    """Sentence on why the file cannot be read; None if it can."""


def settings_of(
    root: Path, configuration: Configuration, offer: RepositoryConfig, trusted: Collection[str]
) -> RepositorySettings:
    """Return the settings of a repository: `[defaults]`, overridden by its `mux.toml`, overridden by `[[repository]]`.

    `trusted` are the digests of the values that the person trusts there. A `mux.toml` that is not trusted, or cannot be
    read, is ignored, with a notice.
    """
    own = offer.said if offer.digest in trusted else _NOTHING
    notices: tuple[str, ...] = ()
    if offer.problem is not None:
        notices = (f"The {FILE} of {root} does not count: {offer.problem}",)
    elif offer.digest is not None and offer.digest not in trusted:
        why = "it has changed since you trusted it" if trusted else "you have not trusted it"
        asks = "`mux-lsp trust` there shows what it would run, and asks"
        notices = (f"The {FILE} of {root} does not count, since {why}: {asks}.",)
    said = own.model_dump(exclude_none=True) | configuration.of(root).model_dump(exclude_none=True, exclude={"path"})
    merged = OfRepository.model_validate(said)
    return RepositorySettings(
        agents=configuration.defaults.agents if merged.agents is None else merged.agents,
        checks=configuration.defaults.checks if merged.checks is None else merged.checks,
        setup=Setup(merged.setup or (), merged.setup_inputs or ()),
        protected=merged.protected or (),
        check_seconds=merged.check_timeout_seconds or configuration.runs.check_timeout_seconds,
        notices=notices,
    )


def load_repository_config(root: Path, buffers: Mapping[str, bytes]) -> RepositoryConfig:
    """Read a repository's `mux.toml` as its person sees it, unsaved `buffers` first. For use in a thread."""
    try:
        said = _read(root, buffers)
    except OSError as error:
        return RepositoryConfig(problem=f"it cannot be read ({error}).")
    except UnicodeDecodeError:
        return RepositoryConfig(problem="it is not UTF-8.")
    except UsageError as error:
        return RepositoryConfig(problem=str(error).splitlines()[0])
    if said == _NOTHING:
        return RepositoryConfig()
    return RepositoryConfig(said, hashlib.sha256(said.model_dump_json(exclude_none=True).encode()).hexdigest())


def _read(root: Path, buffers: Mapping[str, bytes]) -> OfRepository:
    content = buffers.get(FILE)
    if content is None:
        try:
            with open_to_read(root / FILE) as file:
                content = file.read(LARGEST + 1)
        except FileNotFoundError:
            return _NOTHING
    if len(content) > LARGEST:
        raise UsageError(f"it is larger than {LARGEST // 1_000_000} MB.")
    return of_repository(content.decode(), FILE)
