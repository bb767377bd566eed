"""Take the picture in the README of the Neovim plugin: `python -m tests.e2e.neovim.picture`.

It uses a real Neovim and a real daemon. The three agents are scripts with the names of known ones, so that the picture
is the same every time.
"""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path

from tests.e2e.neovim.person import PLUGIN, Person
from tests.support import neovim_versions, picture
from tests.support.home import isolated_home
from tests.support.person import make_repository

FILE = PLUGIN / "media" / "inline-diff.svg"

PRICES = '''\
from decimal import Decimal


def total(prices):
    """The sum of some prices."""
    sum = 0
    for price in prices:
        sum += price
    return sum


def with_tax(price, rate):
    return price * rate + price


def shown(price):
    return "$" + str(price)
'''

WHOLE = "sed -i -e '6,9c\\    return sum(prices, start=Decimal(0))' prices.py"
LOOP = "sed -i -e 's/^    sum = 0/    sum = Decimal(0)/' prices.py"
SHOWN = "sed -i -e 's/str(price)/format(price, \".2f\")/' prices.py"
TAX = 'sed -i -e \'/^def with_tax/a\\    """A price and its tax, at a rate of 0 to 1."""\' prices.py'

SETTINGS = f"""\
[agents.claude]
kind = "command"
command = '''{WHOLE}; {SHOWN}'''

[agents.codex]
kind = "command"
command = '''{WHOLE}; {TAX}'''

[agents.gemini]
kind = "command"
command = '''{LOOP}; {SHOWN}'''
"""


def take() -> str:
    """Take the picture and return it as SVG."""
    with tempfile.TemporaryDirectory() as folder, isolated_home() as home:
        root = make_repository(Path(folder).resolve() / "shop", {"prices.py": PRICES})
        home.write_config(SETTINGS)
        program = home.folder / "mux-lsp"
        program.write_text(f'#!/bin/sh\nexec {shlex.join(home.command())} "$@"\n')
        program.chmod(0o755)
        nvim = neovim_versions.installed("0.11")
        with Person.at(home, root, nvim, "prices.py", "{ keymaps = true }", {}) as person:
            person.attached()
            person.command("set number signcolumn=yes | Mux run -a claude -a codex -a gemini Sum prices exactly")
            person.wait("(require('mux').tasks()[1] or {}).state == 'ended'")
            ranked = "function(run) return run.rank ~= nil end"
            person.wait(f"vim.iter(require('mux').tasks()[1].runs):all({ranked})")
            person.sees("variant 1 of 2")
            person.keys("]m")
            person.command("Mux tasks")
            person.command("resize 5 | wincmd p")
            person.sees("prices.py")
            return picture.svg(person.editor, range(28), 100)


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(take(), encoding="utf-8")
