/** Native diff, multi-file diff and merge editors over the daemon's read-only documents. */

import { basename } from "node:path";
import * as vscode from "vscode";
import { ofPending, pending, pendingOfDiff, snapshot } from "./addresses.ts";
import { ours } from "./folders.ts";
import type { ClientDiffParams, ClientMergeParams, FileSummary, ReviewItem, RunShape, TaskShape } from "./protocol.ts";
import type { Server } from "./server.ts";
import { Refused } from "./server.ts";
import { plain, short } from "./text.ts";

/** So much of a prompt stands in a tab. */
const TITLE = 40;

/** The scheme of what a run would do to a file; the query is the address of it. */
const PROPOSED = "mux-proposed";

/** The scheme of the texts that a merge begins with: the person's own, as they were then. */
const YOURS = "mux-yours";

/** Shows what a run would do beside the live text, in native diff editors. */
export class Diffs implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly onDidChange: vscode.Event<vscode.Uri>;
  readonly #server: Server;
  readonly #changes = new vscode.EventEmitter<vscode.Uri>();
  readonly #listeners: { dispose(): unknown }[];

  constructor(server: Server) {
    this.#server = server;
    this.onDidChange = this.#changes.event;
    this.#listeners = [
      this.#changes,
      vscode.workspace.registerTextDocumentContentProvider(PROPOSED, this),
      server.onDidChangeReview((uri) => {
        for (const document of vscode.workspace.textDocuments) {
          if (document.uri.scheme === PROPOSED && document.uri.path === uri.path) {
            this.#changes.fire(document.uri);
          }
        }
      }),
    ];
  }

  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    try {
      return (await this.#server.request("mux.document.get", { uri: uri.query })).text;
    } catch (error) {
      if (error instanceof Refused) {
        // What is not text says so in its place: an editor that cannot be opened says nothing, and is left out among many.
        return error.message;
      }
      throw error;
    }
  }

  /** The live text of a file beside the same text with all of a run. */
  async openFile(task: TaskShape, run: RunShape, file: FileSummary): Promise<void> {
    const { path, live, theirs } = await sides(task, run, file);
    const left = live ?? proposed(path, snapshot(task.id, file.path));
    await vscode.commands.executeCommand("vscode.diff", left, theirs, `${plain(file.path)} (yours ↔ ${run.id})`);
  }

  /** The same for all files of a run, in one editor. */
  async openRun(task: TaskShape, run: RunShape, files: readonly FileSummary[]): Promise<void> {
    const all = await Promise.all(files.map((file) => sides(task, run, file)));
    // What the run deletes and is gone already has no side that could be shown.
    const seen = all.filter(({ live, goes }) => live !== undefined || !goes);
    const resources = seen.map(({ path, live, theirs, goes }) => [path, live, goes ? undefined : theirs]);
    await vscode.commands.executeCommand("vscode.changes", `${run.id}: ${short(task.prompt, TITLE)}`, resources);
  }

  /** Go to a change in the text; where its file is not there, to what the run would have there. */
  async openItem(task: TaskShape, run: RunShape, file: FileSummary, item: ReviewItem): Promise<void> {
    const uri = vscode.Uri.parse(ours(item.uri) ?? item.uri);
    if (!(await exists(uri))) {
      return this.openFile(task, run, file);
    }
    const at = new vscode.Position(item.range.start.line, 0);
    const options: vscode.TextDocumentShowOptions = { selection: new vscode.Range(at, at), preview: true };
    // What changes in no line may be no text, and has an editor of another kind.
    await (item.hunk === null
      ? vscode.commands.executeCommand("vscode.open", uri, options)
      : vscode.window.showTextDocument(uri, options));
  }

  /** `mux.client.diff`: a change of an open document, with the others of its run in the same file. */
  async openChange(wanted: ClientDiffParams, line: number): Promise<void> {
    const live = vscode.Uri.parse(wanted.uri);
    const theirs = proposed(live, pendingOfDiff(wanted.diff));
    const at = new vscode.Position(line, 0);
    const options: vscode.TextDocumentShowOptions = { selection: new vscode.Range(at, at), preview: true };
    const title = `${basename(live.path)} (yours ↔ ${wanted.run})`;
    await vscode.commands.executeCommand("vscode.diff", live, theirs, title, options);
  }

  dispose(): void {
    for (const one of this.#listeners) {
      one.dispose();
    }
  }
}

/** The run and the path of a document on the right of a diff; undefined for every other. */
export function proposal(uri: vscode.Uri | undefined): { run: string; path: string } | undefined {
  return uri?.scheme === PROPOSED ? ofPending(uri.query) : undefined;
}

/** Opens the three-way merge editor, over the text as it is when it is opened. */
export class Merges implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly #texts = new Map<string, string>();
  readonly #listeners: vscode.Disposable[];

  constructor() {
    this.#listeners = [
      vscode.workspace.registerTextDocumentContentProvider(YOURS, this),
      vscode.workspace.onDidCloseTextDocument((document) => this.#texts.delete(document.uri.toString())),
    ];
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.#texts.get(uri.toString()) ?? "";
  }

  /** `mux.client.merge` */
  async open(wanted: ClientMergeParams): Promise<void> {
    const output = vscode.Uri.parse(wanted.uri);
    const document = await vscode.workspace.openTextDocument(output);
    const yours = output.with({ scheme: YOURS, query: `${document.version}` });
    this.#texts.set(yours.toString(), document.getText());
    await vscode.commands.executeCommand("_open.mergeEditor", {
      base: vscode.Uri.parse(wanted.base),
      input1: { uri: yours, title: "Yours", description: "as it is now" },
      input2: { uri: vscode.Uri.parse(wanted.theirs), title: wanted.run, description: "as the run has it" },
      output,
    });
  }

  dispose(): void {
    for (const one of this.#listeners) {
      one.dispose();
    }
  }
}

interface Sides {
  /** Where the file is, or would be. */
  readonly path: vscode.Uri;
  /** The file as it is; undefined where there is none. */
  readonly live: vscode.Uri | undefined;
  readonly theirs: vscode.Uri;
  /** Whether the run deletes it. */
  readonly goes: boolean;
}

async function sides(task: TaskShape, run: RunShape, file: FileSummary): Promise<Sides> {
  const root = vscode.Uri.parse(task.repository);
  const path = vscode.Uri.joinPath(root, file.path);
  // What the run has renamed may have its old name still.
  const names = [file.path, ...(file.change === "renamed" && file.old_path !== null ? [file.old_path] : [])];
  let live: vscode.Uri | undefined;
  for (const name of names) {
    const uri = vscode.Uri.joinPath(root, name);
    if (live === undefined && (await exists(uri))) {
      live = uri;
    }
  }
  return { path, live, theirs: proposed(path, pending(run.id, file.path)), goes: file.change === "deleted" };
}

/** A read-only document of the daemon's under the path of its file, so that the editor takes both for the same file. */
function proposed(file: vscode.Uri, address: string): vscode.Uri {
  return file.with({ scheme: PROPOSED, query: address });
}

async function exists(uri: vscode.Uri): Promise<boolean> {
  try {
    await vscode.workspace.fs.stat(uri);
    return true;
  } catch {
    return false;
  }
}
