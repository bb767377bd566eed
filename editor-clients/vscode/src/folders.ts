/** The folders that are open, the repositories in and around them, and which of them is meant. */

import { realpathSync } from "node:fs";
import * as vscode from "vscode";
import { spelled } from "./describe.ts";
import type { Server } from "./server.ts";
import { label } from "./text.ts";

/** The URI of a repository, or of what is in one, as this window spells it; undefined where it is that of no folder that is open. */
export function ours(repository: string): string | undefined {
  const folders = vscode.workspace.workspaceFolders ?? [];
  return spelled(
    vscode.Uri.parse(repository).toString(),
    folders.map(({ uri }) => ({ uri: uri.toString(), real: real(uri) })),
  );
}

/** Where something is asked for: in the folder of the file one works on, else in the first; and in a repository of its own
 * in which the file is below that folder. */
export async function meant(server: Server): Promise<string | null> {
  const folder = current()?.uri.toString() ?? null;
  const uri = vscode.window.activeTextEditor?.document.uri;
  if (folder === null || uri === undefined || vscode.workspace.getWorkspaceFolder(uri) === undefined) {
    return folder;
  }
  const found = await server.quietly(() => server.request("mux.repository.get", { repository: uri.toString() }));
  const repository = found && ours(found.repository);
  return repository?.startsWith(`${folder}/`) === true ? repository : folder;
}

/** Of several folders, in words which one is meant. */
export function where(): string {
  const found = current();
  return found !== undefined && (vscode.workspace.workspaceFolders ?? []).length > 1 ? ` in ${label(found.name)}` : "";
}

function current(): vscode.WorkspaceFolder | undefined {
  const uri = vscode.window.activeTextEditor?.document.uri;
  return (uri && vscode.workspace.getWorkspaceFolder(uri)) ?? vscode.workspace.workspaceFolders?.[0];
}

/** Where folders really are, by their URIs: asked for with each task that is told of, and the disk may be far away. */
const reals = new Map<string, string>();

/** The URI of where a folder is once links have been followed: git names it so. */
function real(uri: vscode.Uri): string {
  const spelling = uri.toString();
  try {
    const found = reals.get(spelling) ?? vscode.Uri.file(realpathSync(uri.fsPath)).toString();
    reals.set(spelling, found);
    return found;
  } catch {
    return spelling;
  }
}
