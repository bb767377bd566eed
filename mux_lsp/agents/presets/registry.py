"""List the presets, and find those installed here."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from mux_lsp.agents.presets.aider import AIDER
from mux_lsp.agents.presets.claude import CLAUDE
from mux_lsp.agents.presets.codex import CODEX
from mux_lsp.agents.presets.copilot import COPILOT
from mux_lsp.agents.presets.cursor import CURSOR
from mux_lsp.agents.presets.gemini import GEMINI
from mux_lsp.agents.presets.opencode import OPENCODE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mux_lsp.agents.presets.preset import Preset

PRESETS: Final[Mapping[str, Preset]] = {
    preset.name: preset for preset in (CLAUDE, CODEX, GEMINI, OPENCODE, COPILOT, CURSOR, AIDER)
}
"""The presets by name. The first one installed is the default if none is configured."""


def program_of(preset: Preset, environment: Mapping[str, str]) -> str | None:
    """Return the path of the preset's program on PATH, or None if it is not installed."""
    return shutil.which(preset.program, path=environment.get("PATH", ""))


def installed(environment: Mapping[str, str]) -> tuple[Preset, ...]:
    """Return the presets whose program is on PATH."""
    return tuple(preset for preset in PRESETS.values() if program_of(preset, environment) is not None)
