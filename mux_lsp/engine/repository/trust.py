"""Record which repositories' own settings the person trusts, and return the settings that result."""

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
    from mux_lsp.engine.repository.settings import RepositorySettings
    from mux_lsp.store.journal import Journal


@dataclass(frozen=True, slots=True)
class TrustReport:
    """A repository's own settings, for the person to decide whether to trust them."""

    root: Path
    offer: RepositoryConfig
    trusted: bool
    hooks: bool
    """True if the person's settings allow agents' hooks and servers that the repository brings."""


class Trust:
    """Trusted settings, kept in the journal by a digest of their values: values that are changed back are trusted
    again.
    """

    def __init__(self, journal: Journal, configured: Callable[[], Awaitable[Configuration]]) -> None:
        self._journal = journal
        self._configured = configured

    async def settings(self, root: Path, buffers: Mapping[str, bytes]) -> RepositorySettings:
        """Return the settings of a repository, with its `mux.toml` as the person sees it: unsaved `buffers` or disk.

        Raises UsageError if `config.toml` is invalid. An invalid `mux.toml` causes a notice.
        """
        configuration = await self._configured()
        offer = await asyncio.to_thread(load_repository_config, root, buffers)
        return settings_of(root, configuration, offer, self._journal.grants.trusted(str(root)))

    async def report(self, root: Path, buffers: Mapping[str, bytes]) -> TrustReport:
        """Return what a repository offers to trust. Raises UsageError if `config.toml` is invalid."""
        configuration = await self._configured()
        offer = await asyncio.to_thread(load_repository_config, root, buffers)
        return TrustReport(
            root, offer, offer.digest in self._journal.grants.trusted(str(root)), configuration.trusts(root)
        )

    async def trust(self, root: Path, buffers: Mapping[str, bytes], digest: str) -> TrustReport:
        """Trust the `mux.toml` that a person was shown. Raises UsageError if its values have changed since."""
        offer = await asyncio.to_thread(load_repository_config, root, buffers)
        if offer.digest != digest:
            raise UsageError(f"The {FILE} of {root} is not what was shown any more: look at it again.")
        self._journal.grants.trust(str(root), digest)
        return await self.report(root, buffers)

    def forget(self, root: Path) -> bool:
        """Revoke trust in a repository. Returns whether there was any."""
        return self._journal.grants.distrust(str(root))

    def trusted(self) -> tuple[tuple[Path, float], ...]:
        """Return the repositories with trusted settings, sorted by path, and the times they were trusted."""
        return tuple((Path(root), at) for root, at in self._journal.grants.trusting())
