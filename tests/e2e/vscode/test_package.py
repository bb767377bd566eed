"""Test the extension package: small, with the needed files and no others."""

from __future__ import annotations

import json
import re
import zipfile

import pytest

from mux_lsp import __version__
from tests.support import extension

pytestmark = pytest.mark.timeout(900)

MAX_BYTES = 500_000
"""Maximum size of the package in bytes."""

WANTED = {
    r"\[Content_Types\]\.xml",
    r"extension\.vsixmanifest",
    r"extension/package(\.nls)?\.json",
    r"extension/(readme\.md|LICENSE\.txt|changelog\.md)",
    r"extension/out/extension\.js",
    r"extension/media/[\w-]+\.(svg|png|css|js)",
    r"extension/media/walkthrough/\w+\.md",
    r"extension/media/screenshots/\w+\.png",
}


def test_the_package_is_small_and_has_what_it_needs_and_no_more() -> None:
    package = extension.package()
    assert package.stat().st_size < MAX_BYTES
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
        manifest = json.loads(archive.read("extension/package.json"))
        code = archive.read("extension/out/extension.js").decode()
    assert [name for name in names if not any(re.fullmatch(one, name) for one in WANTED)] == []
    assert {pattern for pattern in WANTED if not any(re.fullmatch(pattern, name) for name in names)} == set()
    assert manifest["version"] == __version__
    # It runs on the machine with the files, in every editor built on VS Code: no proposed API.
    assert manifest["extensionKind"] == ["workspace"]
    assert "enabledApiProposals" not in manifest
    assert manifest["capabilities"]["untrustedWorkspaces"]["supported"] is False
    assert not re.search(r"sourceMappingURL|applicationinsights|vscode-extension-telemetry", code)
