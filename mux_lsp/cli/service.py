"""Define the commands for mux-lsp itself: agents, status, stop, doctor, serve, daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mux_lsp.cli.options import here, json_option
from mux_lsp.cli.output import Cell, echo, echo_json, echo_table
from mux_lsp.cli.text import dollars, duration, folder_of, one_line, size
from mux_lsp.core.phrases import count, listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@click.command(short_help="List the agents there are.")
@json_option
def agents(as_json: bool) -> None:
    """List the agents that you can use: those in config.toml, known coding agents, and mux-lsp's own.

    For each, print whether it is installed, its version, whether it seems to be logged in, and its command.
    """
    from mux_lsp import paths
    from mux_lsp.cli.client import connected

    with connected(here()) as client:
        answer = client.execute("mux.agent.list", {})
    if as_json:
        echo_json(answer)
        return
    echo_table(("agent", "kind", "version", ""), [_agent_row(agent) for agent in answer["agents"]])
    there = [agent for agent in answer["agents"] if agent["installed"] is not False]
    echo("\nWhat they run:")
    for agent in there:
        echo(f"  {agent['name']}: {one_line(agent['command'], 2000)}")
    if missing := [agent for agent in answer["agents"] if agent["installed"] is False and agent["install"]]:
        echo("\nTo install:")
    for agent in missing:
        echo(f"  {agent['name']}: {agent['install']}")
    if answer["defaults"]:
        echo(f"\nWithout -a a task goes to {listed(answer['defaults'])}.")
    echo(f"\n{paths.home().config_file} can name more, and change these under [agents.NAME].")
    echo(
        "\nAny command line is an agent too: -a 'sh:COMMAND' has a shell run COMMAND in the worktree, with the prompt\n"
        "in the file $MUX_PROMPT_FILE. COMMAND may hold {prompt}, {prompt_file} and {model}. A final *3 makes 3 runs."
    )


def _agent_row(agent: Mapping[str, Any]) -> Sequence[Cell]:
    if agent["installed"] is False:
        state, style = "not installed", "queued"
    elif agent["logged_in"] is False:
        state, style = "no key and no login found", "cancelled"
    else:
        state, style = "ready" if agent["logged_in"] else "", "finished"
    return Cell(agent["name"]), Cell(agent["kind"]), Cell(agent["version"] or ""), Cell(one_line(state, 80), style)


@click.command(short_help="Say what the daemon does and what it takes up.")
@json_option
def status(as_json: bool) -> None:
    """Print whether the daemon is running, its work, and its disk usage. This does not start the daemon."""
    import socket

    from mux_lsp.cli.client import DaemonClient
    from mux_lsp.daemon.client import connect_running, request_status
    from mux_lsp.daemon.dial import NotRunningError

    try:
        process = request_status()
        connection = connect_running()
    except NotRunningError:
        if as_json:
            echo_json(None)
        else:
            echo("The daemon is not running. Whatever needs it starts it.")
        return
    client = DaemonClient(socket.socket(fileno=connection.sock.detach()), connection.rest)
    try:
        client.initialize(here())
        answer = client.execute("mux.status", {})
    finally:
        client.close()
    if as_json:
        echo_json(answer)
        return
    echo(f"mux-lsp {answer['version']}, pid {answer['pid']}, for {duration(process['uptime_seconds'])}", bold=True)
    queued = f" ({answer['queued_runs']} queued)" if answer["queued_runs"] else ""
    for notice in answer["notices"]:
        echo(notice, "failed")
    echo(f"  {count(answer['unfinished_runs'], 'unfinished run')}{queued}, {_clients(process['clients'])}")
    echo(f"  spent today: {_spent(answer['spent'])}{_of_a_day(answer)}")
    echo(f"  {size(process['memory_bytes'])} of memory, log {process['log']}")
    rows = [
        [
            Cell(size(each["disk_bytes"])),
            Cell(str(each["worktrees"])),
            Cell(_spent(each["spent"]) if each["spent"]["tokens"] or each["spent"]["cost_usd"] else ""),
            Cell(_shown(each["repository"])),
        ]
        for each in answer["repositories"]
    ]
    if rows:
        echo()
        echo_table(("disk", "worktrees", "spent today", "repository"), rows)
    for each in answer["repositories"]:
        if each["verdict"] is not None:
            from mux_lsp.cli.verify import echo_last

            echo_last(each["verdict"], _shown(each["repository"]))


def _spent(spent: Mapping[str, Any]) -> str:
    if not spent["tokens"] and not spent["cost_usd"]:
        return "nothing"
    return f"{dollars(spent['cost_usd'])} and {spent['tokens']:,} tokens"


def _of_a_day(answer: Mapping[str, Any]) -> str:
    usd, tokens = answer["day_usd"], answer["day_tokens"]
    most = [*([dollars(usd)] if usd is not None else []), *([f"{tokens:,} tokens"] if tokens is not None else [])]
    return f" (the most is {listed(most)})" if most else ""


def _clients(clients: Sequence[object]) -> str:
    # The user would not count this command as a client.
    return count(len(clients), "connected client") if clients else "no connected client"


def _shown(repository: str) -> str:
    return str(folder_of(repository)) if repository.startswith("file:") else repository


@click.command(short_help="End the daemon.")
def stop() -> None:
    """End the daemon. Command agents at work continue, and the next daemon takes them over."""
    from mux_lsp.daemon.client import request_stop

    echo("The daemon has ended." if request_stop() else "No daemon was running.")


@click.command(short_help="Check what mux-lsp needs of this machine.")
@json_option
def doctor(as_json: bool) -> int:
    """Check what mux-lsp needs from this machine, and say what to do if it is missing.

    Exit status: 1 if something must be fixed.
    """
    from dataclasses import asdict

    from mux_lsp.cli.doctor import examine

    findings = examine()
    if as_json:
        echo_json([asdict(finding) for finding in findings])
    else:
        signs = {"ok": ("ok", "passed"), "note": ("note", "waiting"), "bad": ("BAD", "failed")}
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            sign, style = signs[finding.state]
            detail = finding.detail.replace("\n", f"\n{'':<{width + 8}}")
            echo(f"{sign:<4}  {finding.name:<{width}}  {detail}", style if finding.state != "ok" else "")
            if finding.remedy:
                echo(f"{'':<{width + 8}}{finding.remedy}")
    return 1 if any(finding.state == "bad" for finding in findings) else 0


@click.command(short_help="Speak LSP on stdin and stdout, for an editor.")
def serve() -> None:
    """Speak LSP on standard input and output. Editors start this command."""
    from mux_lsp.daemon.bridge import main

    main()


@click.command(short_help="Run the daemon in the foreground.")
def daemon() -> int:
    """Run the daemon in the foreground. This is not required: it is started when it is needed."""
    from mux_lsp.daemon.server import main

    return main([])
