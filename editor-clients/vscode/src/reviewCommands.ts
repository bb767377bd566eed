/** The commands on the places of an editor, for keys, the palette, code lenses and code actions. */

import * as vscode from "vscode";
import { diffOf } from "./addresses.ts";
import type { Context, Handlers } from "./context.ts";
import { nextInOtherFiles } from "./otherFiles.ts";
import type { ClientDiffParams, ClientMergeParams } from "./protocol.ts";

export function reviewCommands(context: Context): Handlers {
  const { review, diffs, merges } = context;
  return {
    "muxLsp.review.next": () => go(context, true),
    "muxLsp.review.previous": () => go(context, false),
    "muxLsp.review.accept": (thread?: vscode.CommentThread) => review.accept(thread),
    "muxLsp.review.reject": (thread?: vscode.CommentThread) => review.reject(thread),
    "muxLsp.review.resolve": (thread?: vscode.CommentThread) => review.resolve(thread),
    "muxLsp.review.nextVariant": (thread?: vscode.CommentThread) => review.showVariant(1, thread),
    "muxLsp.review.previousVariant": () => review.showVariant(-1),
    "muxLsp.review.expand": () => {
      review.expand();
    },
    "muxLsp.review.diff": async (thread?: vscode.CommentThread) => {
      const found = review.here(thread);
      if (found !== undefined) {
        const uri = found.editor.document.uri.toString();
        const { run, hunk, path } = found.variant;
        review.collapse();
        await diffs.openChange({ uri, run, hunk, diff: diffOf(run, path) }, found.variant.range.start.line);
      }
    },
    "mux.client.diff": (wanted: ClientDiffParams) => {
      review.collapse();
      return diffs.openChange(wanted, review.lineOf(wanted.uri, wanted.run, wanted.hunk));
    },
    "mux.client.merge": (wanted: ClientMergeParams) => merges.open(wanted),
  };
}

/** Go to the next place of the document, then to that of another file, then to the first place of the document. */
async function go({ connection, tasks, review, diffs }: Context, forwards: boolean): Promise<void> {
  if (review.go(forwards, false)) {
    return;
  }
  const from = vscode.window.activeTextEditor?.document.uri;
  const item = await vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title: "Mux" }, () =>
    connection.reporting(() => nextInOtherFiles(connection, tasks, from, forwards)),
  );
  const run = item && tasks.run(item.run);
  const task = run && tasks.task(run.task);
  if (item === undefined || run === undefined || task === undefined) {
    if (!review.go(forwards, true)) {
      vscode.window.setStatusBarMessage("Mux: no changes left to review", 5000);
    }
    return;
  }
  await connection.reporting(async () => {
    const { files } = (await connection.request("mux.run.get", { run: run.id })).run;
    const file = files.find((one) => one.path === item.path);
    if (file !== undefined) {
      await diffs.openItem(task, run, file, item);
    }
  });
}
