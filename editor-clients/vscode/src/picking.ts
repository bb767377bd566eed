/** Choosing a task or a run where a command was not given one: that of the change at the cursor first, then as in the view. */

import * as vscode from "vscode";
import { hasEnded, inOrder, runDescription } from "./describe.ts";
import type { Parts } from "./parts.ts";
import type { RunShape, TaskShape } from "./protocol.ts";
import { taskOf } from "./tasks.ts";
import { label, short } from "./text.ts";

const PROMPT = 60;

/** One of the tasks for which something can be done; undefined where the person has thought better of it. */
export async function pickTask(
  { tasks, review }: Parts,
  wanted: (task: TaskShape) => boolean,
): Promise<TaskShape | undefined> {
  const here = review.here()?.variant.run ?? "";
  const found = first(inOrder(tasks.tasks).filter(wanted), (task) => task.id === taskOf(here));
  const items = found.map((task) => ({
    label: label(short(task.prompt, PROMPT)),
    description: `${task.id} · ${atWork(task.runs)}`,
    task,
  }));
  return (await pick(items, "Task"))?.task;
}

/** The same of runs. */
export async function pickRun(
  { tasks, review }: Parts,
  wanted: (run: RunShape) => boolean,
): Promise<RunShape | undefined> {
  const here = review.here()?.variant.run;
  const all = inOrder(tasks.tasks).flatMap((task) => task.runs.filter(wanted).map((run) => ({ run, task })));
  const found = first(all, ({ run }) => run.id === here);
  const items = found.map(({ run, task }) => ({
    label: run.id,
    description: label(runDescription(run)),
    detail: label(short(task.prompt, PROMPT)),
    run,
  }));
  return (await pick(items, "Run"))?.run;
}

async function pick<Item extends vscode.QuickPickItem>(items: Item[], what: "Task" | "Run"): Promise<Item | undefined> {
  if (items.length === 0) {
    void vscode.window.showInformationMessage(`There is no ${what.toLowerCase()} for which this can be done.`);
    return undefined;
  }
  return vscode.window.showQuickPick(items, { title: what, ignoreFocusOut: true });
}

/** The same with those that are meant in front. */
function first<Thing>(things: readonly Thing[], meant: (thing: Thing) => boolean): Thing[] {
  return [...things.filter(meant), ...things.filter((thing) => !meant(thing))];
}

function atWork(runs: readonly RunShape[]): string {
  const active = runs.filter((run) => !hasEnded(run)).length;
  return active > 0 ? `${active} at work` : "ended";
}
