/** Describe tasks and runs in words and icons. Does not depend on VS Code. */

import type { CheckResult, RunShape, TaskShape } from "./protocol.ts";
import { count, plain } from "./text.ts";

export type RunState = RunShape["state"];

/** The name of a VS Code icon, and the theme colour to draw it in. */
export interface Icon {
  readonly id: string;
  readonly color?: string;
}

/** The tasks that the view shows. */
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

/** Finished, with a failed check whose baseline passed or is unknown. */
const FAILS: Icon = { id: "warning", color: "list.warningForeground" };

/** Finished, with no failed check except those that the baseline fails too. */
const AS_BEFORE: Icon = { id: "pass" };

const ENDS: ReadonlySet<RunState> = new Set<RunState>(["finished", "failed", "cancelled", "interrupted"]);

export function hasEnded(run: RunShape): boolean {
  return ENDS.has(run.state);
}

/** Return the runs of a task that are not discarded. */
export function kept(task: TaskShape): RunShape[] {
  return task.runs.filter((run) => run.discarded === null);
}

export function runIcon(run: RunShape): Icon {
  if (run.discarded !== null) {
    return DISCARDED;
  }
  const failed = run.state === "finished" ? effectiveChecks(run).filter((check) => check.state === "failed") : [];
  if (failed.length === 0) {
    return ICONS[run.state];
  }
  return failed.every((check) => check.baseline_state === "failed") ? AS_BEFORE : FAILS;
}

/** Return the state of a task: that of the run that needs the person most; undefined where all are discarded. */
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
  // The rows of its runs show the details of running states.
  return task.paused ? PAUSED : ICONS[state === "waiting" || task.state === "ended" ? state : "running"];
}

/** Return the summary of a run, for the text after its name. */
export function runDescription(run: RunShape): string {
  const words: string[] = [];
  if (run.rank !== null) {
    words.push(`${run.tied.length > 0 ? "tied " : ""}#${run.rank}`);
  }
  if (run.discarded !== null) {
    words.push("discarded");
  } else if (run.queue_place !== null) {
    words.push(`queued, position ${run.queue_place}`);
  } else if (!["finished", "running"].includes(run.state)) {
    words.push(run.state);
  }
  if (run.file_count > 0) {
    words.push(`${count(run.file_count, "file")} +${run.added} −${run.removed}`);
  }
  words.push(...checks(run), ...cost(run.cost_usd, run.tokens));
  // Last, since a shell command may be long.
  words.push(plain(run.model === null ? run.agent : `${run.agent} (${run.model})`));
  return words.join(" · ");
}

/** Return the details of a run, for a tooltip. */
export function runDetails(run: RunShape): string {
  const words = [`${run.id}: ${run.discarded === null ? run.state : "discarded"}`];
  if (run.reason !== null) {
    words.push(plain(run.reason));
  }
  for (const check of effectiveChecks(run)) {
    words.push(`${check.state === "passed" ? "✓" : check.state === "failed" ? "✗" : "…"} ${plain(check.command)}`);
  }
  if (run.tampered.length > 0) {
    words.push(`Changes tests or check configuration: ${run.tampered.map(plain).join(", ")}`);
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

/** Return the details of a task, for a tooltip. */
export function taskDetails(task: TaskShape): string {
  const leftOut = task.left_out.map((one) => `Not in the snapshot: ${plain(one.path)} (${plain(one.reason)})`);
  return [task.id, plain(task.prompt), ...task.notices.map(plain), ...leftOut].join("\n");
}

/** Sort tasks: those that need the person, running ones, the newest, discarded ones. */
export function inOrder(tasks: Iterable<TaskShape>): TaskShape[] {
  const weight = (task: TaskShape): number => {
    const state = taskState(task);
    return state === "waiting" ? 0 : task.state === "running" ? 1 : state === undefined ? 3 : 2;
  };
  return [...tasks].sort((one, other) => weight(one) - weight(other) || other.created - one.created);
}

/** Return whether a task passes a filter. */
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

/** An open folder: its URI, and the URI of its real path. */
export interface Folder {
  readonly uri: string;
  readonly real: string;
}

/** Return the URI of a repository relative to the open folder that contains it or is in it; undefined without one.
 *
 * A folder opened through a link has another URI than its real path, which git and the daemon use.
 */
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

/** Return the checks that count: those with the original tests, if the run changed protected files. */
function effectiveChecks(run: RunShape): readonly CheckResult[] {
  return run.restored_checks.length > 0 ? run.restored_checks : run.checks;
}

function checks(run: RunShape): string[] {
  const found = effectiveChecks(run);
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
