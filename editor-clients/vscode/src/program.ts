/** The program `mux-lsp` on this machine: where it is, and how to get it. */

import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import * as vscode from "vscode";
import type { Installer, Tools } from "./find.ts";
import { candidates, find, installers, interpreter, programFolders, updaters } from "./find.ts";

const PYTHON_EXTENSION = "ms-python.python";

const UV_PAGE = "https://docs.astral.sh/uv/getting-started/installation/";

/** What of the Python extension's API is used here (its `environments`). */
interface PythonApi {
  readonly environments?: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { readonly path: string };
    onDidChangeActiveEnvironmentPath?: vscode.Event<unknown>;
  };
}

/** The program, or undefined where it is not. */
export async function locate(): Promise<string | undefined> {
  const python = vscode.extensions.getExtension<PythonApi>(PYTHON_EXTENSION);
  const found = await look(python?.isActive === true ? python.exports : undefined);
  if (found !== undefined || isSet() || python === undefined || python.isActive) {
    return found;
  }
  // The Python extension is started for this only where the program is nowhere else: that takes longer than all else.
  return look(await Promise.resolve(python.activate()).catch(() => undefined));
}

/** Be told when another Python environment is selected, as far as the Python extension is at work by now. */
export function onDidSelectPython(listener: () => void): vscode.Disposable {
  const extension = vscode.extensions.getExtension<PythonApi>(PYTHON_EXTENSION);
  const environments = extension?.isActive === true ? extension.exports.environments : undefined;
  return environments?.onDidChangeActiveEnvironmentPath?.(listener) ?? new vscode.Disposable(() => undefined);
}

/** Install it with a tool that is there, in a terminal where the person sees what happens. Whether it worked. */
export async function install(): Promise<boolean> {
  return run("Install mux-lsp", installers(await tools()));
}

/** Bring it up to date in the same way. */
export async function update(program: string): Promise<boolean> {
  const beside = join(dirname(program), "python");
  return run("Update mux-lsp", updaters((await isProgram(beside)) ? beside : undefined, await tools()));
}

/** Whether the setting says where it is. */
export function isSet(): boolean {
  return setting() !== "";
}

function look(python: PythonApi | undefined): Promise<string | undefined> {
  const paths = candidates({
    setting: setting(),
    pythons: pythons(python),
    folders: folders().map((folder) => folder.fsPath),
    path: process.env["PATH"] ?? "",
    home: homedir(),
  });
  return find(paths, isProgram);
}

function setting(): string {
  return vscode.workspace.getConfiguration("muxLsp").get("path", "").trim();
}

function folders(): vscode.Uri[] {
  return (vscode.workspace.workspaceFolders ?? []).map((folder) => folder.uri).filter((uri) => uri.scheme === "file");
}

function pythons(api: PythonApi | undefined): string[] {
  return folders().flatMap((folder) => {
    const configured = vscode.workspace.getConfiguration("python", folder).get("defaultInterpreterPath", "");
    const active = api?.environments?.getActiveEnvironmentPath(folder).path ?? "";
    return [active, configured]
      .map((path) => interpreter(path, folder.fsPath, homedir()))
      .filter((path) => path !== undefined);
  });
}

async function tools(): Promise<Tools> {
  const folders = programFolders({ path: process.env["PATH"] ?? "", home: homedir() });
  const path = (tool: string): Promise<string | undefined> => find(folders.map((folder) => join(folder, tool)), isProgram);
  return { uv: await path("uv"), pipx: await path("pipx") };
}

async function run(title: string, offers: readonly Installer[]): Promise<boolean> {
  if (offers.length === 0) {
    const answer = await vscode.window.showErrorMessage(
      "Neither uv nor pipx is here. Install one of them, or mux-lsp in another way; then “Mux: Restart the Connection to mux-lsp”.",
      "How to Install uv",
    );
    if (answer !== undefined) {
      await vscode.env.openExternal(vscode.Uri.parse(UV_PAGE));
    }
    return false;
  }
  const chosen = offers.length === 1 ? offers[0] : await vscode.window.showQuickPick(offers, { title });
  if (chosen === undefined) {
    return false;
  }
  const execution = new vscode.ProcessExecution(chosen.command, [...chosen.args]);
  const task = new vscode.Task({ type: "muxLsp" }, vscode.TaskScope.Workspace, title, "Mux", execution);
  task.presentationOptions = { reveal: vscode.TaskRevealKind.Always };
  return (await ended(task)) === 0;
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

function ended(task: vscode.Task): Promise<number | undefined> {
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
