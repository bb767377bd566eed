/** Pick a task or a run for a command without an argument. The one of the change at the cursor is first, the rest as in the
 * view. */

import * as vscode from "vscode";
import { hasEnded, inOrder, runDescription } from "./describe.ts";
import type { Context } from "./context.ts";
import type { RunShape, TaskShape } from "./protocol.ts";
import { taskOf } from "./tasks.ts";
import { label, short } from "./text.ts";

/** Maximum characters of a prompt in a list. */
const MAX_PROMPT = 60;

/** Pick one of the tasks that a command applies to; undefined where the person cancels. */
export async function pickTask(
  { tasks, review }: Context,
  applies: (task: TaskShape) => boolean,
): Promise<TaskShape | undefined> {
  const here = review.here()?.variant.run ?? "";
  const found = first(inOrder(tasks.tasks).filter(applies), (task) => task.id === taskOf(here));
  const items = found.map((task) => ({
    label: label(short(task.prompt, MAX_PROMPT)),
    description: `${task.id} · ${activity(task.runs)}`,
    task,
  }));
  return (await pick(items, "Task"))?.task;
}

/** Pick one of the runs that a command applies to; undefined where the person cancels. */
export async function pickRun(
  { tasks, review }: Context,
  applies: (run: RunShape) => boolean,
): Promise<RunShape | undefined> {
  const here = review.here()?.variant.run;
  const all = inOrder(tasks.tasks).flatMap((task) => task.runs.filter(applies).map((run) => ({ run, task })));
  const found = first(all, ({ run }) => run.id === here);
  const items = found.map(({ run, task }) => ({
    label: run.id,
    description: label(runDescription(run)),
    detail: label(short(task.prompt, MAX_PROMPT)),
    run,
  }));
  return (await pick(items, "Run"))?.run;
}

async function pick<Item extends vscode.QuickPickItem>(items: Item[], what: "Task" | "Run"): Promise<Item | undefined> {
  if (items.length === 0) {
    void vscode.window.showInformationMessage(`There is no ${what.toLowerCase()} that this applies to.`);
    return undefined;
  }
  return vscode.window.showQuickPick(items, { title: what, ignoreFocusOut: true });
}

/** Sort the preferred things to the front. */
function first<Thing>(things: readonly Thing[], isPreferred: (thing: Thing) => boolean): Thing[] {
  return [...things.filter(isPreferred), ...things.filter((thing) => !isPreferred(thing))];
}

function activity(runs: readonly RunShape[]): string {
  const active = runs.filter((run) => !hasEnded(run)).length;
  return active > 0 ? `${active} running` : "ended";
}
