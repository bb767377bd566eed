"""Generate the help of the Neovim plugin from `neovim_help.txt` and the descriptions in the code.

`make generate` writes `doc/mux.txt` and its tags; a test fails where they are out of date.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.neovim_versions import Installed

PLUGIN: Final = Path(__file__).parents[2] / "editor-clients" / "neovim"
FILE: Final = PLUGIN / "doc" / "mux.txt"
TEMPLATE: Final = Path(__file__).with_name("neovim_help.txt")

_WIDTH: Final = 78
_DESCRIBE = """
local maps = {}
for _, map in ipairs(require('mux.keymaps').maps) do
  table.insert(maps, {
    name = map.name, modes = map.modes, key = map.key, desc = map.desc, everywhere = map.everywhere or false,
  })
end
local keys = {}
for _, key in ipairs(require('mux.window_keys').keys.tasks) do
  table.insert(keys, { key = key.key, desc = key.desc })
end
local commands = {}
for name, one in pairs(require('mux.subcommands')) do
  commands[name] = { arguments = one.arguments, desc = one.desc }
end
io.stdout:write(vim.json.encode({
  maps = maps,
  keys = keys,
  commands = commands,
  events = require('mux.events').descriptions,
  groups = require('mux.highlights').groups,
  defaults = require('mux.config').defaults,
  settings = vim.tbl_keys(require('mux.config').types),
}))
"""


def description(nvim: Installed) -> dict[str, Any]:
    """Return the commands, mappings, keys, events, groups and settings of the plugin, read from its code."""
    command = [*nvim.command, "--clean", "--headless", "--cmd", f"set rtp^={PLUGIN}"]
    done = subprocess.run(
        [*command, "-c", f"lua {' '.join(_DESCRIBE.split())}", "-c", "qa!"],
        stdout=subprocess.PIPE,
        env={**os.environ, **nvim.environment},
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def generate(code: dict[str, Any]) -> str:
    """Generate the whole help file and return it."""
    parts = {
        "COMMANDS": _commands(code["commands"]),
        "MAPPINGS": _mappings(code["maps"]),
        "KEYS": _table((key["key"], key["desc"]) for key in code["keys"]),
        "EVENTS": _events(code["events"]),
        "HIGHLIGHTS": _highlights(code["groups"]),
        "LUA": _functions((PLUGIN / "lua" / "mux" / "init.lua").read_text(encoding="utf-8")),
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, part in parts.items():
        text, count = re.subn(rf"(?m)^{name}$", lambda _, part=part: part, text)  # type: ignore[misc]
        assert count == 1, name
    return text


def _tagged(left: str, *tags: str) -> str:
    """Return a line with tags at its right edge; tags that do not fit have a line of their own."""
    right = " ".join(f"*{tag}*" for tag in tags)
    if len(left) + len(right) + 2 > _WIDTH:
        return f"{right:>{_WIDTH}}\n{left}"
    return f"{left}{right:>{_WIDTH - len(left)}}"


def _sentence(text: str, indent: int = 4) -> str:
    blank = " " * indent
    return textwrap.fill(text[:1].upper() + text[1:] + ".", _WIDTH, initial_indent=blank, subsequent_indent=blank)


def _commands(commands: dict[str, Any]) -> str:
    entries = []
    for name, one in sorted(commands.items()):
        head = f":Mux {name} {one['arguments']}".rstrip()
        entries.append(f"{_tagged(head, f':Mux-{name}')}\n{_sentence(one['desc'])}\n")
    return "\n".join(entries)


def _mappings(maps: list[dict[str, Any]]) -> str:
    by_name: dict[str, list[dict[str, Any]]] = {}
    for one in maps:
        by_name.setdefault(one["name"], []).append(one)
    modes = {"n": "Normal", "x": "Visual", "o": "operator-pending"}
    entries = []
    for name, same in by_name.items():
        lines = [_tagged(f"<Plug>(mux-{name})", f"<Plug>(mux-{name})")]
        for one in same:
            where = " and ".join(modes[mode] for mode in one["modes"])
            key = f" Key: `{one['key']}`{', anywhere' if one['everywhere'] else ''}." if one.get("key") else ""
            lines.append(_sentence(f"{one['desc']}. {where} mode.{key}".removesuffix(".")))
        entries.append("\n".join(lines) + "\n")
    return "\n".join(entries)


def _table(rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"    {left:<6} {right}" for left, right in rows) + "\n"


def _events(events: dict[str, Any]) -> str:
    entries = []
    for name, one in sorted(events.items()):
        entries.append(_tagged(name, name))
        entries.append(_sentence(f"{one['desc']}. Data: `{one['data']}`"))
    return "\n".join([*entries, ""])


def _highlights(groups: list[dict[str, str]]) -> str:
    entries = []
    for one in groups:
        entries.append(_tagged(one["name"], f"hl-{one['name']}"))
        entries.append(_sentence(f"{one['desc']}. Linked to {one['link']}"))
    return "\n".join([*entries, ""])


_FUNCTION: Final = re.compile(r"((?:^---.*\n)+)^function M\.(\w+)\((.*)\)$", re.MULTILINE)


def _functions(source: str) -> str:
    entries = []
    for comment, name, _ in _FUNCTION.findall(source):
        lines = [line.removeprefix("---").strip() for line in comment.splitlines()]
        prose = " ".join(line for line in lines if not line.startswith("@"))
        arguments = [line.split(maxsplit=2)[1:] for line in lines if line.startswith("@param")]
        result = [line.split(maxsplit=1)[1] for line in lines if line.startswith("@return")]
        head = f"{name}({', '.join('{' + one[0].rstrip('?') + '}' for one in arguments)})"
        entry = [_tagged(head, f"mux.{name}()") if name != "setup" else head, _sentence(prose.removesuffix("."))]
        for argument, kind in arguments:
            optional = " (optional)" if argument.endswith("?") else ""
            entry.append(f"    {{{argument.rstrip('?')}}}{optional} {kind}")
        entry += [f"    Returns {one}" for one in result]
        entries.append("\n".join(entry) + "\n")
    return "\n".join(entries)
