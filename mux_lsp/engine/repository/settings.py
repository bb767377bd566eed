"""How to work in a repository: what the person says of it, and what its own `mux.toml` says where they trust it."""

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
"""At a repository's root. It counts only as long as the person trusts exactly what it says."""

LARGEST: Final = 1_000_000
"""Bytes. A larger file is none of settings."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a task in a repository takes where nothing else was asked for."""

    agents: tuple[str, ...]
    """As `config.parse_choice` reads them. Empty: none are configured."""
    checks: tuple[str, ...]
    setup: Setup
    protected: tuple[str, ...]
    """Patterns of files that judge results, beside those that are known to."""
    check_seconds: float
    """How long one check may take."""
    notices: tuple[str, ...] = ()
    """What the person should know of it: sentences."""


_NOTHING: Final = OfRepository()


@dataclass(frozen=True, slots=True)
class RepositoryConfig:
    """What a repository's own `mux.toml` says."""

    said: OfRepository = _NOTHING
    digest: str | None = None
    """Of what it says, however it is written. None where that is nothing."""
    problem: str | None = None
    """Why it cannot be read, if so: a sentence."""


def settings_of(
    root: Path, configuration: Configuration, offer: RepositoryConfig, trusted: Collection[str]
) -> Settings:
    """The settings of a repository: `[defaults]`, over them its `mux.toml`, over both `[[repository]]`.

    `trusted` are the digests of what the person trusts there. What is not trusted, or cannot be read, does not count,
    and is noticed.
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
    return Settings(
        agents=configuration.defaults.agents if merged.agents is None else merged.agents,
        checks=configuration.defaults.checks if merged.checks is None else merged.checks,
        setup=Setup(merged.setup or (), merged.setup_inputs or ()),
        protected=merged.protected or (),
        check_seconds=merged.check_timeout_seconds or configuration.runs.check_timeout_seconds,
        notices=notices,
    )


def load_repository_config(root: Path, buffers: Mapping[str, bytes]) -> RepositoryConfig:
    """What a repository's `mux.toml` says as its person sees it, unsaved `buffers` first. For use in a thread."""
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
