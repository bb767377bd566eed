/** The tasks view: what agents ask, then tasks → runs → files → changes. */

import { basename } from "node:path";
import * as vscode from "vscode";
import { Asking } from "./asking.ts";
import type { Filter, Icon } from "./describe.ts";
import {
  hasEnded, inOrder, kept, passes, runDescription, runDetails, runIcon, taskDescription, taskDetails, taskIcon,
} from "./describe.ts";
import type { FileSummary, PermissionShape, ReviewItem, RunShape, TaskShape } from "./protocol.ts";
import type { Server } from "./server.ts";
import type { Tasks } from "./tasks.ts";
import { taskOf } from "./tasks.ts";
import { exact, plain, short } from "./text.ts";

/** A row by what it is about; what is known of that is looked up when the row is drawn, or acted on. */
export type Node =
  | { readonly kind: "permission"; readonly id: string }
  | { readonly kind: "task"; readonly id: string }
  | { readonly kind: "run"; readonly id: string }
  | { readonly kind: "file"; readonly run: string; readonly path: string }
  | { readonly kind: "hunk"; readonly run: string; readonly path: string; readonly hunk: string | null };

const PROMPT = 80;

const FILTER = "filter";

/** What changes within so long is drawn at once. */
const TOGETHER_MILLISECONDS = 100;

const STATUS: Record<ReviewItem["status"], Icon> = {
  pending: { id: "circle-outline" },
  applied: { id: "pass-filled", color: "testing.iconPassed" },
  conflict: { id: "warning", color: "list.warningForeground" },
  rejected: { id: "circle-slash", color: "disabledForeground" },
};

const CHANGE: Record<FileSummary["change"], string> = {
  added: "diff-added",
  modified: "diff-modified",
  deleted: "diff-removed",
  renamed: "diff-renamed",
  copied: "files",
};

export class Tree implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  readonly onDidChangeTreeData: vscode.Event<Node | undefined>;
  readonly #server: Server;
  readonly #tasks: Tasks;
  readonly #memory: vscode.Memento;
  readonly #changes = new vscode.EventEmitter<Node | undefined>();
  /** Every row that there was, by its id: VS Code knows a row by its object. */
  readonly #nodes = new Map<string, Node>();
  /** The files of runs that were shown, and the changes of files, by the ids of their rows. */
  readonly #files = new Map<string, readonly FileSummary[]>();
  readonly #items = new Map<string, readonly ReviewItem[]>();
  readonly #asking = new Asking();
  /** The rows that were folded, by their ids. */
  readonly #folded = new Set<string>();
  /** How the rows look that are drawn, or are to be, by their ids. */
  readonly #looks = new Map<string, string>();
  /** The tasks that had ended before anything was shown, but for the newest: they are shown folded. */
  readonly #old = new Set<string>();
  readonly #view: vscode.TreeView<Node>;
  readonly #listeners: vscode.Disposable[];
  /** The rows at the top as they were drawn. */
  #order = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(server: Server, tasks: Tasks, memory: vscode.Memento) {
    this.#server = server;
    this.#tasks = tasks;
    this.#memory = memory;
    this.onDidChangeTreeData = this.#changes.event;
    this.#view = vscode.window.createTreeView("muxLsp.tasks", { treeDataProvider: this, showCollapseAll: true });
    this.#listeners = [
      this.#view.onDidCollapseElement(({ element }) => this.#folded.add(key(element))),
      this.#view.onDidExpandElement(({ element }) => this.#folded.delete(key(element))),
      tasks.onDidChange(() => {
        this.#draw();
      }),
      // Accepting, rejecting and typing change how each change stands.
      server.onDidChangeReview((uri) => {
        this.#drawFiles(uri.toString());
      }),
    ];
    this.#draw();
  }

  get filter(): Filter {
    return this.#memory.get<Filter>(FILTER) ?? "all";
  }

  set filter(filter: Filter) {
    void this.#memory.update(FILTER, filter === "all" ? undefined : filter);
    this.#draw();
  }

  /** Show the view with a task in it, and leave the cursor where it is. */
  async reveal(id: string): Promise<void> {
    await vscode.commands.executeCommand("muxLsp.tasks.focus", { preserveFocus: true });
    if (!this.#tasks.tasks.some((task) => task.id === id && passes(task, this.filter))) {
      return;
    }
    this.#flush();
    const node = this.#node({ kind: "task", id });
    try {
      await this.#view.reveal(node, { select: false, focus: false, expand: true });
    } catch {
      // It has gone, or moved, meanwhile: the view is shown all the same.
    }
  }

  file(node: Node & { kind: "file" | "hunk" }): FileSummary | undefined {
    return this.#files.get(node.run)?.find((file) => file.path === node.path);
  }

  item(node: Node & { kind: "hunk" }): ReviewItem | undefined {
    return this.#items.get(fileKey(node.run, node.path))?.find((item) => item.hunk === node.hunk);
  }

  getTreeItem(node: Node): vscode.TreeItem {
    const item = this.#item(node);
    item.id = key(node);
    this.#looks.set(item.id, this.#look(node));
    return item;
  }

  getParent(node: Node): Node | undefined {
    switch (node.kind) {
      case "permission":
      case "task":
        return undefined;
      case "run":
        return this.#node({ kind: "task", id: taskOf(node.id) });
      case "file":
        return this.#node({ kind: "run", id: node.run });
      case "hunk":
        return this.#node({ kind: "file", run: node.run, path: node.path });
    }
  }

  async getChildren(node?: Node): Promise<Node[]> {
    switch (node?.kind) {
      case undefined:
        return this.#top().map((one) => this.#node(one));
      case "task": {
        const task = this.#tasks.task(node.id);
        const runs = task === undefined ? [] : [...kept(task), ...task.runs.filter((run) => run.discarded !== null)];
        return runs.map((run) => this.#node({ kind: "run", id: run.id }));
      }
      case "run":
        return (await this.#filesOf(node.id)).map((file) => this.#node({ kind: "file", run: node.id, path: file.path }));
      case "file":
        return (await this.#itemsOf(node)).map((item) =>
          this.#node({ kind: "hunk", run: node.run, path: node.path, hunk: item.hunk }),
        );
      default:
        return [];
    }
  }

  dispose(): void {
    clearTimeout(this.#timer);
    for (const one of [...this.#listeners, this.#view, this.#changes]) {
      one.dispose();
    }
  }

  #item(node: Node): vscode.TreeItem {
    switch (node.kind) {
      case "permission": {
        const permission = this.#tasks.permission(node.id);
        return permission === undefined ? gone() : permissionItem(node, permission);
      }
      case "task": {
        const task = this.#tasks.task(node.id);
        return task === undefined ? gone() : taskItem(task, this.#old.has(task.id));
      }
      case "run": {
        const run = this.#tasks.run(node.id);
        return run === undefined ? gone() : runItem(run);
      }
      case "file": {
        const file = this.file(node);
        return file === undefined ? gone() : fileItem(this.#tasks.run(node.run), file);
      }
      case "hunk": {
        const item = this.item(node);
        return item === undefined ? gone() : hunkItem(node, item);
      }
    }
  }

  /** The one object for a row. */
  #node(node: Node): Node {
    const known = this.#nodes.get(key(node)) ?? node;
    this.#nodes.set(key(node), known);
    return known;
  }

  #top(): Node[] {
    const asked = this.#tasks.permissions.map(({ id }): Node => ({ kind: "permission", id }));
    const shown = inOrder(this.#tasks.tasks).filter((task) => passes(task, this.filter));
    return [...asked, ...shown.map(({ id }): Node => ({ kind: "task", id }))];
  }

  async #filesOf(id: string): Promise<readonly FileSummary[]> {
    const run = this.#tasks.run(id);
    if (run === undefined) {
      return [];
    }
    let { files } = run;
    if (files.length < run.file_count) {
      const found = await this.#server.quietly(() => this.#server.request("mux.run.get", { run: id }));
      files = found?.run.files ?? files;
    }
    this.#files.set(id, files);
    return files;
  }

  async #itemsOf(node: Node & { kind: "file" }): Promise<readonly ReviewItem[]> {
    const items = (await this.#listed(node)) ?? [];
    this.#items.set(key(node), items);
    return items;
  }

  async #listed({ run, path }: Node & { kind: "file" }): Promise<readonly ReviewItem[] | undefined> {
    const wanted = { run, paths: [path] };
    return (await this.#server.quietly(() => this.#server.request("mux.review.list", wanted)))?.items;
  }

  /** Have what has changed drawn, together with what else changes meanwhile. */
  #draw(): void {
    this.#timer ??= setTimeout(() => {
      this.#flush();
    }, TOGETHER_MILLISECONDS);
  }

  /** No more is drawn anew than has to be: VS Code forgets the rows below one that is drawn, until it has asked for them
   * again, and a button that is pressed meanwhile acts on nothing. */
  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#forget();
    const waiting = this.#tasks.permissions.length;
    this.#view.badge = waiting > 0 ? { value: waiting, tooltip: "Agents wait for an answer" } : undefined;
    this.#view.message = this.filter === "all" ? "" : `Only ${FILTERS[this.filter]} are shown.`;
    void vscode.commands.executeCommand("setContext", "muxLsp.asked", waiting > 0);
    void vscode.commands.executeCommand("setContext", "muxLsp.filtered", this.filter !== "all");
    if (this.#order === "") {
      const ended = inOrder(this.#tasks.tasks).filter((task) => task.state === "ended");
      for (const task of ended.slice(1)) {
        this.#old.add(task.id);
      }
    }
    const top = this.#top();
    const order = top.map(key).join("\n");
    const changed = order === this.#order ? top.flatMap((one) => this.#changed(one)) : [undefined];
    this.#order = order;
    for (const node of changed) {
      if (node !== undefined) {
        // VS Code takes its time, and is not to be told the same again until then.
        this.#looks.set(key(node), this.#look(node));
      }
      this.#changes.fire(node);
    }
  }

  /** The rows that look otherwise now than they were drawn: one at the top, or else those of its runs. */
  #changed(top: Node): Node[] {
    const node = this.#nodes.get(key(top));
    if (node === undefined || this.#look(node) !== this.#looks.get(key(node))) {
      return node === undefined ? [] : [node];
    }
    const runs = node.kind === "task" ? (this.#tasks.task(node.id)?.runs ?? []) : [];
    return runs
      .map((run) => this.#nodes.get(run.id))
      .filter((run) => run !== undefined)
      .filter((run) => this.#look(run) !== this.#looks.get(key(run)));
  }

  /** What a row shows, and which rows there are below it. */
  #look(node: Node): string {
    const { description, tooltip, iconPath, contextValue } = this.#item(node);
    const below =
      node.kind === "task"
        ? this.#tasks.task(node.id)?.runs.map((run) => [run.id, run.discarded])
        : node.kind === "run"
          ? this.#tasks.run(node.id)?.files
          : [];
    return JSON.stringify([description, tooltip, iconPath, contextValue, below]);
  }

  /** Forget the rows of what there is no more. */
  #forget(): void {
    for (const [id, node] of this.#nodes) {
      const isThere =
        node.kind === "permission"
          ? this.#tasks.permission(node.id)
          : this.#tasks.task(node.kind === "task" ? node.id : taskOf(runOf(node)));
      if (isThere === undefined) {
        this.#nodes.delete(id);
        this.#folded.delete(id);
        this.#looks.delete(id);
        this.#files.delete(id);
        this.#items.delete(id);
      }
    }
  }

  /** The changes of a file that are shown may stand otherwise now. */
  #drawFiles(uri: string): void {
    for (const [id, items] of this.#items) {
      const node = this.#nodes.get(id);
      if (node?.kind === "file" && (items.some((item) => same(item.uri, uri)) || this.#uris(node).includes(uri))) {
        if (this.#isSeen(node)) {
          void this.#asking.about(id, () => this.#drawChanges(node));
        } else {
          // VS Code asks for what is below it when that is seen again.
          this.#changes.fire(node);
        }
      }
    }
  }

  /** Whether what is below a row can be seen. */
  #isSeen(node: Node | undefined): boolean {
    return node === undefined ? this.#view.visible : !this.#folded.has(key(node)) && this.#isSeen(this.getParent(node));
  }

  /** Draw those of a file's changes that stand otherwise now; all of them where they are others than before. */
  async #drawChanges(file: Node & { kind: "file" }): Promise<void> {
    const now = await this.#listed(file);
    const before = this.#items.get(key(file));
    if (now === undefined || before === undefined) {
      return;
    }
    this.#items.set(key(file), now);
    const rows = (items: readonly ReviewItem[]): Node[] =>
      items.map(({ hunk }) => ({ kind: "hunk", run: file.run, path: file.path, hunk }));
    if (rows(before).map(key).join("\n") !== rows(now).map(key).join("\n")) {
      this.#changes.fire(file);
      return;
    }
    for (const row of rows(now).map((one) => this.#node(one))) {
      if (this.#look(row) !== this.#looks.get(key(row))) {
        this.#changes.fire(row);
      }
    }
  }

  #uris(node: Node & { kind: "file" }): string[] {
    const root = this.#tasks.task(taskOf(node.run))?.repository;
    const file = this.file(node);
    const paths = file === undefined ? [] : file.old_path === null ? [file.path] : [file.path, file.old_path];
    return root === undefined ? [] : paths.map((path) => vscode.Uri.joinPath(vscode.Uri.parse(root), path).toString());
  }
}

/** What is shown, in the words of the view's message. */
export const FILTERS: Record<Filter, string> = {
  all: "all tasks",
  waiting: "tasks that need you",
  active: "tasks at work",
  ended: "tasks that have ended",
};

function key(node: Node): string {
  switch (node.kind) {
    case "permission":
      return `permission ${node.id}`;
    case "task":
    case "run":
      return node.id;
    case "file":
      return fileKey(node.run, node.path);
    case "hunk":
      return `${fileKey(node.run, node.path)} ${node.hunk ?? ""}`;
  }
}

function fileKey(run: string, path: string): string {
  return `${run} ${path}`;
}

function runOf(node: Node & { kind: "run" | "file" | "hunk" }): string {
  return node.kind === "run" ? node.id : node.run;
}

function same(uri: string, other: string): boolean {
  return vscode.Uri.parse(uri).toString() === other;
}

function icon(one: Icon): vscode.ThemeIcon {
  return new vscode.ThemeIcon(one.id, one.color === undefined ? undefined : new vscode.ThemeColor(one.color));
}

/** A row of what has gone while it was drawn; the next drawing leaves it out. */
function gone(): vscode.TreeItem {
  return new vscode.TreeItem("");
}

function permissionItem(node: Node, permission: PermissionShape): vscode.TreeItem {
  const item = new vscode.TreeItem(plain(permission.title));
  item.description = permission.runs.join(", ");
  item.tooltip = permission.subject.split("\n").map(exact).join("\n");
  item.iconPath = icon({ id: "question", color: "list.warningForeground" });
  item.contextValue = "permission";
  item.command = { command: "muxLsp.permission.answer", title: "", arguments: [node] };
  return item;
}

function taskItem(task: TaskShape, isOld: boolean): vscode.TreeItem {
  const { Collapsed, Expanded } = vscode.TreeItemCollapsibleState;
  const isGone = kept(task).length === 0;
  const item = new vscode.TreeItem(short(task.prompt, PROMPT), isOld || isGone ? Collapsed : Expanded);
  item.description = `${task.id} · ${where(task)}${isGone ? "discarded" : taskDescription(task)}`;
  item.tooltip = taskDetails(task);
  item.iconPath = icon(taskIcon(task));
  item.accessibilityInformation = { label: `${short(task.prompt, PROMPT)}, ${item.description}` };
  item.contextValue = `task.${isGone ? "discarded" : task.state}${task.paused ? ".paused" : ""}`;
  return item;
}

/** Of several folders, which one a task is about. */
function where(task: TaskShape): string {
  const folders = vscode.workspace.workspaceFolders ?? [];
  return folders.length > 1 ? `${plain(basename(vscode.Uri.parse(task.repository).path))} · ` : "";
}

function runItem(run: RunShape): vscode.TreeItem {
  const { Collapsed, None } = vscode.TreeItemCollapsibleState;
  const changed = run.file_count > 0 && run.discarded === null;
  const item = new vscode.TreeItem(run.id, changed ? Collapsed : None);
  item.description = runDescription(run);
  item.tooltip = runDetails(run);
  item.iconPath = icon(runIcon(run));
  const state = run.discarded !== null ? "discarded" : hasEnded(run) ? "ended" : "active";
  item.contextValue = `run.${state}${changed ? ".changed" : ""}`;
  item.accessibilityInformation = { label: `${run.id}, ${run.state}, ${runDescription(run)}` };
  return item;
}

function fileItem(run: RunShape | undefined, file: FileSummary): vscode.TreeItem {
  const lines = file.added === null || file.removed === null ? "not text" : `+${file.added} −${file.removed}`;
  const item = new vscode.TreeItem(plain(file.path), vscode.TreeItemCollapsibleState.Collapsed);
  item.description = file.old_path === null ? lines : `${lines} · from ${plain(file.old_path)}`;
  item.tooltip = `${plain(file.path)}: ${file.change}${run === undefined ? "" : ` by ${run.id}`}`;
  item.iconPath = new vscode.ThemeIcon(CHANGE[file.change]);
  item.contextValue = "file";
  item.accessibilityInformation = { label: `${plain(file.path)}, ${file.change}, ${lines}` };
  return item;
}

function hunkItem(node: Node, found: ReviewItem): vscode.TreeItem {
  const first = [...found.added.split("\n"), ...found.removed.split("\n")].find((line) => line.trim() !== "") ?? "";
  const name = found.hunk === null ? "the file itself" : short(first, PROMPT);
  const item = new vscode.TreeItem(name);
  item.description = found.hunk === null ? found.status : `line ${found.range.start.line + 1} · ${found.status}`;
  item.tooltip = found.reason === null ? found.status : plain(found.reason);
  item.iconPath = icon(STATUS[found.status]);
  item.contextValue = `hunk.${found.status}${found.resolutions.map((one) => `.${one}`).join("")}`;
  item.accessibilityInformation = { label: `${name}, ${item.description}` };
  item.command = { command: "muxLsp.hunk.open", title: "", arguments: [node] };
  return item;
}
