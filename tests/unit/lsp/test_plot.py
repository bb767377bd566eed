"""Test the plot of agreement and cost: positions, and that an agent's text stays plain text in it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mux_lsp.core.agreement import Agreement
from mux_lsp.core.grading import Opinion, Weights
from mux_lsp.core.model import Task
from mux_lsp.core.ranking import rank
from mux_lsp.lsp.pages.plot import drawing
from tests.unit.core.ranked import BAD, GOOD, attempt

if TYPE_CHECKING:
    from mux_lsp.core.grading import Candidate

SVG = "{http://www.w3.org/2000/svg}"


def plot(*attempts: Candidate, prompt: str = "count the pages") -> ET.Element:
    task = Task("k3f", prompt, "/r", "", 1.0, runs=tuple(one.run for one in attempts))
    return ET.fromstring(drawing(task, rank(attempts, Weights())))  # noqa: S314  # our own


def agreeing(number: int, mean: float, cost: float | None, **more: object) -> Candidate:
    return attempt(number, cost=cost, agreement=Agreement(3, 3, 1.0, mean), **more)  # type: ignore[arg-type]  # passed on


def texts(svg: ET.Element) -> list[str]:
    return [one.text or "" for one in svg.iter(f"{SVG}text")]


def marks(svg: ET.Element) -> dict[str, ET.Element]:
    """Return the sign of each run by its id."""
    return {(group[0].text or "").split(",")[0]: group[1] for group in svg.iter(f"{SVG}g")}


def test_agreement_goes_right_and_cost_up() -> None:
    found = marks(plot(agreeing(1, 0.0, 0.0), agreeing(2, 1.0, 2.0), agreeing(3, 0.5, 1.0)))
    places = {run: (mark.get("cx"), mark.get("cy")) for run, mark in found.items()}
    assert places == {"k3f-1": ("72", "368"), "k3f-2": ("700", "56"), "k3f-3": ("386", "212")}


def test_colour_and_shape_say_what_the_checks_do() -> None:
    found = marks(
        plot(
            agreeing(1, 0.1, 1.0),
            agreeing(2, 0.3, 1.0, tampered=("t",), restored=BAD),
            agreeing(3, 0.5, 1.0, checks=()),
            agreeing(4, 0.7, 1.0, checks=BAD),
        )
    )
    assert {
        run: (mark.tag.removeprefix(SVG), mark.get("fill") or mark.get("stroke")) for run, mark in found.items()
    } == {
        "k3f-1": ("circle", "#2e7d32"),
        "k3f-2": ("path", "#b26a00"),
        "k3f-3": ("path", "#b26a00"),
        "k3f-4": ("path", "#c62828"),
    }


def test_runs_at_one_place_share_a_label_and_a_mark_says_why_the_run_ranks_where() -> None:
    svg = plot(*[agreeing(number, 0.5, 1.0) for number in range(1, 6)], agreeing(6, 0.0, 0.5))
    assert "k3f-1, k3f-2, k3f-3 and 2 more" in texts(svg)
    assert "k3f-6" in texts(svg)
    titles = [group[0].text or "" for group in svg.iter(f"{SVG}g")]
    assert any(one.startswith("k3f-6, rank 6: Passes the check. Shares all of its lines") for one in titles)


def test_without_any_cost_it_has_the_time() -> None:
    svg = plot(agreeing(1, 0.5, None, seconds=30.0), agreeing(2, 0.5, None, seconds=60.0))
    assert {"time", "60 s", "0 s"} <= set(texts(svg))
    assert marks(svg)["k3f-2"].get("cy") == "56"
    with_cost = plot(agreeing(1, 0.5, 2.0, seconds=30.0), agreeing(2, 0.5, None, seconds=60.0), attempt(3, files=()))
    assert {"cost", "$2", "$0"} <= set(texts(with_cost))
    assert "2 of 3 not shown: nothing changed, or cost not known" in texts(with_cost)


def test_there_is_a_drawing_of_nothing() -> None:
    assert marks(plot()) == {}
    assert marks(plot(attempt(1, files=()))) == {}
    assert marks(plot(agreeing(1, 0.5, 0.0)))["k3f-1"].get("cy") == "368"


@pytest.mark.parametrize(
    "words", ["<script>x</script>", "&amp; ]]> <!--", "\"'", "\x1b[31m\x00\ufffe\uffff\ud800", "a\nb"]
)
def test_nothing_an_agent_wrote_is_more_than_text(words: str) -> None:
    check(words)


@settings(max_examples=60)
@given(st.text(max_size=20))
def test_no_character_breaks_the_drawing(words: str) -> None:
    check(words)


def check(words: str) -> None:
    svg = plot(attempt(1, GOOD, outside=(words.strip("\ud800"),), opinion=Opinion(1, words), cost=1.0), prompt=words)
    assert {one.tag.removeprefix(SVG) for one in svg.iter()} <= {
        "svg", "title", "rect", "text", "circle", "path", "line", "g",
    }  # fmt: skip
    assert not set("\x1b\x00\n") & set("".join(texts(svg)))
