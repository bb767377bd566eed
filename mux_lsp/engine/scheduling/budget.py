"""Enforce the limits on spending, number and duration of runs: warn at 80 %, and stop at the limit.

The spending of runs in a task that an agent started is also charged to that agent's run and task, and to their
ancestors.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from mux_lsp import config
from mux_lsp.core.ids import task_of
from mux_lsp.core.model import RunState
from mux_lsp.core.spending import NO_SPENDING, Spent, Unit, amount
from mux_lsp.engine.state.events import LimitReached, RunChanged
from mux_lsp.errors import MuxError, UsageError
from mux_lsp.store.spending import day_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from mux_lsp.core.model import Run, Task
    from mux_lsp.engine.state.events import Event, Scope
    from mux_lsp.engine.state.registry import TaskRegistry
    from mux_lsp.store.spending import Spending

WARN_AT: Final = 0.8
"""Fraction of a limit at which a person is warned."""


DAYS: Final = 10
"""Number of days before today whose spending is kept in memory."""


class _Account(NamedTuple):
    """A subject of limits. `of` is the id of the run or task, or the root of the repository; "" for a day."""

    scope: Scope
    of: str


@dataclass(frozen=True, slots=True)
class _Limit:
    unit: Unit
    most: float
    setting: str

    def over(self, spent: Spent) -> bool:
        return spent.of(self.unit) >= self.most

    def near(self, spent: Spent) -> bool:
        return spent.of(self.unit) >= self.most * WARN_AT


class Budget:
    """Limits of one person, and what was spent so far. `end` ends runs, each with a reason in words."""

    def __init__(
        self,
        book: TaskRegistry,
        emit: Callable[[Event], None],
        end: Callable[[Mapping[str, str]], None],
        file: Path,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Create a budget with no limits. `file` is the configuration file that messages refer to."""
        self._book = book
        self._emit = emit
        self._end = end
        self._file = file
        self._clock = clock
        self._settings = config.LimitsSection()
        self._spent: defaultdict[_Account, Spent] = defaultdict(Spent)
        self._of_days: dict[str, dict[_Account, Spent]] = {}
        """Daily spending of days other than today, kept because the clock may be set back."""
        self._day = day_of(clock())
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._worked: dict[str, float] = {}
        """Seconds that each agent has worked on its current message before it began to wait for a person."""
        self._since: dict[str, float] = {}

    def configure(self, settings: config.LimitsSection) -> None:
        """Apply these limits from now on."""
        self._settings = settings

    # Spending

    def load(self, rows: Iterable[Spending]) -> None:
        """Add the amounts that earlier daemons recorded."""
        for row in rows:
            self._count(row, today=row.day == self._day)

    def spent(self, more: Spending) -> None:
        """Add an amount that the journal already has. Warns near a limit, and ends the runs that have reached one."""
        before = {account: self._total(account) for account in _accounts(more)}
        self._count(more, today=True)
        for account, old in before.items():
            new = self._total(account)
            for limit in self._limits_of(account):
                if limit.over(new):
                    if not limit.over(old):
                        self._publish(account, limit, new, stopped=True)
                    self._stop(account, limit, new)
                elif limit.near(new) and not limit.near(old):
                    self._publish(account, limit, new, stopped=False)

    def today(self, repository: str | None = None) -> Spent:
        """Return what was spent since midnight, in total or in one repository."""
        return self._total(_Account("day", "") if repository is None else _Account("repository", repository))

    @property
    def settings(self) -> config.LimitsSection:
        """The limits in force."""
        return self._settings

    def enforce(self) -> None:
        """End runs that are over a limit because a daemon was killed before it could end them, and time the running
        ones.
        """
        for run in tuple(self._book.runs):
            if _spends(run):
                self._enforce_on(run)
            if run.state is RunState.RUNNING:
                self._time(run)

    # Admission

    def check_start(self, repository: str, runs: int, parent: Run | None) -> None:
        """Raise MuxError if a task with this number of runs would exceed a limit.

        `parent` is the run whose agent starts the task; None for a person. Raises UsageError if the parent has ended.
        """
        under: tuple[str, ...] = ()
        if parent is not None:
            if parent.state.ended:
                raise UsageError(f"{parent.id} has ended: its agent can start nothing more.")
            under = (parent.id, *self._book.ancestors(parent.task))
        if len(under) > self._settings.depth:
            raise MuxError(
                f"The agent of {under[0]} may start no task: agents may have agents {self._settings.depth} deep at the "
                f"most ({self._where('depth')})."
            )
        had = self._book.numbered_under(task_of(under[-1])) if under else 0
        if had + runs > self._settings.runs:
            whose = f"{task_of(under[-1])}, with all that its agents start," if under else "A task"
            raise MuxError(
                f"{whose} may have {self._settings.runs} runs at the most, and these would make it {had + runs} "
                f"({self._where('runs')})."
            )
        self._refuse_spent([*_accounts_of(under), _Account("repository", repository), _Account("day", "")])

    def check_continue(self, run: Run) -> None:
        """Raise MuxError if a run may not continue with a further message."""
        self._refuse_spent(_accounts(self._book.spending(run, NO_SPENDING)))

    def check_retry(self, task: Task) -> None:
        """Raise MuxError if a task may not have another run."""
        under = self._book.ancestors(task.id)
        root = task_of(under[-1]) if under else task.id
        if self._book.numbered_under(root) >= self._settings.runs:
            raise MuxError(f"{root} has {self._settings.runs} runs, which is the most ({self._where('runs')}).")
        self.check_spending(task)

    def check_spending(self, task: Task) -> None:
        """Raise MuxError if nothing more may be spent on a task."""
        accounts = [_Account("task", task.id), *_accounts_of(self._book.ancestors(task.id))]
        self._refuse_spent([*accounts, _Account("repository", task.repository), _Account("day", "")])

    # Duration of runs

    def on_event(self, event: Event) -> None:
        """Follow the runs to limit the time that agents work. Time spent waiting for a person does not count.

        A later daemon counts from its own start, so it ends no run too early.
        """
        if not isinstance(event, RunChanged) or event.run.state is event.previous:
            return
        run, now = event.run, asyncio.get_running_loop().time
        if run.state is RunState.RUNNING:
            self._time(run)
            return
        if (timer := self._timers.pop(run.id, None)) is not None:
            timer.cancel()
            self._worked[run.id] = self._worked.get(run.id, 0.0) + now() - self._since.pop(run.id)
        if run.state is not RunState.WAITING:
            self._worked.pop(run.id, None)

    def _time(self, run: Run) -> None:
        """Start the timer that ends a running run once it has used up its time."""
        if self._settings.run_seconds is not None and run.id not in self._timers:
            loop = asyncio.get_running_loop()
            self._since[run.id] = loop.time()
            left = self._settings.run_seconds - self._worked.get(run.id, 0.0)
            self._timers[run.id] = loop.call_later(max(0.0, left), self._time_is_up, run.id)

    def _time_is_up(self, run_id: str) -> None:
        self._end({run_id: f"it was not done after {self._settings.run_seconds:g} s (run_seconds under [limits])"})

    # Internal

    def _count(self, more: Spending, *, today: bool) -> None:
        for account in _accounts(more):
            if today or account.scope in {"run", "task"}:
                self._spent[account] = self._total(account) + more.spent

    def _total(self, account: _Account) -> Spent:
        if (day := day_of(self._clock())) != self._day:
            daily = [one for one in self._spent if one.scope in {"day", "repository"}]
            self._of_days[self._day] = {one: self._spent.pop(one) for one in daily}
            self._day = day
            self._spent.update(self._of_days.pop(day, {}))
            for old in list(self._of_days)[:-DAYS]:
                del self._of_days[old]
        return self._spent.get(account, NO_SPENDING)

    def _limits_of(self, account: _Account) -> Iterator[_Limit]:
        for unit in Unit:
            setting = f"{account.scope}_{unit}"
            most = getattr(self._settings, setting)
            if account.scope == "task" and (own := self._own_limit(account.of, unit)) is not None:
                yield _Limit(unit, own, "its own limit")
            elif most is not None:
                yield _Limit(unit, most, f"{setting} under [limits]")

    def _own_limit(self, task_id: str, unit: Unit) -> float | None:
        task = self._book.find_task(task_id)
        if task is None:
            return None
        return task.max_cost_usd if unit is Unit.USD else task.max_tokens

    def _enforce_on(self, run: Run) -> None:
        for account in _accounts(self._book.spending(run, NO_SPENDING)):
            for limit in self._limits_of(account):
                if limit.over(self._total(account)):
                    self._end({run.id: _reason(account, limit, self._total(account))})

    def _stop(self, account: _Account, limit: _Limit, spent: Spent) -> None:
        reason = _reason(account, limit, spent)
        runs = [run for run in self._book.runs if _spends(run)]
        self._end({run.id: reason for run in runs if account in _accounts(self._book.spending(run, NO_SPENDING))})

    def _refuse_spent(self, accounts: Iterable[_Account]) -> None:
        for account in accounts:
            for limit in self._limits_of(account):
                if limit.over(self._total(account)):
                    raise MuxError(
                        f"Nothing new begins: {_reason(account, limit, self._total(account), self._in_file(limit))}."
                    )

    def _publish(self, account: _Account, limit: _Limit, spent: Spent, *, stopped: bool) -> None:
        most, now = amount(limit.unit, limit.most), amount(limit.unit, spent.of(limit.unit))
        if stopped:
            words = f"Stopped: {_reason(account, limit, spent, self._in_file(limit))}."
        else:
            setting = f"{limit.setting}{self._in_file(limit)}"
            words = f"The {_whose(account, most)} is near: {now} is spent ({setting})."
        self._emit(
            LimitReached(
                account.scope, account.of or None, limit.unit, spent.of(limit.unit), limit.most, stopped, words
            )
        )

    def _in_file(self, limit: _Limit) -> str:
        return f" in {self._file}" if "[limits]" in limit.setting else ""

    def _where(self, setting: str) -> str:
        return f"{setting} under [limits] in {self._file}"


def _accounts(more: Spending) -> tuple[_Account, ...]:
    """Return every account that this is charged to."""
    return (
        *_accounts_of((more.run, *more.under)),
        _Account("repository", more.repository),
        _Account("day", ""),
    )


def _accounts_of(runs: Iterable[str]) -> Iterator[_Account]:
    for run in runs:
        yield _Account("run", run)
        yield _Account("task", task_of(run))


def _spends(run: Run) -> bool:
    """Return whether a run may still spend. A run whose agent has ended may not: its checks cost nothing."""
    return not run.state.ended and run.state is not RunState.CHECKING


def _whose(account: _Account, most: str) -> str:
    match account.scope:
        case "run" | "task":
            return f"limit of {most} for {account.of}"
        case "repository":
            return f"limit of {most} a day in {account.of}"
        case "day":
            return f"limit of {most} a day"


def _reason(account: _Account, limit: _Limit, spent: Spent, where: str = "") -> str:
    most, now = amount(limit.unit, limit.most), amount(limit.unit, spent.of(limit.unit))
    return f"the {_whose(account, most)} is spent ({now}; {limit.setting}{where})"
