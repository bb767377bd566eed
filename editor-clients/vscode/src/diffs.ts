/** Open native diff, multi-file diff and merge editors on the daemon's read-only documents. */

import { basename } from "node:path";
import * as vscode from "vscode";
import { parsePending, pending, pendingOfDiff, snapshot } from "./addresses.ts";
import { windowUri } from "./folders.ts";
import type { ClientDiffParams, ClientMergeParams, FileSummary, ReviewItem, RunShape, TaskShape } from "./protocol.ts";
import type { Connection } from "./connection.ts";
import { Refused } from "./connection.ts";
import { plain, short } from "./text.ts";

/** Maximum characters of a prompt in a tab's title. */
const MAX_TITLE = 40;

/** The scheme of a file with a run's changes; the query is the daemon's URI of the document. */
const PROPOSED = "mux-proposed";

/** The scheme of the person's own text at the start of a merge. */
const YOURS = "mux-yours";

/** Shows the changes of a run beside the live text, in native diff editors. */
export class Diffs implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly onDidChange: vscode.Event<vscode.Uri>;
  readonly #connection: Connection;
  readonly #changes = new vscode.EventEmitter<vscode.Uri>();
  readonly #listeners: { dispose(): unknown }[];

  constructor(connection: Connection) {
    this.#connection = connection;
    this.onDidChange = this.#changes.event;
    this.#listeners = [
      this.#changes,
      vscode.workspace.registerTextDocumentContentProvider(PROPOSED, this),
      connection.onDidChangeReview((uri) => {
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
      return (await this.#connection.request("mux.document.get", { uri: uri.query })).text;
    } catch (error) {
      if (error instanceof Refused) {
        // Show the reason as the text, for example that a file is binary: an editor that fails to open shows no reason,
        // and a multi-file diff leaves it out.
        return error.message;
      }
      throw error;
    }
  }

  /** Open the live text of a file beside the same text with all changes of a run. */
  async openFile(task: TaskShape, run: RunShape, file: FileSummary): Promise<void> {
    const { path, live, theirs } = await sides(task, run, file);
    const left = live ?? proposed(path, snapshot(task.id, file.path));
    await vscode.commands.executeCommand("vscode.diff", left, theirs, `${plain(file.path)} (yours ↔ ${run.id})`);
  }

  /** Open all files of a run beside the same texts with its changes, in one editor. */
  async openRun(task: TaskShape, run: RunShape, files: readonly FileSummary[]): Promise<void> {
    const all = await Promise.all(files.map((file) => sides(task, run, file)));
    // A file that the run deletes and that is already gone has no side to show.
    const visible = all.filter(({ live, isDeleted }) => live !== undefined || !isDeleted);
    const resources = visible.map(({ path, live, theirs, isDeleted }) => [path, live, isDeleted ? undefined : theirs]);
    await vscode.commands.executeCommand("vscode.changes", `${run.id}: ${short(task.prompt, MAX_TITLE)}`, resources);
  }

  /** Go to a change in its file; where the file does not exist, open the diff. */
  async openItem(task: TaskShape, run: RunShape, file: FileSummary, item: ReviewItem): Promise<void> {
    const uri = vscode.Uri.parse(windowUri(item.uri) ?? item.uri);
    if (!(await exists(uri))) {
      return this.openFile(task, run, file);
    }
    const at = new vscode.Position(item.range.start.line, 0);
    const options: vscode.TextDocumentShowOptions = { selection: new vscode.Range(at, at), preview: true };
    // A change of the file itself may be of a binary file, which has another kind of editor.
    await (item.hunk === null
      ? vscode.commands.executeCommand("vscode.open", uri, options)
      : vscode.window.showTextDocument(uri, options));
  }

  /** Carry out `mux.client.diff`: show a change of an open document, with the other changes of its run in the file. */
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

/** Return the run and the path of the document on the right side of a diff; undefined for another document. */
export function proposedFile(uri: vscode.Uri | undefined): { run: string; path: string } | undefined {
  return uri?.scheme === PROPOSED ? parsePending(uri.query) : undefined;
}

/** Opens the three-way merge editor, with the text as it is at that moment. */
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

  /** Carry out `mux.client.merge`. */
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
  /** The URI of the file, whether or not it exists. */
  readonly path: vscode.Uri;
  /** The file on disk or in a buffer; undefined where it does not exist. */
  readonly live: vscode.Uri | undefined;
  readonly theirs: vscode.Uri;
  /** True if the run deletes it. */
  readonly isDeleted: boolean;
}

async function sides(task: TaskShape, run: RunShape, file: FileSummary): Promise<Sides> {
  const root = vscode.Uri.parse(task.repository);
  const path = vscode.Uri.joinPath(root, file.path);
  // A file that the run renamed may still have its old name here.
  const names = [file.path, ...(file.change === "renamed" && file.old_path !== null ? [file.old_path] : [])];
  let live: vscode.Uri | undefined;
  for (const name of names) {
    const uri = vscode.Uri.joinPath(root, name);
    if (live === undefined && (await exists(uri))) {
      live = uri;
    }
  }
  return { path, live, theirs: proposed(path, pending(run.id, file.path)), isDeleted: file.change === "deleted" };
}

/** Return a document of the daemon under the path of its file: VS Code shows different paths in a diff as a rename. */
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
