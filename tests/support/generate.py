"""Write all files that are made from the code: `make generate`. Tests fail where one is out of date."""

from __future__ import annotations

from tests.support import lua, protocol_tables, protocol_typescript

HOW = "run `make generate`"
"""For the tests that find one out of date."""


def generate() -> None:
    """Write the tables of PROTOCOL.md, the types of both editors' clients, and the plugin's help with its tags."""
    document = protocol_tables.DOCUMENT
    document.write_text(protocol_tables.updated(document.read_text(encoding="utf-8")), encoding="utf-8")
    protocol_typescript.MODULE.write_text(protocol_typescript.made(), encoding="utf-8")
    lua.update()


if __name__ == "__main__":
    generate()
