/** What agents ask leave for: a notification, and answers from the view. */

import * as vscode from "vscode";
import type { PermissionReplyParams, PermissionShape } from "./protocol.ts";
import type { Server } from "./server.ts";
import type { Tasks } from "./tasks.ts";
import { exact, label, short, unlinked } from "./text.ts";

const LOOK = "Look at It…";

export type Answer = PermissionReplyParams["answer"];

/** The answers there are; `button` is what fits into a notification beside the others. */
const ANSWERS: readonly { label: string; button: string; answer: Answer; detail: string }[] = [
  { label: "Allow Once", button: "Once", answer: "once", detail: "for those that wait now" },
  { label: "Allow for the Run", button: "For Run", answer: "run", detail: "whenever they ask the same" },
  { label: "Allow for the Task", button: "For Task", answer: "task", detail: "whenever a run of the task asks the same" },
  { label: "Always Allow Here", button: "Always", answer: "always", detail: "in this repository, from now on" },
  { label: "Refuse…", button: "Refuse", answer: "refuse", detail: "with a reason that the agent reads" },
];

/** So much can be seen at once, in a notification and in a list; VS Code cuts what is longer. */
const SEEN = 300;

/** Ask by a notification. Closing it leaves the question in the view. */
export async function notify(server: Server, tasks: Tasks, asked: PermissionShape): Promise<void> {
  const who = `${asked.runs.join(", ")} asks for leave: `;
  const pressed = isSeen(asked)
    ? await vscode.window.showWarningMessage(unlinked(`${who}${exact(words(asked))} Allow it?`), ...ANSWERS.map((one) => one.button))
    : await vscode.window.showWarningMessage(unlinked(`${who}${short(words(asked), SEEN / 2)}`), LOOK, "Refuse");
  // Somebody may have answered while the notification was there.
  if (pressed === undefined || tasks.permission(asked.id) === undefined) {
    return;
  }
  const chosen = ANSWERS.find((one) => one.button === pressed);
  await (chosen === undefined ? answer(server, tasks, asked) : reply(server, asked, chosen.answer));
}

/** Answer a question of the view, or one that is picked. */
export async function answer(server: Server, tasks: Tasks, asked: PermissionShape | undefined): Promise<void> {
  const one = asked ?? (await pick(tasks.permissions));
  if (one === undefined) {
    return;
  }
  const chosen = isSeen(one) ? await choose(one) : await look(one);
  if (chosen !== undefined) {
    await reply(server, one, chosen.answer);
  }
}

function choose(one: PermissionShape): Thenable<(typeof ANSWERS)[number] | undefined> {
  return vscode.window.showQuickPick(ANSWERS, {
    title: "What an agent asks leave for",
    placeHolder: exact(words(one)),
    ignoreFocusOut: true,
  });
}

/** All of it, line by line: that takes a dialog. */
async function look(one: PermissionShape): Promise<(typeof ANSWERS)[number] | undefined> {
  const options = { modal: true, detail: one.subject.split("\n").map(exact).join("\n") };
  const title = `${one.runs.join(", ")} asks for leave: ${short(one.title, SEEN / 4)}`;
  const pressed = await vscode.window.showWarningMessage(title, options, ...ANSWERS.map((answer) => answer.label));
  return ANSWERS.find((answer) => answer.label === pressed);
}

/** What is asked for, in words that hold all of it. */
function words({ title, subject }: PermissionShape): string {
  return title.includes(subject) || title.includes(exact(subject)) ? title : `${title} — ${subject}`;
}

function isSeen(asked: PermissionShape): boolean {
  return words(asked).length <= SEEN && !asked.subject.includes("\n");
}

export async function reply(server: Server, asked: PermissionShape, given: Answer): Promise<void> {
  const reason =
    given === "refuse"
      ? await vscode.window.showInputBox({
          title: `Refuse ${label(asked.title)}`,
          prompt: "Why, in words that the agent reads. May be empty.",
        })
      : undefined;
  if (given === "refuse" && reason === undefined) {
    return;
  }
  await server.reporting(() =>
    server.request("mux.permission.reply", {
      id: asked.id,
      answer: given,
      reason: reason === undefined || reason === "" ? null : reason,
    }),
  );
}

async function pick(open: readonly PermissionShape[]): Promise<PermissionShape | undefined> {
  if (open.length < 2) {
    return open[0];
  }
  const items = open.map((one) => ({ label: label(one.title), description: one.runs.join(", "), one }));
  return (await vscode.window.showQuickPick(items, { title: "What agents ask", ignoreFocusOut: true }))?.one;
}
