"""Adapt pygls to this project: one server object per connection, over a stream that it does not own."""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import logging
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Literal, Protocol

from lsprotocol import types
from pydantic import BaseModel
from pygls.exceptions import (
    FeatureNotificationError,
    FeatureRequestError,
    JsonRpcException,
    JsonRpcInternalError,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
)
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, default_converter
from pygls.protocol.language_server import lsp_method

from mux_lsp import __version__, paths, storage
from mux_lsp.core.sanitize import printable
from mux_lsp.errors import ConflictError, MuxError, UsageError
from mux_lsp.lsp.protocol import REQUEST_FAILED, ErrorData
from mux_lsp.lsp.wire import heavy
from mux_lsp.lsp.wire.capabilities import registers_content
from mux_lsp.lsp.wire.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from cattrs import Converter
    from pygls.server import ServerErrors

    from mux_lsp.lsp.protocol import Shape

log = logging.getLogger(__name__)

# pygls logs each message that it sends, and a traceback for every refused request. We log what is worth logging.
logging.getLogger("pygls").setLevel(logging.CRITICAL)


IN_ORDER = frozenset(
    {types.TEXT_DOCUMENT_DID_OPEN, types.TEXT_DOCUMENT_DID_CHANGE, types.TEXT_DOCUMENT_DID_SAVE},
)
"""Methods whose handlers must end before the client's next message, which may be about the text that they make."""


MAX_NAME = 100
"""Maximum number of characters of a client-given name that a message repeats."""


class Incoming(Protocol):
    """A source of a client's messages."""

    async def message(self) -> tuple[dict[str, Any], int] | None:
        """Return the next message and its size in bytes, or None at the end."""


async def receive_all(incoming: Incoming, server: MuxServer) -> None:
    """Handle a client's messages one after the other until the end."""
    while (received := await incoming.message()) is not None:
        held, size = [received[0]], received[1]
        del received  # `take` frees large messages, so it must have the last reference
        try:
            await server.protocol.take(held.pop(), size)
        except Exception as error:
            server.report_server_error(error, JsonRpcException)
        # A client that sends a thousand messages at once must let the others have their turn.
        await asyncio.sleep(0)


class MuxProtocol(LanguageServerProtocol):
    """The protocol of one connection. Document sync is left to `documents`; unreadable messages are answered.

    Parameters and answers, whose size has no small limit, are read and encoded in threads, in the order of messages. No
    cache keeps a protocol alive.
    """

    _gone = False

    def __init__(self, server: LanguageServer, converter: Converter) -> None:
        super().__init__(server, converter)
        self._outbox = Outbox(self._write)

    def get_message_type(self, method: str) -> type[Any] | None:  # type: ignore[override]  # theirs is a cache object
        """Return the type of a message. The original caches it on `self`, which would keep every protocol alive."""
        return types.METHOD_TO_TYPES.get(method, (None,))[0]

    def get_result_type(self, method: str) -> type[Any] | None:  # type: ignore[override]  # theirs is a cache object
        """Return the type of a method's result."""
        return types.METHOD_TO_TYPES.get(method, (None, None))[1]

    async def take(self, message: dict[str, Any], size: int) -> None:
        """Read a message and carry it out. If that fails, answer at once: its sender would wait for ever."""
        if "method" not in message and message.get("error") is None:
            message.pop("error", None)  # some clients send `"error": null` with a result
        method, id_ = message.get("method"), message.get("id")
        if self._shutdown and method is not None and id_ is not None:
            self._refuse(id_, JsonRpcInvalidRequest(f"{method} came after shutdown, where only exit may."))
            return
        structure = self.structure_message
        try:
            read = structure(message) if size < heavy.LARGE else await heavy.in_thread(structure, message)
        except JsonRpcException:
            if method is not None and id_ is not None:
                self._refuse(id_, JsonRpcInvalidParams(f"The parameters of {method} are not as LSP has them."))
            elif id_ is not None and (asked := self._request_futures.pop(id_, None)) is not None:
                asked.set_exception(JsonRpcException("its answer is not as LSP has it", REQUEST_FAILED))
            raise
        if method in IN_ORDER:
            await self._follow(method, read.params)
        else:
            self.handle_message(read)
        if size >= heavy.LARGE:
            held = [message, read]
            del message, read
            heavy.drop(held)

    async def _follow(self, method: str, params: Any) -> None:
        if self._shutdown or (handler := self.fm.features.get(method)) is None:
            return
        try:
            done = handler(params)
            if inspect.isawaitable(done):
                await done
        except Exception as error:
            self._server.report_server_error(error, FeatureNotificationError)

    def answers(self, command: str, handler: Callable[..., Awaitable[Any]]) -> None:
        """Register the handler of a command. pygls would inspect its signature, for each command of each session."""
        self.fm.commands[command] = handler

    def _refuse(self, id_: int | str, error: JsonRpcException) -> None:
        self._send_response(id_, error=error.to_response_error())

    def send_notification(self, method: str, params: Shape) -> None:
        """Send one of our own notifications. There are many per second, so it is written without pygls' indirections.

        It is not sent at once: an answer is sent one turn of the loop after it was made, and what happened after it
        must come after it. Otherwise a client would take the older of the two as current.
        """
        if self._gone or self.writer is None:
            return
        asyncio.get_running_loop().call_soon(self._post, params, functools.partial(_notification, method, params))

    def _send_data(self, data: Any) -> None:
        if data and self.writer is not None:
            self._post(data, functools.partial(self._encoded, data))

    def _post(self, data: Any, encode: Callable[[], bytes]) -> None:
        if heavy.is_large(data):
            self._outbox.post_large(encode)
        else:
            self._outbox.post(encode())

    def _encoded(self, data: Any) -> bytes:
        return _framed(json.dumps(data, default=self._serialize_message).encode())

    def _serialize_message(self, data: Any) -> Any:
        return data.model_dump() if isinstance(data, BaseModel) else super()._serialize_message(data)

    def _write(self, data: bytes) -> None:
        if not self._gone and self.writer is not None:
            self.writer.write(data)

    def send_request(self, method: str, *arguments: Any, **named: Any) -> Future[Any]:
        """Send a request to the client. The request is cancelled if the client can no longer answer."""
        if self._gone or self._shutdown:
            nobody: Future[Any] = Future()
            nobody.cancel()
            return nobody
        return super().send_request(method, *arguments, **named)

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        """Answer `initialize` like pygls, and add the options for `workspace/textDocumentContent` that it omits."""
        result = yield from super().lsp_initialize(params)
        if result.capabilities.workspace is not None and not registers_content(params.capabilities):
            options = self.fm.feature_options.get(types.WORKSPACE_TEXT_DOCUMENT_CONTENT)
            result.capabilities.workspace.text_document_content = options
        return result

    @lsp_method(types.EXIT)
    def lsp_exit(self, *_: object) -> Generator[Any, Any, None]:
        """Close this connection; the original would end the process."""
        yield from ()
        if self.writer is not None:
            self.writer.close()

    # The next handler is not a generator, unlike in pygls, which keeps some memory per generator call for ever. Open,
    # change and save go to `_follow`.

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        """Pass the notification to the session."""
        self.fm.features[types.TEXT_DOCUMENT_DID_CLOSE](params)

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    async def lsp_workspace__execute_command(  # type: ignore[override]  # a generator there
        self, params: types.ExecuteCommandParams
    ) -> Any:
        """Pass the arguments on as they came; the command's handler reports errors in them.

        This is a coroutine and not a generator: `$/cancelRequest` would end the generator but not its handler.
        """
        handler = self.fm.commands.get(params.command)
        if handler is None:
            raise refusal(UsageError(f"There is no command {shortened(params.command)!r} in mux-lsp {__version__}."))
        return await handler(*(params.arguments or ()))

    def cancel_all(self) -> None:
        """Cancel for good all requests of and to a client that has gone; a disconnect alone does not."""
        self._gone = True
        for future in list(self._request_futures.values()):
            future.cancel()
        self._request_futures.clear()
        self._result_types.clear()


@functools.cache
def _converter() -> Converter:
    """Return the one converter of all sessions: it compiles a function for each type that it meets, which is slow."""
    made: Converter = default_converter()  # type: ignore[no-untyped-call]  # pygls gives it no types
    return made


class MuxServer(LanguageServer):
    """The language server of one client."""

    protocol: MuxProtocol

    def __init__(self) -> None:
        super().__init__("mux-lsp", __version__, protocol_cls=MuxProtocol, converter_factory=_converter)

    def report_server_error(self, error: Exception, source: ServerErrors) -> None:
        """Log an error that pygls could not handle. The sender has been answered if an answer was due."""
        if source is FeatureRequestError:
            return  # its sender has been answered
        log.warning("a message could not be handled (%s): %s", source.__name__, error)


def _notification(method: str, params: Shape) -> bytes:
    try:
        told = params.model_dump_json().encode()
    except ValueError:
        # A prompt may contain half of a surrogate pair, which only JSON's escapes can represent.
        told = json.dumps(params.model_dump()).encode()
    return _framed(b'{"jsonrpc":"2.0","method":"%b","params":%b}' % (method.encode(), told))


def _framed(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def guarded(handler: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return the handler with expected errors turned into one clear sentence, and bugs logged once with a traceback."""

    async def guard(*arguments: Any) -> Any:
        try:
            return await handler(*arguments)
        except MuxError as error:
            raise refusal(error) from None
        except JsonRpcException:
            raise
        except Exception as error:
            refused = storage.explained(error, paths.home().state) if isinstance(error, OSError) else None
            if refused is not None:
                log.warning("%s: %s", getattr(handler, "__qualname__", handler), error)
                raise refusal(refused) from None
            log.exception("a bug in mux-lsp, in %s", getattr(handler, "__qualname__", handler))
            raise JsonRpcInternalError(
                f"A bug in mux-lsp ({type(error).__name__}). Its log has the details: `mux-lsp doctor` says where."
            ) from error

    return guard


def shortened(name: str) -> str:
    """Return a name short enough for a message: its sender may have sent megabytes."""
    return name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}…"


def refusal(error: MuxError) -> JsonRpcException:
    """Return the error response that explains why a request was refused."""
    kind: Literal["failed", "usage", "conflict"] = "failed"
    if isinstance(error, ConflictError):
        kind = "conflict"
    elif isinstance(error, UsageError):
        kind = "usage"
    # A path that an agent chose may contain escape codes or line ends. Only messages about settings need several lines.
    words = printable(str(error))
    if kind != "usage":
        words = words.replace("\n", "\\n")
    return JsonRpcException(words, REQUEST_FAILED, ErrorData(kind=kind).model_dump())
