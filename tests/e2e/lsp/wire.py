"""Check received messages against the protocol's declared types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import attrs
from lsprotocol import types
from pygls.protocol import JsonRPCNotification
from pytest_lsp.protocol import LanguageClientProtocol

from mux_lsp.lsp import protocol

if TYPE_CHECKING:
    from tests.e2e.lsp.client import Editor

S = TypeVar("S", bound=protocol.Shape)


@attrs.define
class Plain:
    """A response with its result as received."""

    id: str | int
    jsonrpc: str
    result: Any


class EditorProtocol(LanguageClientProtocol):
    """A protocol with mux-lsp's notifications, which checks messages against their declared types."""

    _server: Editor

    def get_message_type(self, method: str) -> type[Any] | None:  # type: ignore[override]  # theirs is a cache object
        return types.METHOD_TO_TYPES.get(method, (None,))[0]

    def get_result_type(self, method: str) -> type[Any] | None:  # type: ignore[override]  # theirs is a cache object
        # lsprotocol takes a code action with a command for a bare command; the tests parse these themselves.
        return (
            Plain if method == types.TEXT_DOCUMENT_CODE_ACTION else types.METHOD_TO_TYPES.get(method, (None, None))[1]
        )

    def structure_message(self, data: dict[str, Any]) -> Any:
        declared = protocol.NOTIFICATIONS.get(data.get("method", ""))
        if declared is not None:
            return JsonRPCNotification(data["method"], data["jsonrpc"], exactly(declared, data["params"]))
        return super().structure_message(data)

    def _handle_notification(self, method_name: str, params: Any) -> None:
        super()._handle_notification(method_name, params)  # type: ignore[no-untyped-call]  # pytest-lsp has no types
        self._server.arrived()


def exactly(declared: type[S], value: dict[str, Any]) -> S:
    """Parse a value as its declared type: nothing missing, nothing more."""
    found = declared.model_validate(value)
    assert found.model_dump(mode="json") == value
    return found
