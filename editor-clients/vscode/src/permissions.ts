/** Show the permission requests of agents in notifications, and answer them there or from the view. */

import * as vscode from "vscode";
import type { PermissionReplyParams, PermissionShape } from "./protocol.ts";
import type { Connection } from "./connection.ts";
import type { Tasks } from "./tasks.ts";
import { exact, label, short, unlinked } from "./text.ts";

const DETAILS = "Show Details…";

export type Answer = PermissionReplyParams["answer"];

/** The possible answers; `button` is the short form for a notification. */
const ANSWERS: readonly { label: string; button: string; answer: Answer; detail: string }[] = [
  { label: "Allow Once", button: "Once", answer: "once", detail: "this request only" },
  { label: "Allow for the Run", button: "For Run", answer: "run", detail: "the same request of this run from now on" },
  { label: "Allow for the Task", button: "For Task", answer: "task", detail: "the same request of any run of the task" },
  { label: "Always Allow Here", button: "Always", answer: "always", detail: "in this repository, from now on" },
  { label: "Refuse…", button: "Refuse", answer: "refuse", detail: "with a reason for the agent" },
];

/** Maximum characters that VS Code shows in a notification or a list; it cuts longer text. */
const MAX_VISIBLE = 300;

/** Show a request in a notification. Where it is closed, the request stays open in the view. */
export async function notify(connection: Connection, tasks: Tasks, asked: PermissionShape): Promise<void> {
  const title = titleOf(asked);
  const pressed = fits(asked)
    ? await vscode.window.showWarningMessage(unlinked(`${title}${exact(words(asked))} Allow it?`), ...ANSWERS.map((one) => one.button))
    : await vscode.window.showWarningMessage(unlinked(`${title}${short(words(asked), MAX_VISIBLE / 2)}`), DETAILS, "Refuse");
  // The request may have been answered elsewhere while the notification was open.
  if (pressed === undefined || tasks.permission(asked.id) === undefined) {
    return;
  }
  const chosen = ANSWERS.find((one) => one.button === pressed);
  await (chosen === undefined ? answer(connection, tasks, asked) : reply(connection, asked, chosen.answer));
}

/** Answer a request; without one, let the person pick one. */
export async function answer(connection: Connection, tasks: Tasks, asked: PermissionShape | undefined): Promise<void> {
  const one = asked ?? (await pick(tasks.permissions));
  if (one === undefined) {
    return;
  }
  const chosen = fits(one) ? await choose(one) : await chooseInDialog(one);
  if (chosen !== undefined) {
    await reply(connection, one, chosen.answer);
  }
}

function choose(one: PermissionShape): Thenable<(typeof ANSWERS)[number] | undefined> {
  return vscode.window.showQuickPick(ANSWERS, {
    title: "Permission Request",
    placeHolder: exact(words(one)),
    ignoreFocusOut: true,
  });
}

/** Choose an answer in a dialog, which shows all lines of a long request. */
async function chooseInDialog(one: PermissionShape): Promise<(typeof ANSWERS)[number] | undefined> {
  const options = { modal: true, detail: one.subject.split("\n").map(exact).join("\n") };
  const title = `${titleOf(one)}${short(one.title, MAX_VISIBLE / 4)}`;
  const pressed = await vscode.window.showWarningMessage(title, options, ...ANSWERS.map((answer) => answer.label));
  return ANSWERS.find((answer) => answer.label === pressed);
}

/** Return the start of a message about a request: the runs that make it. */
function titleOf(asked: PermissionShape): string {
  return `Permission request of ${asked.runs.join(", ")}: `;
}

/** Return the request with its whole subject. */
function words({ title, subject }: PermissionShape): string {
  return title.includes(subject) || title.includes(exact(subject)) ? title : `${title} — ${subject}`;
}

/** Return whether VS Code shows a request without cutting it. */
function fits(asked: PermissionShape): boolean {
  return words(asked).length <= MAX_VISIBLE && !asked.subject.includes("\n");
}

/** Send an answer; ask for a reason first, where it is a refusal. */
export async function reply(connection: Connection, asked: PermissionShape, chosen: Answer): Promise<void> {
  const reason =
    chosen === "refuse"
      ? await vscode.window.showInputBox({
          title: `Refuse ${label(asked.title)}`,
          prompt: "The reason, for the agent to read. Optional.",
        })
      : undefined;
  if (chosen === "refuse" && reason === undefined) {
    return;
  }
  await connection.reporting(() =>
    connection.request("mux.permission.reply", {
      id: asked.id,
      answer: chosen,
      reason: reason === undefined || reason === "" ? null : reason,
    }),
  );
}

async function pick(open: readonly PermissionShape[]): Promise<PermissionShape | undefined> {
  if (open.length < 2) {
    return open[0];
  }
  const items = open.map((one) => ({ label: label(one.title), description: one.runs.join(", "), one }));
  return (await vscode.window.showQuickPick(items, { title: "Permission Requests", ignoreFocusOut: true }))?.one;
}
