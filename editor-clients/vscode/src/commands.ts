/** What the palette, the view and the keys do with tasks, questions and repositories; the rest has files of its own. */

import * as vscode from "vscode";
import { discard, remove } from "./away.ts";
import type { Filter } from "./describe.ts";
import { kept } from "./describe.ts";
import { meant } from "./folders.ts";
import type { Handlers, Parts } from "./parts.ts";
import type { Answer } from "./permissions.ts";
import { answer, reply } from "./permissions.ts";
import { pickTask } from "./picking.ts";
import { ask, example, start } from "./prompting.ts";
import type { ClientAskParams, TaskShape } from "./protocol.ts";
import { reviewCommands } from "./reviewCommands.ts";
import { runCommands } from "./runCommands.ts";
import type { Tasks } from "./tasks.ts";
import type { Node } from "./tree.ts";
import { FILTERS } from "./tree.ts";
import { review as reviewTrust } from "./trust.ts";

export function register(parts: Parts): vscode.Disposable {
  const handlers = {
    ...taskCommands(parts),
    ...permissionCommands(parts),
    ...repositoryCommands(parts),
    ...runCommands(parts),
    ...reviewCommands(parts),
  };
  return vscode.Disposable.from(
    ...Object.entries(handlers).map(([name, work]) => vscode.commands.registerCommand(name, work)),
  );
}

function taskCommands(parts: Parts): Handlers {
  const { server, tasks, tree, comparisons, memory } = parts;
  const desk = { server, tree, memory };
  /** A command on a task of the view, or on one that is picked among those for which it can be. */
  const on =
    (wanted: (task: TaskShape) => boolean, work: (task: TaskShape) => unknown) =>
    async (node?: Node): Promise<void> => {
      const task = node?.kind === "task" ? tasks.task(node.id) : await pickTask(parts, wanted);
      if (task !== undefined) {
        await server.reporting(() => Promise.resolve(work(task)));
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
    "muxLsp.task.cancel": on(isRunning, (task) => server.request("mux.task.cancel", { task: task.id })),
    "muxLsp.task.pause": on(isRunning, (task) => server.request("mux.task.pause", { task: task.id })),
    "muxLsp.task.resume": on((task) => task.paused, (task) => server.request("mux.task.resume", { task: task.id })),
    "muxLsp.task.discard": on(hasRuns, (task) => discard(server, task.id, "Every run of it is ended and thrown away.")),
    "muxLsp.task.restore": on(
      (task) => task.runs.some((run) => run.discarded !== null),
      (task) => server.request("mux.task.restore", { id: task.id }),
    ),
    "muxLsp.task.delete": on(() => true, (task) => remove(server, task.id)),
    "muxLsp.task.compare": on(hasRuns, (task) => {
      comparisons.show(task);
    }),
    "muxLsp.task.filter": async () => {
      const rows = Object.entries(FILTERS).map(([filter, words]) => ({ label: words, filter: filter as Filter }));
      const chosen = await vscode.window.showQuickPick(rows, { title: "Show in the tasks view" });
      tree.filter = chosen?.filter ?? tree.filter;
    },
    "muxLsp.task.showAll": () => {
      tree.filter = "all";
    },
  };
}

/** Where something is selected, if that is in a file: agents can be told of nothing else. */
function selection(): vscode.TextEditor | undefined {
  const editor = vscode.window.activeTextEditor;
  return editor?.document.uri.scheme === "file" ? editor : undefined;
}

function permissionCommands({ server, tasks }: Parts): Handlers {
  const asked = (node?: Node): ReturnType<Tasks["permission"]> =>
    node?.kind === "permission" ? tasks.permission(node.id) : undefined;
  const replying = (given: Answer) => async (node?: Node): Promise<void> => {
    const permission = asked(node);
    if (permission !== undefined) {
      await reply(server, permission, given);
    }
  };
  return {
    "muxLsp.permission.answer": (node?: Node) => answer(server, tasks, asked(node)),
    "muxLsp.permission.allow": replying("once"),
    "muxLsp.permission.allowRun": replying("run"),
    "muxLsp.permission.allowTask": replying("task"),
    "muxLsp.permission.allowAlways": replying("always"),
    "muxLsp.permission.refuse": replying("refuse"),
  };
}

function repositoryCommands({ server, verification }: Parts): Handlers {
  return {
    "muxLsp.verify": async () => verification.verify({ repository: await meant(server) }),
    "muxLsp.verdict.show": () => verification.show(),
    "muxLsp.repository.trust": async () => reviewTrust(server, await meant(server)),
  };
}
