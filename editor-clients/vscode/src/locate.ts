/** Find the program `mux-lsp` on this machine. */

import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { homedir } from "node:os";
import * as vscode from "vscode";
import { candidates, findProgram, interpreter } from "./candidates.ts";

const PYTHON_EXTENSION = "ms-python.python";

/** The part of the Python extension's API that is used here. */
interface PythonApi {
  readonly environments?: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { readonly path: string };
    onDidChangeActiveEnvironmentPath?: vscode.Event<unknown>;
  };
}

/** Return the path of the program; undefined where it is not found. */
export async function locate(): Promise<string | undefined> {
  const python = vscode.extensions.getExtension<PythonApi>(PYTHON_EXTENSION);
  const found = await search(python?.isActive === true ? python.exports : undefined);
  if (found !== undefined || isSet() || python === undefined || python.isActive) {
    return found;
  }
  // Activating the Python extension takes longer than the whole search: only where the program is nowhere else.
  return search(await Promise.resolve(python.activate()).catch(() => undefined));
}

/** Subscribe to changes of the selected Python environment. No event comes while the Python extension is not active. */
export function onDidSelectPython(listener: () => void): vscode.Disposable {
  const extension = vscode.extensions.getExtension<PythonApi>(PYTHON_EXTENSION);
  const environments = extension?.isActive === true ? extension.exports.environments : undefined;
  return environments?.onDidChangeActiveEnvironmentPath?.(listener) ?? new vscode.Disposable(() => undefined);
}

/** Return whether the setting `muxLsp.path` is set. */
export function isSet(): boolean {
  return setting() !== "";
}

/** Return whether a path is an executable file. */
export async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

function search(python: PythonApi | undefined): Promise<string | undefined> {
  const paths = candidates({
    setting: setting(),
    pythons: pythons(python),
    folders: folders().map((folder) => folder.fsPath),
    path: process.env["PATH"] ?? "",
    home: homedir(),
  });
  return findProgram(paths, isProgram);
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
