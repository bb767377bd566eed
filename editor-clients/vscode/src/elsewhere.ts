/** Places to review in other files than the one that is shown. */

import * as vscode from "vscode";
import { inOrder, kept } from "./describe.ts";
import { after, waits } from "./places.ts";
import type { ReviewItem } from "./protocol.ts";
import type { Server } from "./server.ts";
import type { Tasks } from "./tasks.ts";

/** So many files are asked about at the most. */
const MOST = 100;

/** The first change that waits in the files behind this one, or the last in those before it, around the end. */
export async function elsewhere(
  server: Server,
  tasks: Tasks,
  from: vscode.Uri | undefined,
  forwards: boolean,
): Promise<ReviewItem | undefined> {
  for (const uri of after(changed(tasks), from?.toString(), forwards).slice(0, MOST)) {
    const { items } = await server.request("mux.review.list", { uri });
    const waiting = items.filter(waits);
    waiting.sort((one, other) => one.range.start.line - other.range.start.line);
    const found = forwards ? waiting[0] : waiting.at(-1);
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

/** The files that runs have changed, by their URIs: those of one task together, in the order of their names. */
function changed(tasks: Tasks): string[] {
  return inOrder(tasks.tasks).flatMap((task) => {
    const root = vscode.Uri.parse(task.repository);
    const paths = kept(task).flatMap((run) => run.files.map((file) => file.path));
    return [...new Set(paths)].sort().map((path) => vscode.Uri.joinPath(root, path).toString());
  });
}
