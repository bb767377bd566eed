/** Relate the daemon's repositories to the open folders, and find the one that a command is about. */

import { realpathSync } from "node:fs";
import * as vscode from "vscode";
import { spelled } from "./describe.ts";
import type { Connection } from "./connection.ts";
import { label } from "./text.ts";

/** Return the URI that this window has for a repository or a file in one; undefined where it is not in an open folder. */
export function windowUri(repository: string): string | undefined {
  const folders = vscode.workspace.workspaceFolders ?? [];
  return spelled(
    vscode.Uri.parse(repository).toString(),
    folders.map(({ uri }) => ({ uri: uri.toString(), real: realUri(uri) })),
  );
}

/** Return the repository that a command without an argument is about: the folder of the active file, else the first folder;
 * or the repository below that folder that the active file is in. */
export async function currentRepository(connection: Connection): Promise<string | null> {
  const folder = currentFolder()?.uri.toString() ?? null;
  const uri = vscode.window.activeTextEditor?.document.uri;
  if (folder === null || uri === undefined || vscode.workspace.getWorkspaceFolder(uri) === undefined) {
    return folder;
  }
  const found = await connection.quietly(() => connection.request("mux.repository.get", { repository: uri.toString() }));
  const repository = found && windowUri(found.repository);
  return repository?.startsWith(`${folder}/`) === true ? repository : folder;
}

/** Return the current folder as the end of a title, ` in NAME`, where several are open. */
export function inFolder(): string {
  const found = currentFolder();
  return found !== undefined && (vscode.workspace.workspaceFolders ?? []).length > 1 ? ` in ${label(found.name)}` : "";
}

function currentFolder(): vscode.WorkspaceFolder | undefined {
  const uri = vscode.window.activeTextEditor?.document.uri;
  return (uri && vscode.workspace.getWorkspaceFolder(uri)) ?? vscode.workspace.workspaceFolders?.[0];
}

/** The URIs of real paths, by the URIs of folders. Cached, since each event of a task needs them and the disk may be remote. */
const realUris = new Map<string, string>();

/** Return the URI of a folder with links resolved, as git has it. */
function realUri(uri: vscode.Uri): string {
  const spelling = uri.toString();
  try {
    const found = realUris.get(spelling) ?? vscode.Uri.file(realpathSync(uri.fsPath)).toString();
    realUris.set(spelling, found);
    return found;
  } catch {
    return spelling;
  }
}
