"""Which repositories' own settings a person trusts, and the settings of a repository that come of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mux_lsp.engine.repository.settings import FILE, RepositoryConfig, load_repository_config, settings_of
from mux_lsp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from mux_lsp.config import Configuration
    from mux_lsp.engine.repository.settings import Settings
    from mux_lsp.store.journal import Journal


@dataclass(frozen=True, slots=True)
class TrustReport:
    """A repository's own settings, for a person who is to decide on them."""

    root: Path
    offer: RepositoryConfig
    trusted: bool
    hooks: bool
    """Whether the person's own settings let the agents' hooks and servers that it brings run."""


class Trust:
    """What the person trusts is in the journal, by what it says: when that is changed back, it is trusted again."""

    def __init__(self, journal: Journal, configured: Callable[[], Awaitable[Configuration]]) -> None:
        self._journal = journal
        self._configured = configured

    async def settings(self, root: Path, buffers: Mapping[str, bytes]) -> Settings:
        """The settings of a repository as its person sees its `mux.toml`, in unsaved `buffers` or on disk.

        Raises UsageError where `config.toml` is wrong. What is wrong with `mux.toml` is noticed.
        """
        configuration = await self._configured()
        offer = await asyncio.to_thread(load_repository_config, root, buffers)
        return settings_of(root, configuration, offer, self._journal.grants.trusted(str(root)))

    async def look(self, root: Path, buffers: Mapping[str, bytes]) -> TrustReport:
        """What there is to trust. Raises UsageError where `config.toml` is wrong."""
        configuration = await self._configured()
        offer = await asyncio.to_thread(load_repository_config, root, buffers)
        return TrustReport(
            root, offer, offer.digest in self._journal.grants.trusted(str(root)), configuration.trusts(root)
        )

    async def trust(self, root: Path, buffers: Mapping[str, bytes], digest: str) -> TrustReport:
        """Trust what a person was shown of a repository's `mux.toml`. Raises UsageError where that has changed."""
        offer = await asyncio.to_thread(load_repository_config, root, buffers)
        if offer.digest != digest:
            raise UsageError(f"The {FILE} of {root} is not what was shown any more: look at it again.")
        self._journal.grants.trust(str(root), digest)
        return await self.look(root, buffers)

    def forget(self, root: Path) -> bool:
        """Trust nothing in a repository any more. Whether anything was trusted there."""
        return self._journal.grants.distrust(str(root))

    def trusted(self) -> tuple[tuple[Path, float], ...]:
        """The repositories of which something is trusted, and since when, by path."""
        return tuple((Path(root), at) for root, at in self._journal.grants.trusting())
