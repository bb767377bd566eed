/** Install and update the program `mux-lsp` in a terminal that the person sees. */

import { homedir } from "node:os";
import { dirname, join } from "node:path";
import * as vscode from "vscode";
import type { Installer, Tools } from "./candidates.ts";
import { findProgram, installers, programFolders, updaters } from "./candidates.ts";
import { isProgram } from "./locate.ts";

const UV_PAGE = "https://docs.astral.sh/uv/getting-started/installation/";

/** Install the program with one of the available tools. Return whether it succeeded. */
export async function install(): Promise<boolean> {
  return run("Install mux-lsp", installers(await tools()));
}

/** Update the installed program. Return whether it succeeded. */
export async function update(program: string): Promise<boolean> {
  const beside = join(dirname(program), "python");
  return run("Update mux-lsp", updaters((await isProgram(beside)) ? beside : undefined, await tools()));
}

async function tools(): Promise<Tools> {
  const folders = programFolders({ path: process.env["PATH"] ?? "", home: homedir() });
  const path = (tool: string): Promise<string | undefined> =>
    findProgram(folders.map((folder) => join(folder, tool)), isProgram);
  return { uv: await path("uv"), pipx: await path("pipx") };
}

async function run(title: string, available: readonly Installer[]): Promise<boolean> {
  if (available.length === 0) {
    const answer = await vscode.window.showErrorMessage(
      "Neither uv nor pipx was found. Install one of them, or install mux-lsp in another way; then run “Mux: Restart the Connection to mux-lsp”.",
      "How to Install uv",
    );
    if (answer !== undefined) {
      await vscode.env.openExternal(vscode.Uri.parse(UV_PAGE));
    }
    return false;
  }
  const chosen = available.length === 1 ? available[0] : await vscode.window.showQuickPick(available, { title });
  if (chosen === undefined) {
    return false;
  }
  const execution = new vscode.ProcessExecution(chosen.command, [...chosen.args]);
  const task = new vscode.Task({ type: "muxLsp" }, vscode.TaskScope.Workspace, title, "Mux", execution);
  task.presentationOptions = { reveal: vscode.TaskRevealKind.Always };
  return (await exitCode(task)) === 0;
}

/** Run a task of VS Code. Return its exit code. */
function exitCode(task: vscode.Task): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    let execution: vscode.TaskExecution | undefined;
    const early = new Map<vscode.TaskExecution, number | undefined>();
    const listener = vscode.tasks.onDidEndTaskProcess((event) => {
      if (execution === undefined) {
        early.set(event.execution, event.exitCode);
      } else if (event.execution === execution) {
        listener.dispose();
        resolve(event.exitCode);
      }
    });
    vscode.tasks.executeTask(task).then((begun) => {
      execution = begun;
      if (early.has(begun)) {
        listener.dispose();
        resolve(early.get(begun));
      }
    }, reject);
  });
}
