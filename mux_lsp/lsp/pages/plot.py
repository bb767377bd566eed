"""Draw the runs of a task by agreement and cost, as SVG. Colours and shapes show the check results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from mux_lsp.core.grading import Grade
from mux_lsp.core.phrases import few_with_commas
from mux_lsp.lsp.wire.markdown import line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mux_lsp.core.model import Task
    from mux_lsp.core.ranking import Ranked

WIDTH: Final = 720
HEIGHT: Final = 440
LEFT: Final = 72
RIGHT: Final = 20
TOP: Final = 56
BOTTOM: Final = 72

STEPS: Final = 4
"""Number of grid steps of each axis."""

PASSES: Final = "passes"
SUSPECT: Final = "passes with its own tests, or not checked"
FAILS: Final = "does not pass"

STYLES: Final = {PASSES: ("#2e7d32", "circle"), SUSPECT: ("#b26a00", "triangle"), FAILS: ("#c62828", "cross")}
"""Colours that are legible on a light and a dark background, each with a shape for colour-blind people."""


def drawing(task: Task, ranking: Sequence[Ranked]) -> str:
    """Return the plot. If no cost is known, its axis shows the time."""
    shown = [one for one in ranking if one.judged.grade is not Grade.EMPTY]
    costs = any(one.judged.run.cost_usd is not None for one in shown)
    known = [(one, figure) for one in shown if (figure := _figure(one, costs=costs)) is not None]
    most = max((figure for _, figure in known), default=0.0) or 1.0
    left_out = len(ranking) - len(known)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="12" role="img">',
        f"<title>{escape(task.id)}: agreement and {'cost' if costs else 'time'} of its runs</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(LEFT, 22, f"{task.id}: {_cut(task.prompt)}", "start", weight="bold"),
        *_legend(),
        *_axes(most, costs=costs),
        *_points(known, most),
    ]
    if left_out:
        why = f"{left_out} of {len(ranking)} not shown: nothing changed, or {'cost' if costs else 'time'} not known"
        parts.append(_text(WIDTH - RIGHT, HEIGHT - 10, why, "end"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _figure(one: Ranked, *, costs: bool) -> float | None:
    return one.judged.run.cost_usd if costs else one.judged.seconds


def _kind(grade: Grade) -> str:
    if grade is Grade.PASSES:
        return PASSES
    return SUSPECT if grade in {Grade.OWN_TESTS, Grade.UNCHECKED} else FAILS


def _legend() -> Iterable[str]:
    at = LEFT
    for kind, (colour, shape) in STYLES.items():
        yield _shape(shape, colour, at + 6, 40)
        yield _text(at + 16, 44, kind, "start")
        at += 40 + 7 * len(kind)


def _axes(most: float, *, costs: bool) -> Iterable[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for step in range(STEPS + 1):
        part = step / STEPS
        x, y = _x(part), _y(part)
        figure = f"${most * part:.3g}" if costs else f"{most * part:.3g} s"
        yield f'<line x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#dddddd"/>'
        yield f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}" stroke="#dddddd"/>'
        yield _text(LEFT - 8, y + 4, figure, "end")
        yield _text(x, bottom + 18, f"{part:.0%}", "middle")
    yield _text((LEFT + right) / 2, bottom + 38, "agreement with the other runs", "middle")
    yield _text(LEFT - 8, TOP - 4, "cost" if costs else "time", "end")


def _points(known: Sequence[tuple[Ranked, float]], most: float) -> Iterable[str]:
    """Yield the points. Runs at one point share a label, so that none covers another."""
    places: dict[tuple[int, int], list[Ranked]] = {}
    for one, figure in known:
        x, y = _x(one.judged.attempt.agreement.mean), _y(figure / most)
        places.setdefault((round(x), round(y)), []).append(one)
        colour, shape = STYLES[_kind(one.judged.grade)]
        reasons = " ".join(one.reasons)
        yield f"<g><title>{_words(f'{one.run}, rank {one.rank}: {reasons}')}</title>"
        yield f"{_shape(shape, colour, round(x), round(y))}</g>"
    for (x, y), here in places.items():
        names = few_with_commas([one.run for one in here], 3)
        # The label of a point near the right edge is on its left.
        if x > WIDTH * 2 / 3:
            yield _text(x - 10, y + 4, names, "end")
        else:
            yield _text(x + 10, y + 4, names, "start")


def _x(part: float) -> float:
    return LEFT + part * (WIDTH - LEFT - RIGHT)


def _y(part: float) -> float:
    return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)


def _shape(shape: str, colour: str, x: float, y: float) -> str:
    if shape == "circle":
        return f'<circle cx="{x}" cy="{y}" r="5" fill="{colour}"/>'
    if shape == "triangle":
        return f'<path d="M {x} {y - 6} l 6 11 h -12 z" fill="{colour}"/>'
    return f'<path d="M {x - 5} {y - 5} l 10 10 m 0 -10 l -10 10" stroke="{colour}" stroke-width="3"/>'


def _text(x: float, y: float, words: str, anchor: str, weight: str = "normal") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" fill="#333333"'
    return f"<text {place}>{_words(words)}</text>"


def _words(words: str) -> str:
    """Return words of any origin as text of a drawing. XML cannot represent two of the characters."""
    return escape(line(words).translate({0xFFFE: "\ufffd", 0xFFFF: "\ufffd"}))


def _cut(words: str) -> str:
    words = " ".join(words.split())
    return words if len(words) <= 80 else f"{words[:79]}…"
