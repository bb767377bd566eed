/** Show notifications and the status bar item. */

import * as vscode from "vscode";
import { hasEnded, kept } from "./describe.ts";
import { windowUri } from "./folders.ts";
import { notify } from "./permissions.ts";
import type { TaskShape } from "./protocol.ts";
import type { Connection } from "./connection.ts";
import type { Tasks } from "./tasks.ts";
import { count, message, short } from "./text.ts";

/** Maximum characters of a prompt in a notification. */
const MAX_PROMPT = 60;

/** Notify of permission requests, failed tasks, limits, and tasks that finished while the window had no focus. */
export function notices(connection: Connection, tasks: Tasks): vscode.Disposable {
  const level = (): string => vscode.workspace.getConfiguration("muxLsp").get("notifications", "all");
  connection.on("mux/limitReached", ({ message: words, stopped, scope, of }) => {
    const isOurs = scope === "day" || of === null || (scope === "repository" ? windowUri(of) !== undefined : isKnown(tasks, of));
    if (isOurs && (stopped ? level() !== "none" : level() === "all")) {
      void (stopped ? vscode.window.showErrorMessage(message(words)) : vscode.window.showWarningMessage(message(words)));
    }
  });
  return vscode.Disposable.from(
    tasks.onDidRequestPermission((request) => {
      // The view and the status bar show requests of all repositories; only the window on the repository notifies.
      if (level() !== "none" && isKnown(tasks, request.task)) {
        void notify(connection, tasks, request);
      }
    }),
    tasks.onDidChangeRunState(({ task, run }) => {
      if (level() === "all" && hasEnded(run) && run.discarded === null && kept(task).every(hasEnded)) {
        void ended(task);
      }
    }),
  );
}

function isKnown(tasks: Tasks, id: string): boolean {
  return tasks.task(id) !== undefined || tasks.run(id) !== undefined;
}

async function ended(task: TaskShape): Promise<void> {
  const failed = kept(task).filter((run) => run.state === "failed" || run.state === "interrupted");
  const finished = kept(task).filter((run) => run.state === "finished");
  const name = `${task.id} “${short(task.prompt, MAX_PROMPT)}”`;
  const buttons = finished.length > 1 ? ["Show", "Compare"] : ["Show"];
  let answer: string | undefined;
  if (failed.length > 0 && finished.length === 0) {
    const reason = failed[0]?.reason ?? "";
    answer = await vscode.window.showWarningMessage(message(`${name} failed. ${reason}`), ...buttons);
  } else if (finished.length > 0 && !vscode.window.state.focused) {
    const others = failed.length > 0 ? `, ${failed.length} failed` : "";
    const words = `${name} has finished: ${count(finished.length, "run")} to review${others}.`;
    answer = await vscode.window.showInformationMessage(message(words), ...buttons);
  }
  const node = { kind: "task", id: task.id };
  if (answer === "Show") {
    await vscode.commands.executeCommand("muxLsp.task.reveal", node);
  } else if (answer === "Compare") {
    await vscode.commands.executeCommand("muxLsp.task.compare", node);
  }
}

/** Create the status bar item: the connection, running runs and open permission requests. */
export function statusBar(connection: Connection, tasks: Tasks): vscode.Disposable {
  const item = vscode.window.createStatusBarItem("muxLsp.status", vscode.StatusBarAlignment.Left, 0);
  item.name = "Mux";
  const draw = (): void => {
    const waiting = tasks.permissions.length;
    const active = tasks.tasks.flatMap((task) => task.runs).filter((run) => !hasEnded(run)).length;
    item.command = "muxLsp.tasks.focus";
    item.backgroundColor = undefined;
    switch (connection.state) {
      case "running":
        item.text =
          waiting > 0
            ? `$(question) Mux: ${count(waiting, "question")}`
            : active > 0
              ? `$(sync~spin) Mux: ${count(active, "run")}`
              : "$(git-branch) Mux";
        item.tooltip = `mux-lsp ${connection.version}`;
        if (waiting > 0) {
          item.backgroundColor = new vscode.ThemeColor("statusBarItem.warningBackground");
          item.command = "muxLsp.permission.answer";
        }
        break;
      case "starting":
        item.text = "$(loading~spin) Mux: connecting";
        item.tooltip = "Connecting to mux-lsp";
        break;
      case "missing":
        item.text = "$(warning) Mux: not installed";
        item.tooltip = "The program mux-lsp was not found";
        item.command = "muxLsp.server.install";
        break;
      default:
        item.text = "$(error) Mux: no connection";
        item.tooltip = "No connection to mux-lsp";
        item.command = "muxLsp.server.restart";
    }
    item.accessibilityInformation = { label: item.text.replace(/\$\([^)]*\) /, "") };
  };
  draw();
  item.show();
  return vscode.Disposable.from(item, tasks.onDidChange(draw), connection.onDidChangeState(draw));
}
