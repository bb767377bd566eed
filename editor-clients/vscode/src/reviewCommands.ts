/** What the keys, the palette and the daemon's lenses and actions do at the places of an editor. */

import * as vscode from "vscode";
import { diffOf } from "./addresses.ts";
import { elsewhere } from "./elsewhere.ts";
import type { Handlers, Parts } from "./parts.ts";
import type { ClientDiffParams, ClientMergeParams } from "./protocol.ts";

export function reviewCommands(parts: Parts): Handlers {
  const { review, diffs, merges } = parts;
  return {
    "muxLsp.review.next": () => go(parts, true),
    "muxLsp.review.previous": () => go(parts, false),
    "muxLsp.review.accept": (thread?: vscode.CommentThread) => review.accept(thread),
    "muxLsp.review.reject": (thread?: vscode.CommentThread) => review.reject(thread),
    "muxLsp.review.resolve": (thread?: vscode.CommentThread) => review.resolve(thread),
    "muxLsp.review.nextVariant": (thread?: vscode.CommentThread) => review.turn(1, thread),
    "muxLsp.review.previousVariant": () => review.turn(-1),
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

/** The next place of the document; behind its last one that of another file; at the end of all around. */
async function go({ server, tasks, review, diffs }: Parts, forwards: boolean): Promise<void> {
  if (review.go(forwards, false)) {
    return;
  }
  const from = vscode.window.activeTextEditor?.document.uri;
  const item = await vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title: "Mux" }, () =>
    server.reporting(() => elsewhere(server, tasks, from, forwards)),
  );
  const run = item && tasks.run(item.run);
  const task = run && tasks.task(run.task);
  if (item === undefined || run === undefined || task === undefined) {
    if (!review.go(forwards, true)) {
      vscode.window.setStatusBarMessage("Mux: nothing waits for a decision", 5000);
    }
    return;
  }
  await server.reporting(async () => {
    const { files } = (await server.request("mux.run.get", { run: run.id })).run;
    const file = files.find((one) => one.path === item.path);
    if (file !== undefined) {
      await diffs.openItem(task, run, file, item);
    }
  });
}
