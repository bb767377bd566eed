/** Register all commands. Those on tasks, permission requests and repositories are here, the others in files of their own. */

import * as vscode from "vscode";
import { discard, remove } from "./confirmDiscard.ts";
import type { Filter } from "./describe.ts";
import { kept } from "./describe.ts";
import { currentRepository } from "./folders.ts";
import type { Context, Handlers } from "./context.ts";
import type { Answer } from "./permissions.ts";
import { answer, reply } from "./permissions.ts";
import { pickTask } from "./pickTask.ts";
import { ask, example, start } from "./prompting.ts";
import type { ClientAskParams, TaskShape } from "./protocol.ts";
import { reviewCommands } from "./reviewCommands.ts";
import { runCommands } from "./runCommands.ts";
import type { Tasks } from "./tasks.ts";
import { FILTERS } from "./tree.ts";
import type { Node } from "./treeNode.ts";
import { review as reviewTrust } from "./trust.ts";

export function register(context: Context): vscode.Disposable {
  const handlers = {
    ...taskCommands(context),
    ...permissionCommands(context),
    ...repositoryCommands(context),
    ...runCommands(context),
    ...reviewCommands(context),
  };
  return vscode.Disposable.from(
    ...Object.entries(handlers).map(([name, work]) => vscode.commands.registerCommand(name, work)),
  );
}

function taskCommands(context: Context): Handlers {
  const { connection, tasks, tree, comparisons, memory } = context;
  const desk = { connection, tree, memory };
  /** A command on the task of a row; without a row, on one picked from the tasks that the command applies to. */
  const on =
    (applies: (task: TaskShape) => boolean, work: (task: TaskShape) => unknown) =>
    async (node?: Node): Promise<void> => {
      const task = node?.kind === "task" ? tasks.task(node.id) : await pickTask(context, applies);
      if (task !== undefined) {
        await connection.reporting(() => Promise.resolve(work(task)));
      }
    };
  const isRunning = (task: TaskShape): boolean => task.state === "running";
  const hasRuns = (task: TaskShape): boolean => kept(task).length > 0;
  return {
    "muxLsp.task.start": () => start(desk),
    "muxLsp.task.startFromSelection": () => start(desk, selection()),
    "muxLsp.task.example": () => example(desk),
    "mux.client.ask": (wanted: ClientAskParams) => ask(desk, wanted),
    "muxLsp.task.reveal": on(hasRuns, (task) => tree.reveal(task.id)),
    "muxLsp.task.cancel": on(isRunning, (task) => connection.request("mux.task.cancel", { task: task.id })),
    "muxLsp.task.pause": on(isRunning, (task) => connection.request("mux.task.pause", { task: task.id })),
    "muxLsp.task.resume": on((task) => task.paused, (task) => connection.request("mux.task.resume", { task: task.id })),
    "muxLsp.task.discard": on(hasRuns, (task) => discard(connection, task.id, "All of its runs are stopped and discarded.")),
    "muxLsp.task.restore": on(
      (task) => task.runs.some((run) => run.discarded !== null),
      (task) => connection.request("mux.task.restore", { id: task.id }),
    ),
    "muxLsp.task.delete": on(() => true, (task) => remove(connection, task.id)),
    "muxLsp.task.compare": on(hasRuns, (task) => {
      comparisons.show(task);
    }),
    "muxLsp.task.filter": async () => {
      const rows = Object.entries(FILTERS).map(([filter, words]) => ({ label: words, filter: filter as Filter }));
      const chosen = await vscode.window.showQuickPick(rows, { title: "Tasks to Show" });
      tree.filter = chosen?.filter ?? tree.filter;
    },
    "muxLsp.task.showAll": () => {
      tree.filter = "all";
    },
  };
}

/** Return the active editor if it shows a file: the context of a prompt must be in a file. */
function selection(): vscode.TextEditor | undefined {
  const editor = vscode.window.activeTextEditor;
  return editor?.document.uri.scheme === "file" ? editor : undefined;
}

function permissionCommands({ connection, tasks }: Context): Handlers {
  const requestOf = (node?: Node): ReturnType<Tasks["permission"]> =>
    node?.kind === "permission" ? tasks.permission(node.id) : undefined;
  const replying = (chosen: Answer) => async (node?: Node): Promise<void> => {
    const permission = requestOf(node);
    if (permission !== undefined) {
      await reply(connection, permission, chosen);
    }
  };
  return {
    "muxLsp.permission.answer": (node?: Node) => answer(connection, tasks, requestOf(node)),
    "muxLsp.permission.allow": replying("once"),
    "muxLsp.permission.allowRun": replying("run"),
    "muxLsp.permission.allowTask": replying("task"),
    "muxLsp.permission.allowAlways": replying("always"),
    "muxLsp.permission.refuse": replying("refuse"),
  };
}

function repositoryCommands({ connection, verification }: Context): Handlers {
  return {
    "muxLsp.verify": async () => verification.verify({ repository: await currentRepository(connection) }),
    "muxLsp.verdict.show": () => verification.show(),
    "muxLsp.repository.trust": async () => reviewTrust(connection, await currentRepository(connection)),
  };
}
