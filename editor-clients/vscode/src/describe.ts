/** Tasks and runs in words and icons. Nothing here knows VS Code. */

import type { CheckResult, RunShape, TaskShape } from "./protocol.ts";
import { count, plain } from "./text.ts";

export type RunState = RunShape["state"];

/** An icon of VS Code's and the theme colour that it is drawn in. */
export interface Icon {
  readonly id: string;
  readonly color?: string;
}

/** Which tasks are shown. */
export type Filter = "all" | "waiting" | "active" | "ended";

const ICONS: Record<RunState, Icon> = {
  queued: { id: "clock" },
  preparing: { id: "loading~spin" },
  running: { id: "sync~spin" },
  waiting: { id: "question", color: "list.warningForeground" },
  checking: { id: "beaker" },
  finished: { id: "pass", color: "testing.iconPassed" },
  failed: { id: "error", color: "testing.iconFailed" },
  cancelled: { id: "circle-slash" },
  interrupted: { id: "debug-disconnect" },
};

const DISCARDED: Icon = { id: "archive", color: "disabledForeground" };

const PAUSED: Icon = { id: "debug-pause" };

/** Finished, and a check fails that passed before, or that nothing is known of from before. */
const FAILS: Icon = { id: "warning", color: "list.warningForeground" };

/** Finished, and no check fails but those that failed before. */
const AS_BEFORE: Icon = { id: "pass" };

const ENDS: ReadonlySet<RunState> = new Set<RunState>(["finished", "failed", "cancelled", "interrupted"]);

export function hasEnded(run: RunShape): boolean {
  return ENDS.has(run.state);
}

/** The runs of a task that were not thrown away. */
export function kept(task: TaskShape): RunShape[] {
  return task.runs.filter((run) => run.discarded === null);
}

export function runIcon(run: RunShape): Icon {
  if (run.discarded !== null) {
    return DISCARDED;
  }
  const failed = run.state === "finished" ? judging(run).filter((check) => check.state === "failed") : [];
  if (failed.length === 0) {
    return ICONS[run.state];
  }
  return failed.every((check) => check.baseline_state === "failed") ? AS_BEFORE : FAILS;
}

/** How a task stands as a whole: what needs the person first; undefined where all of it was thrown away. */
export function taskState(task: TaskShape): RunState | undefined {
  const states = kept(task).map((run) => run.state);
  const order: RunState[] = ["waiting", "running", "checking", "preparing", "queued", "finished", "failed"];
  return order.find((state) => states.includes(state)) ?? states[0];
}

export function taskIcon(task: TaskShape): Icon {
  const state = taskState(task);
  if (state === undefined) {
    return DISCARDED;
  }
  // Which of its steps each run is at, its own row tells.
  return task.paused ? PAUSED : ICONS[state === "waiting" || task.state === "ended" ? state : "running"];
}

/** What a run has done so far, for the line behind its name. */
export function runDescription(run: RunShape): string {
  const words: string[] = [];
  if (run.rank !== null) {
    words.push(`${run.tied.length > 0 ? "tied " : ""}#${run.rank}`);
  }
  if (run.discarded !== null) {
    words.push("discarded");
  } else if (run.queue_place !== null) {
    words.push(`queued, at place ${run.queue_place}`);
  } else if (!["finished", "running"].includes(run.state)) {
    words.push(run.state);
  }
  if (run.file_count > 0) {
    words.push(`${count(run.file_count, "file")} +${run.added} −${run.removed}`);
  }
  words.push(...checks(run), ...cost(run.cost_usd, run.tokens));
  // Last: a command of the person's own may be long.
  words.push(plain(run.model === null ? run.agent : `${run.agent} (${run.model})`));
  return words.join(" · ");
}

/** Everything about a run, for a tooltip. */
export function runDetails(run: RunShape): string {
  const words = [`${run.id}: ${run.discarded === null ? run.state : "discarded"}`];
  if (run.reason !== null) {
    words.push(plain(run.reason));
  }
  for (const check of judging(run)) {
    words.push(`${check.state === "passed" ? "✓" : check.state === "failed" ? "✗" : "…"} ${plain(check.command)}`);
  }
  if (run.tampered.length > 0) {
    words.push(`Changes tests, or what checks go by: ${run.tampered.map(plain).join(", ")}`);
  }
  for (const one of run.left_out) {
    words.push(`Left out: ${plain(one.path)} (${plain(one.reason)})`);
  }
  return [...words, ...run.reasons.map(plain)].join("\n");
}

export function taskDescription(task: TaskShape): string {
  const runs = kept(task);
  const ended = runs.filter(hasEnded).length;
  const words = [ended === runs.length ? count(ended, "run") : `${ended} of ${count(runs.length, "run")}`];
  if (task.paused) {
    words.push("paused");
  }
  words.push(...cost(task.cost_usd, task.tokens));
  return words.join(" · ");
}

/** Everything about a task, for a tooltip. */
export function taskDetails(task: TaskShape): string {
  const leftOut = task.left_out.map((one) => `Agents did not get ${plain(one.path)}: ${plain(one.reason)}`);
  return [task.id, plain(task.prompt), ...task.notices.map(plain), ...leftOut].join("\n");
}

/** Those that need the person first, then those at work, then the newest; last what was thrown away. */
export function inOrder(tasks: Iterable<TaskShape>): TaskShape[] {
  const weight = (task: TaskShape): number => {
    const state = taskState(task);
    return state === "waiting" ? 0 : task.state === "running" ? 1 : state === undefined ? 3 : 2;
  };
  return [...tasks].sort((one, other) => weight(one) - weight(other) || other.created - one.created);
}

/** Whether a task is among those that are shown. */
export function passes(task: TaskShape, filter: Filter): boolean {
  switch (filter) {
    case "all":
      return true;
    case "waiting":
      return taskState(task) === "waiting";
    case "active":
      return task.state === "running";
    case "ended":
      return task.state === "ended";
  }
}

/** A folder that is open: its URI, and that of where it really is. */
export interface Folder {
  readonly uri: string;
  readonly real: string;
}

/** The URI of a repository as it is spelled by the folder that is in it, or around it; undefined where none is. */
export function spelled(repository: string, folders: readonly Folder[]): string | undefined {
  for (const { uri, real } of folders) {
    if (isBelow(repository, real)) {
      return uri + repository.slice(real.length);
    }
    if (isBelow(real, repository)) {
      const inside = real.slice(repository.length);
      return uri.endsWith(inside) ? uri.slice(0, uri.length - inside.length) : repository;
    }
  }
  return undefined;
}

function isBelow(one: string, other: string): boolean {
  return one === other || one.startsWith(other.endsWith("/") ? other : `${other}/`);
}

/** The checks that count: where the run has changed what judges it, those with that as it was. */
function judging(run: RunShape): readonly CheckResult[] {
  return run.restored_checks.length > 0 ? run.restored_checks : run.checks;
}

function checks(run: RunShape): string[] {
  const found = judging(run);
  const failed = found.filter((check) => check.state === "failed");
  const words: string[] = [];
  if (failed.length > 0) {
    const before = failed.every((check) => check.baseline_state === "failed") ? " as before" : "";
    words.push(`✗ ${failed.length} of ${count(found.length, "check")}${before}`);
  } else if (found.length > 0) {
    words.push(found.every((check) => check.state === "passed") ? `✓ ${count(found.length, "check")}` : "checks …");
  }
  return run.tampered.length > 0 ? [...words, "⚠ changes tests"] : words;
}

function cost(dollars: number | null, tokens: number | null): string[] {
  if (dollars !== null) {
    return [`$${dollars.toFixed(2)}`];
  }
  return tokens === null ? [] : [`${Math.ceil(tokens / 1000)}k tokens`];
}
