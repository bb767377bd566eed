"""Answer requests for code lenses, code actions and hovers in one client's documents."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from mux_lsp.errors import UsageError
from mux_lsp.lsp.review import ask_actions, code_action, code_lens, places
from mux_lsp.lsp.review.hover import hover

if TYPE_CHECKING:
    from lsprotocol import types

    from mux_lsp.lsp.client import ClientSession
    from mux_lsp.lsp.review.views import Views


class ReviewFeatures:
    """The handlers of these requests."""

    def __init__(self, session: ClientSession, views: Views) -> None:
        self._session = session
        self._views = views

    async def code_lens(self, params: types.CodeLensParams) -> list[types.CodeLens]:
        """Answer `textDocument/codeLens`."""
        review = await self._views.view(params.text_document.uri)
        return code_lens.lenses(review, self._session.capabilities) if review else []

    async def hover(self, params: types.HoverParams) -> types.Hover | None:
        """Answer `textDocument/hover`."""
        review = await self._views.view(params.text_document.uri)
        return hover(review, params.position, self._session.capabilities) if review else None

    async def code_action(self, params: types.CodeActionParams) -> list[types.CodeAction | types.Command]:
        """Answer `textDocument/codeAction`."""
        engine, capabilities = self._session.engine, self._session.capabilities
        review = await self._views.view(params.text_document.uri)
        made: list[types.CodeAction] = []
        if review is not None and review.items:
            # Changes in other files than this one may have made runs equal or different.
            review = replace(review, tasks={task: engine.registry.task(task) for task in review.tasks})
            made += await asyncio.to_thread(code_action.actions_at, review, params.range, params.context, capabilities)
        made += await self._prompts(params)
        return code_action.menu(made, params.context.only, capabilities)

    async def _prompts(self, params: types.CodeActionParams) -> list[types.CodeAction]:
        """Return the actions that start agents here, also if there is nothing to review."""
        document = self._session.documents.get(params.text_document.uri)
        complaints = ask_actions.foreign(params.context.diagnostics)
        selected = ask_actions.is_selection(params.range, complaints)
        if document is None or not (complaints or selected or ask_actions.may_have_todos(document.content)):
            return []
        subject = ask_actions.Subject.of(document, self._session.folders)
        begin = await self._begin()
        made = ask_actions.fixes(subject, complaints, begin)
        if selected:
            return made + ask_actions.work(subject, params.range, begin)
        return made + ask_actions.todo(subject, params.range.start.line, begin)

    async def _begin(self) -> ask_actions.Begin:
        """Return how a code action starts a task: the client may let its person select the agents."""
        if "mux.client.ask" in self._session.capabilities.commands:
            return ask_actions.Begin("mux.client.ask")
        return ask_actions.Begin(refusal=await self._refusal())

    async def _refusal(self) -> str | None:
        """Return the reason why no agent would start if none is named; None if one would."""
        try:
            return await self._session.engine.tasks.no_agent()
        except UsageError as error:
            return places.one_line(str(error))
