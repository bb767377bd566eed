"""Test the plugin's types, format, help, README and installation."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mux_lsp.lsp import protocol
from tests.support import lua, neovim_help, neovim_versions, picture, protocol_lua
from tests.support.generate import HOW
from tests.support.neovim import neovim
from tests.support.package import unpack_wheel

if TYPE_CHECKING:
    from tests.e2e.neovim.conftest import Open
    from tests.support.home import IsolatedHome
    from tests.support.neovim_versions import Installed


def runtime() -> Path:
    """Return the runtime files of Neovim 0.11, with the types of its API."""
    command = neovim_versions.installed("0.11").command
    return Path(command[-1]).parents[1] / "share" / "nvim" / "runtime"


def test_the_type_check_passes() -> None:
    assert lua.diagnostics(runtime()) == []


def test_the_type_check_finds_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tmp_path / "wrong.lua"
    wrong.write_text("---@param count integer\nlocal function f(count)\n  return count + typo\nend\nf('no')\n")
    (tmp_path / ".emmyrc.json").write_text((lua.PLUGIN / ".emmyrc.json").read_text())
    monkeypatch.setattr(lua, "PLUGIN", tmp_path)
    assert [one.split(": ")[:2] for one in lua.diagnostics(runtime())] == [
        ["wrong.lua:3", "undefined-global"],
        ["wrong.lua:5", "param-type-mismatch"],
    ]


def test_every_function_has_its_types() -> None:
    untyped = []
    for source in lua.sources():
        lines = source.read_text().splitlines()
        for number, line in enumerate(lines):
            named = re.match(r"(?:local )?function ([\w.:]+)\((.*)\)", line)
            if named is None:
                continue
            above = "\n".join(reversed(list(_comment_above(lines, number))))
            missing = [name for name in re.findall(r"\w+", named[2]) if f"@param {name}" not in above]
            if missing:
                untyped.append(f"{source.name}:{number + 1}: {named[1]}: {missing}")
    assert untyped == []


def _comment_above(lines: list[str], number: int) -> list[str]:
    above = []
    while number > 0 and lines[number - 1].startswith("---"):
        number -= 1
        above.append(lines[number])
    return above


def test_the_format_is_that_of_stylua() -> None:
    assert lua.unformatted() == [], HOW


def test_the_format_check_finds_an_unformatted_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "right.lua").write_text("return { 'one' }\n")
    (tmp_path / "wrong.lua").write_text('return {"one"}\n')
    (tmp_path / "stylua.toml").write_text((lua.PLUGIN / "stylua.toml").read_text())
    monkeypatch.setattr(lua, "PLUGIN", tmp_path)
    assert lua.unformatted() == [tmp_path / "wrong.lua"]


def test_the_types_of_the_protocol_are_those_of_the_daemon() -> None:
    assert protocol_lua.FILE.read_text() == protocol_lua.made(), HOW
    server = Path(lua.PLUGIN / "lua/mux/server.lua").read_text()
    assert f"M.PROTOCOL = {protocol.PROTOCOL_VERSION}\n" in server
    requested = {
        name for source in lua.sources() for name in re.findall(r"'(mux\.[a-z]+\.[a-z]+)'", source.read_text())
    }
    commands = {
        name for name in requested if name.split(".")[1] in {"task", "run", "hunk", "file", "variant", "document"}
    }
    assert commands <= set(protocol.COMMANDS)
    handled = set(re.findall(r"M\['(mux/\w+)'\]", (lua.PLUGIN / "lua/mux/handlers.lua").read_text()))
    assert handled == set(protocol.NOTIFICATIONS)


def test_the_help_is_up_to_date_and_has_the_defaults() -> None:
    nvim = neovim_versions.installed("0.11")
    code = neovim_help.description(nvim)
    text = neovim_help.FILE.read_text()
    assert text == neovim_help.generate(code), HOW
    assert max(map(len, text.splitlines())) <= 78 + 2
    for setting in code["settings"]:
        assert f"*mux-setting-{setting}*" in text
    block = re.search(r"(?s)    vim\.g\.mux = (\{.*?\n    \})\n<", text)
    assert block is not None
    command = [
        *nvim.command,
        "--clean",
        "--headless",
        "-c",
        f"lua io.stdout:write(vim.json.encode({block[1]}))",
        "-c",
        "q",
    ]
    shown = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    assert json.loads(shown) == code["defaults"]


def test_all_tags_of_the_help_resolve(tmp_path: Path) -> None:
    text = neovim_help.FILE.read_text()
    links = set(re.findall(r"\|([^|\s]+)\|", text))
    links |= {f"mux-{name}" for source in lua.sources() for name in re.findall(r":help mux-(\w+)", source.read_text())}
    environment = {**os.environ, "HOME": str(tmp_path)}
    with neovim(tmp_path, environment, "--cmd", f"set rtp^={lua.PLUGIN}") as editor:
        for link in sorted(links):
            editor.command(f"help {link}")
            assert editor.lua("return vim.bo.buftype") == "help"
        editor.command(f"helptags {lua.PLUGIN}/doc")
    tags = (lua.PLUGIN / "doc" / "tags").read_text()
    assert set(re.findall(r"(?<![\w|])\*([^*\s]+)\*(?=\s|$)", text)) == {
        line.split("\t")[0] for line in tags.splitlines()
    }


@pytest.fixture(scope="module")
def installed_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the unpacked wheel, and the program `mux-lsp` that runs it."""
    place = tmp_path_factory.mktemp("package")
    unpack_wheel(place)
    return place


def test_the_python_package_contains_the_plugin(installed_package: Path) -> None:
    inside = installed_package / "site/mux_lsp/clients/neovim"
    assert _files(inside) == _files(lua.PLUGIN)
    assert {"doc/mux.txt", "doc/tags", "lsp/mux.lua", "plugin/mux.lua", "lua/mux/init.lua"} <= _files(inside)
    command = [str(installed_package / "bin/mux-lsp"), "neovim-path"]
    assert subprocess.check_output(command, text=True, cwd="/").strip() == str(inside)


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.both_neovims
def test_the_install_commands_of_the_readme_work(
    installed_package: Path, home: IsolatedHome, nvim: Installed, root: Path, tmp_path: Path
) -> None:
    (lines,) = re.findall(r"(?s)```sh\n(.*?)```", (lua.PLUGIN / "README.md").read_text())
    pipx, *link = lines.splitlines()
    assert pipx == "pipx install ."
    environment = home.environment(HOME=str(tmp_path))
    environment = {name: value for name, value in environment.items() if not name.startswith(("XDG_", "NVIM"))}
    environment["PATH"] = f"{installed_package}/bin:{environment['PATH']}"
    subprocess.run(["sh", "-ec", "\n".join(link)], env=environment, check=True)
    with neovim(root, environment, "notes.txt", program=nvim, begins=()) as editor:
        editor.wait("(vim.lsp.get_clients({ name = 'mux', bufnr = 0 })[1] or {}).initialized")
        editor.command("help mux")
        assert editor.lua("return vim.fn.resolve(vim.api.nvim_buf_get_name(0))") == str(
            installed_package / "site/mux_lsp/clients/neovim/doc/mux.txt"
        )
        assert "run" in editor.lua("return vim.fn.getcompletion('Mux r', 'cmdline')")
        editor.command("checkhealth mux")
        assert not [line for line in editor.buffer() if "ERROR" in line]
    # The path for lazy.nvim is the link.
    (given,) = re.findall(r"\{ dir = (.*) \}", (lua.PLUGIN / "README.md").read_text())
    with neovim(root, environment, program=nvim, begins=()) as editor:
        assert Path(editor.lua(f"return {given}")).resolve() == installed_package / "site/mux_lsp/clients/neovim"


def test_the_program_prints_the_folder(home: IsolatedHome) -> None:
    printed = subprocess.run(home.command("neovim-path"), stdout=subprocess.PIPE, text=True, check=True).stdout
    assert Path(printed.strip()) == lua.PLUGIN


def test_each_subcommand_has_a_mapping_and_each_setting_a_type() -> None:
    code = neovim_help.description(neovim_versions.installed("0.11"))
    names = {one["name"] for one in code["maps"]}
    assert {"next-variant" if name == "variant" else name for name in code["commands"]} <= names
    text = (lua.PLUGIN / "lua/mux/config.lua").read_text()
    (settings,) = re.findall(r"(?s)---@class mux\.Settings\n(.*?)\n\n", text)
    typed = set(re.findall(r"(\w+)\?:? ", settings))
    assert typed == {name for setting in code["settings"] for name in setting.split(".")}


@pytest.mark.both_neovims
def test_checkhealth_reports_problems(start: Open) -> None:
    person = start()
    person.attached()
    person.command("checkhealth mux")
    person.wait("vim.fn.search('the daemon answers: mux-lsp', 'nw') > 0")
    text = "\n".join(person.lines())
    for words in ("Neovim ", "the settings are valid", "mux-lsp, version", "attached buffers: 1"):
        assert words in text
    assert "ERROR" not in text
    person.command("bdelete")
    person.lua("vim.g.mux = { attach = 1 }; require('mux').setup({ program = 'nowhere' })")
    person.command("checkhealth mux")
    text = "\n".join(person.lines())
    assert "attach is 1, but must be true or false" in text
    assert "nowhere was not found" in text


def test_the_readme_has_the_existing_commands_and_keys_and_a_picture_of_a_screen(start: Open) -> None:
    text = (lua.PLUGIN / "README.md").read_text()
    assert re.findall(r"!\[.*?\]\((.*?)\)", text) == ["media/inline-diff.svg"]
    picture_of_all = (lua.PLUGIN / "media" / "inline-diff.svg").read_text().replace(picture.NO_BREAK, " ")
    for words in ("· claude · 2/3 agree · variant 1 of 2", "A price and its tax", "finished", "Sum prices exactly"):
        assert words in picture_of_all
    code = neovim_help.description(neovim_versions.installed("0.11"))
    assert set(re.findall(r"(?m)`:(?:'<,'>|%)?Mux (\w+)", text)) <= set(code["commands"])
    keys = {one["key"].replace("<prefix>", "<leader>m") for one in code["maps"] if one.get("key")}
    assert set(re.findall(r"(?m)^\| `([^` ]+)`", text)) == keys
    person = start()
    person.start("sed -i 's/^line 3$/<three> \\& more/' notes.txt")
    person.sees("<three> & more")
    drawn = picture.svg(person.editor, range(5), 40)
    assert "&lt;three&gt;\N{NO-BREAK SPACE}&amp;\N{NO-BREAK SPACE}more</text>" in drawn
    assert f'fill="#{person.editor.attributes("<three> & more")["background"]:06x}"' in drawn
