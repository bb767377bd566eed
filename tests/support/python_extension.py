"""Provide a stand-in for the Python extension of VS Code: the part of its API that ours uses, and one command.

The real extension is in no registry that tests can reach. The stand-in selects the interpreter that the file
`selected-python` in the home folder names, until a person chooses another one.
"""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST: Final = {
    "name": "python",
    "publisher": "ms-python",
    "version": "2026.1.0",
    "engines": {"vscode": "^1.100.0"},
    "main": "main.js",
    "contributes": {"commands": [{"command": "python.setInterpreter", "title": "Python: Select Interpreter"}]},
}

MAIN: Final = """
const fs = require("fs"), os = require("os"), path = require("path"), vscode = require("vscode");

exports.activate = (context) => {
  const file = path.join(os.homedir(), "selected-python");
  let selected = fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "python";
  const changes = new vscode.EventEmitter();
  context.subscriptions.push(changes, vscode.commands.registerCommand("python.setInterpreter", async () => {
    selected = await vscode.window.showInputBox({ title: "Select Interpreter" });
    changes.fire({ id: selected, path: selected });
  }));
  const getActiveEnvironmentPath = () => ({ id: selected, path: selected });
  return { environments: { getActiveEnvironmentPath, onDidChangeActiveEnvironmentPath: changes.event } };
};
"""

VSIX: Final = """<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
<Metadata><Identity Language="en-US" Id="python" Version="2026.1.0" Publisher="ms-python"/>
<DisplayName>Python</DisplayName></Metadata>
<Installation><InstallationTarget Id="Microsoft.VisualStudio.Code"/></Installation>
<Assets><Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true"/></Assets>
</PackageManifest>
"""


def package(folder: Path) -> Path:
    """Package the stand-in so that it can be installed."""
    made = folder / "python.vsix"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("extension.vsixmanifest", VSIX)
        archive.writestr("extension/package.json", json.dumps(MANIFEST))
        archive.writestr("extension/main.js", MAIN)
    return made
