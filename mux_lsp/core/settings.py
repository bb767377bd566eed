"""Compare the check configuration in project files that also hold other settings."""

from __future__ import annotations

import configparser
import json
import tomllib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MIXED: Final = ("pyproject.toml", "setup.cfg", "package.json", "Cargo.toml")
"""File names, matched with the last part of a path."""


def same_judging_part(name: str, old: bytes, new: bytes) -> bool:
    """Return whether two versions of a mixed file configure checks alike. A version that cannot be parsed never does.

    `name` is the last part of its path, in any case. `b""` means a missing file.
    """
    if old == new:
        return True
    read = _READERS[name.casefold()]
    try:
        return read(old) == read(new)
    except (ValueError, configparser.Error, RecursionError):
        return False


_PACKAGING: Final = frozenset(
    {"poetry", "uv", "setuptools", "setuptools_scm", "setuptools-scm", "flit", "maturin", "cibuildwheel", "commitizen",
     "bumpversion", "semantic_release", "towncrier", "scikit-build", "versioneer"}
)  # fmt: skip
"""Tables under `[tool]` of a pyproject.toml that no check reads."""

_NODE_KEYS: Final = frozenset(
    {"scripts", "jest", "vitest", "mocha", "ava", "tap", "c8", "nyc", "eslintConfig", "eslintIgnore", "prettier", "xo",
     "babel", "wireit", "standard", "lint-staged", "stylelint", "ts-jest", "playwright", "cypress"}
)  # fmt: skip
"""Keys of a package.json that run or configure checks."""


def _pyproject(data: bytes) -> object:
    tools: Any = tomllib.loads(data.decode()).get("tool", {})
    if not isinstance(tools, dict):
        return tools
    return {name: table for name, table in tools.items() if name not in _PACKAGING}


def _setup_cfg(data: bytes) -> object:
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(data.decode())
    packaging = (
        "metadata",
        "options",
        "options.",
        "bdist",
        "sdist",
        "egg_info",
        "build",
        "install",
        "upload",
        "bumpver",
    )
    sections: Mapping[str, Mapping[str, str]] = parser
    return {
        name: dict(section) for name, section in sections.items() if section and not name.lower().startswith(packaging)
    }


def _package_json(data: bytes) -> object:
    document = json.loads(data) if data else {}
    return {key: document[key] for key in _NODE_KEYS if key in document} if isinstance(document, dict) else document


def _cargo(data: bytes) -> object:
    document = tomllib.loads(data.decode())
    if isinstance(document.get("package"), dict):
        document["package"] = {key: value for key, value in document["package"].items() if key.startswith("auto")}
    return _without_dependencies(document)


def _without_dependencies(table: dict[str, Any]) -> dict[str, Any]:
    kept = {
        key: _without_dependencies(value) if isinstance(value, dict) else value
        for key, value in table.items()
        if not key.endswith("dependencies") and key not in {"features", "patch", "replace"}
    }
    return {key: value for key, value in kept.items() if value != {}}


_READERS: Final[dict[str, Callable[[bytes], object]]] = {
    "pyproject.toml": _pyproject,
    "setup.cfg": _setup_cfg,
    "package.json": _package_json,
    "cargo.toml": _cargo,
}
