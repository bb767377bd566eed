/** Find changes to review in files other than the active one. */

import * as vscode from "vscode";
import { inOrder, kept } from "./describe.ts";
import { after, isOpen } from "./places.ts";
import type { ReviewItem } from "./protocol.ts";
import type { Connection } from "./connection.ts";
import type { Tasks } from "./tasks.ts";

/** Maximum number of files to search. */
const MAX_FILES = 100;

/** Return the first open change in the files after `from`, or the last one in the files before it. The order wraps around. */
export async function nextInOtherFiles(
  connection: Connection,
  tasks: Tasks,
  from: vscode.Uri | undefined,
  forwards: boolean,
): Promise<ReviewItem | undefined> {
  for (const uri of after(changedFiles(tasks), from?.toString(), forwards).slice(0, MAX_FILES)) {
    const { items } = await connection.request("mux.review.list", { uri });
    const waiting = items.filter(isOpen);
    waiting.sort((one, other) => one.range.start.line - other.range.start.line);
    const found = forwards ? waiting[0] : waiting.at(-1);
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

/** Return the URIs of the files that runs have changed, grouped by task and sorted by path. */
function changedFiles(tasks: Tasks): string[] {
  return inOrder(tasks.tasks).flatMap((task) => {
    const root = vscode.Uri.parse(task.repository);
    const paths = kept(task).flatMap((run) => run.files.map((file) => file.path));
    return [...new Set(paths)].sort().map((path) => vscode.Uri.joinPath(root, path).toString());
  });
}
