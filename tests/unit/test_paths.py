from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import platformdirs
import pytest
from platformdirs.macos import MacOS

from mux_lsp import paths
from mux_lsp.errors import MuxError

SUN_PATH = 108


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("MUX_LSP_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"HOME": "/somewhere/else"},
        {"XDG_CONFIG_HOME": "/c"},
        {"XDG_STATE_HOME": "/s/"},
        {"XDG_CONFIG_HOME": "", "XDG_STATE_HOME": ""},
        {"XDG_CONFIG_HOME": "relative", "XDG_STATE_HOME": "~/not-expanded"},
        {"HOME": ""},
        {"HOME": "relative"},
    ],
)
def test_folders_are_those_of_platformdirs(bare: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        bare.setenv(name, value)
    for platform, expected in (("linux", platformdirs.PlatformDirs("mux-lsp")), ("darwin", MacOS("mux-lsp"))):
        found = paths.home(platform)
        assert (found.config, found.state) == (expected.user_config_dir, expected.user_state_dir)


def test_mux_lsp_home_has_everything_below_it(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("MUX_LSP_HOME", "/portable/mux")
    found = paths.home()
    assert (found.config, found.state) == ("/portable/mux/config", "/portable/mux/state")
    assert found.config_file == "/portable/mux/config/config.toml"
    assert found.log == "/portable/mux/state/log/daemon.log"


def test_a_relative_mux_lsp_home_is_taken_from_the_working_folder(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("MUX_LSP_HOME", "mux")
    assert paths.home().state == str(Path.cwd() / "mux" / "state")


def test_private_folder_is_made_and_made_private(tmp_path: Path) -> None:
    made, loose = tmp_path / "a" / "b", tmp_path / "loose"
    loose.mkdir(mode=0o755)
    for folder in (made, loose):
        paths.make_private_folder(str(folder))
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MuxError, match=r"file/state.*MUX_LSP_HOME"):
        paths.make_private_folder(str(tmp_path / "file" / "state"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of somebody else")
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, -1)
    with pytest.raises(MuxError, match=r"belongs to another user \(uid 12345\)"):
        paths.make_private_folder(str(tmp_path))


@pytest.mark.parametrize("length", [20, SUN_PATH - 14, SUN_PATH - 13, SUN_PATH - 12, 300])
def test_the_socket_is_in_the_state_folder_if_its_path_fits(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="mux-") as temporary:
        monkeypatch.setenv("TMPDIR", temporary)
        monkeypatch.setattr(paths, "_SUN_PATH", SUN_PATH)
        state = "/" + "x" * (length - 1)
        path = paths.socket_path(state)
        assert len(path) < SUN_PATH
        if length + len("/daemon.sock") < SUN_PATH:
            assert path == f"{state}/daemon.sock"
        else:
            assert path.startswith(f"{temporary}/mux-lsp-{os.geteuid()}-")
            assert stat.S_IMODE(Path(path).parent.stat().st_mode) == 0o700
        assert paths.socket_path(state) == path


def test_two_long_homes_have_two_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="mux-") as temporary:
        monkeypatch.setenv("TMPDIR", temporary)
        assert paths.socket_path("/" + "x" * 200) != paths.socket_path("/" + "y" * 200)


@pytest.mark.parametrize("trap", ["loose", "link", "file"])
def test_a_temporary_folder_that_somebody_laid_out_is_refused(trap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="mux-") as temporary:
        monkeypatch.setenv("TMPDIR", temporary)
        state = "/" + "x" * 200
        folder = Path(paths.socket_path(state)).parent
        if trap == "loose":
            folder.chmod(0o755)
        else:
            folder.rmdir()
            if trap == "link":
                folder.symlink_to(temporary)
            else:
                folder.touch()
        with pytest.raises(MuxError, match="not a private folder of yours"):
            paths.socket_path(state)
