"""Compose the prompt that an agent gets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mux_lsp.core.model import Task


def prompt_of(task: Task) -> str:
    """Return a task's prompt: the person's words, then the places that they refer to."""
    if not task.context:
        return task.prompt
    places = []
    for place in task.context:
        lines = ""
        if place.start is not None and place.end is not None:
            lines = f", lines {place.start + 1}-{max(place.start + 1, place.end)}"
        path = os.path.relpath(place.path, task.folder) if task.folder else place.path
        places.append(f"- {path}{lines}")
    return f"{task.prompt}\n\nThis is about:\n" + "\n".join(places) + "\n"
