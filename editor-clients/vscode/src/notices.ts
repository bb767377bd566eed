/** Notifications that do not nag, and the status bar. */

import * as vscode from "vscode";
import { hasEnded, kept } from "./describe.ts";
import { ours } from "./folders.ts";
import { notify } from "./permissions.ts";
import type { TaskShape } from "./protocol.ts";
import type { Server } from "./server.ts";
import type { Tasks } from "./tasks.ts";
import { count, message, short } from "./text.ts";

const PROMPT = 60;

/** Tell of what needs the person: asked for leave, failed, finished while they were away, no money left. */
export function notices(server: Server, tasks: Tasks): vscode.Disposable {
  const wanted = (): string => vscode.workspace.getConfiguration("muxLsp").get("notifications", "all");
  server.on("mux/limitReached", ({ message: words, stopped, scope, of }) => {
    const isOurs = scope === "day" || of === null || (scope === "repository" ? ours(of) !== undefined : isKnown(tasks, of));
    if (isOurs && (stopped ? wanted() !== "none" : wanted() === "all")) {
      void (stopped ? vscode.window.showErrorMessage(message(words)) : vscode.window.showWarningMessage(message(words)));
    }
  });
  return vscode.Disposable.from(
    tasks.onDidAsk((asked) => {
      // Of a folder that is open in another window that window tells; the view and the status bar here have it too.
      if (wanted() !== "none" && isKnown(tasks, asked.task)) {
        void notify(server, tasks, asked);
      }
    }),
    tasks.onDidTurn(({ task, run }) => {
      if (wanted() === "all" && hasEnded(run) && run.discarded === null && kept(task).every(hasEnded)) {
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
  const name = `${task.id} “${short(task.prompt, PROMPT)}”`;
  const ways = finished.length > 1 ? ["Show", "Compare"] : ["Show"];
  let answer: string | undefined;
  if (failed.length > 0 && finished.length === 0) {
    const reason = failed[0]?.reason ?? "";
    answer = await vscode.window.showWarningMessage(message(`${name} failed. ${reason}`), ...ways);
  } else if (finished.length > 0 && !vscode.window.state.focused) {
    const others = failed.length > 0 ? `, ${failed.length} failed` : "";
    const words = `${name} has finished: ${count(finished.length, "run")} to review${others}.`;
    answer = await vscode.window.showInformationMessage(message(words), ...ways);
  }
  const node = { kind: "task", id: task.id };
  if (answer === "Show") {
    await vscode.commands.executeCommand("muxLsp.task.reveal", node);
  } else if (answer === "Compare") {
    await vscode.commands.executeCommand("muxLsp.task.compare", node);
  }
}

/** One item: what is going on, and whether somebody is needed. */
export function statusBar(server: Server, tasks: Tasks): vscode.Disposable {
  const item = vscode.window.createStatusBarItem("muxLsp.status", vscode.StatusBarAlignment.Left, 0);
  item.name = "Mux";
  const draw = (): void => {
    const waiting = tasks.permissions.length;
    const active = tasks.tasks.flatMap((task) => task.runs).filter((run) => !hasEnded(run)).length;
    item.command = "muxLsp.tasks.focus";
    item.backgroundColor = undefined;
    switch (server.state) {
      case "running":
        item.text =
          waiting > 0
            ? `$(question) Mux: ${count(waiting, "question")}`
            : active > 0
              ? `$(sync~spin) Mux: ${count(active, "run")}`
              : "$(git-branch) Mux";
        item.tooltip = `mux-lsp ${server.version}`;
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
  return vscode.Disposable.from(item, tasks.onDidChange(draw), server.onDidChangeState(draw));
}
