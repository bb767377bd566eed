/** The tasks view: permission requests, then tasks → runs → files → changes. */

import * as vscode from "vscode";
import { Coalescer } from "./coalesce.ts";
import type { Connection } from "./connection.ts";
import type { Filter } from "./describe.ts";
import { inOrder, kept, passes } from "./describe.ts";
import type { FileSummary, ReviewItem } from "./protocol.ts";
import type { Tasks } from "./tasks.ts";
import { taskOf } from "./tasks.ts";
import { fileItem, hunkItem, missingItem, permissionItem, runItem, taskItem } from "./treeItems.ts";
import type { Node } from "./treeNode.ts";
import { fileKey, key, runOf } from "./treeNode.ts";

/** The key of the filter in the workspace state. */
const FILTER = "filter";

/** Milliseconds during which changes are collected before the view is drawn. */
const COALESCE_MILLISECONDS = 100;

export class Tree implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  readonly onDidChangeTreeData: vscode.Event<Node | undefined>;
  readonly #connection: Connection;
  readonly #tasks: Tasks;
  readonly #memory: vscode.Memento;
  readonly #changes = new vscode.EventEmitter<Node | undefined>();
  /** Every row, by its id: VS Code identifies a row by its object. */
  readonly #nodes = new Map<string, Node>();
  /** The files of shown runs, and the changes of shown files, by the ids of their rows. */
  readonly #files = new Map<string, readonly FileSummary[]>();
  readonly #items = new Map<string, readonly ReviewItem[]>();
  readonly #coalescer = new Coalescer();
  /** The ids of collapsed rows. */
  readonly #collapsed = new Set<string>();
  /** The look of each row, as last drawn or sent to be drawn, by its id. */
  readonly #looks = new Map<string, string>();
  /** Tasks that had ended before the view was first drawn, except the newest: they start collapsed. */
  readonly #old = new Set<string>();
  readonly #view: vscode.TreeView<Node>;
  readonly #listeners: vscode.Disposable[];
  /** The ids of the top rows, as last drawn. */
  #order = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(connection: Connection, tasks: Tasks, memory: vscode.Memento) {
    this.#connection = connection;
    this.#tasks = tasks;
    this.#memory = memory;
    this.onDidChangeTreeData = this.#changes.event;
    this.#view = vscode.window.createTreeView("muxLsp.tasks", { treeDataProvider: this, showCollapseAll: true });
    this.#listeners = [
      this.#view.onDidCollapseElement(({ element }) => this.#collapsed.add(key(element))),
      this.#view.onDidExpandElement(({ element }) => this.#collapsed.delete(key(element))),
      tasks.onDidChange(() => {
        this.#draw();
      }),
      // Accepting, rejecting and typing change the status of changes.
      connection.onDidChangeReview((uri) => {
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

  /** Show the view with a task in it. The cursor stays where it is. */
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
      // The task was deleted or moved in the meantime. The view is visible nevertheless.
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
    this.#looks.set(item.id, this.#look(node, item));
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
        return permission === undefined ? missingItem() : permissionItem(node, permission);
      }
      case "task": {
        const task = this.#tasks.task(node.id);
        return task === undefined ? missingItem() : taskItem(task, this.#old.has(task.id));
      }
      case "run": {
        const run = this.#tasks.run(node.id);
        return run === undefined ? missingItem() : runItem(run);
      }
      case "file": {
        const file = this.file(node);
        return file === undefined ? missingItem() : fileItem(this.#tasks.run(node.run), file);
      }
      case "hunk": {
        const item = this.item(node);
        return item === undefined ? missingItem() : hunkItem(node, item);
      }
    }
  }

  /** Return the object that identifies a row to VS Code. */
  #node(node: Node): Node {
    const known = this.#nodes.get(key(node)) ?? node;
    this.#nodes.set(key(node), known);
    return known;
  }

  #top(): Node[] {
    const permissions = this.#tasks.permissions.map(({ id }): Node => ({ kind: "permission", id }));
    const shown = inOrder(this.#tasks.tasks).filter((task) => passes(task, this.filter));
    return [...permissions, ...shown.map(({ id }): Node => ({ kind: "task", id }))];
  }

  async #filesOf(id: string): Promise<readonly FileSummary[]> {
    const run = this.#tasks.run(id);
    if (run === undefined) {
      return [];
    }
    let { files } = run;
    if (files.length < run.file_count) {
      const found = await this.#connection.quietly(() => this.#connection.request("mux.run.get", { run: id }));
      files = found?.run.files ?? files;
    }
    this.#files.set(id, files);
    return files;
  }

  async #itemsOf(node: Node & { kind: "file" }): Promise<readonly ReviewItem[]> {
    const items = (await this.#fetchItems(node)) ?? [];
    this.#items.set(key(node), items);
    return items;
  }

  async #fetchItems({ run, path }: Node & { kind: "file" }): Promise<readonly ReviewItem[] | undefined> {
    const wanted = { run, paths: [path] };
    return (await this.#connection.quietly(() => this.#connection.request("mux.review.list", wanted)))?.items;
  }

  /** Schedule a redraw, which also covers changes that follow shortly. */
  #draw(): void {
    this.#timer ??= setTimeout(() => {
      this.#flush();
    }, COALESCE_MILLISECONDS);
  }

  /** Redraw as few rows as possible: VS Code forgets the rows below a redrawn one until it has requested them again, and a
   * button that is pressed in between does nothing. */
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
    if (order !== this.#order) {
      this.#order = order;
      this.#changes.fire(undefined);
      return;
    }
    for (const [node, look] of top.flatMap((one) => this.#changed(one))) {
      // VS Code redraws later: until then, the same change must not be sent again.
      this.#looks.set(key(node), look);
      this.#changes.fire(node);
    }
  }

  /** Return the rows whose look differs from the drawn one, with their new look: a top row, or else those of its runs. */
  #changed(top: Node): [Node, string][] {
    const node = this.#nodes.get(key(top));
    if (node === undefined) {
      return [];
    }
    const look = this.#newLook(node);
    if (look !== undefined) {
      return [[node, look]];
    }
    const runs = node.kind === "task" ? (this.#tasks.task(node.id)?.runs ?? []) : [];
    return runs.flatMap((run): [Node, string][] => {
      const row = this.#nodes.get(run.id);
      const changed = row && this.#newLook(row);
      return row === undefined || changed === undefined ? [] : [[row, changed]];
    });
  }

  /** Return the look of a row if it differs from the drawn one, else undefined. */
  #newLook(node: Node): string | undefined {
    const look = this.#look(node, this.#item(node));
    return look === this.#looks.get(key(node)) ? undefined : look;
  }

  /** Return the look of a row: what its item shows, and the rows below it. */
  #look(node: Node, item: vscode.TreeItem): string {
    const { description, tooltip, iconPath, contextValue } = item;
    const below =
      node.kind === "task"
        ? this.#tasks.task(node.id)?.runs.map((run) => [run.id, run.discarded])
        : node.kind === "run"
          ? this.#tasks.run(node.id)?.files
          : [];
    return JSON.stringify([description, tooltip, iconPath, contextValue, below]);
  }

  /** Forget the rows of deleted tasks and settled requests. */
  #forget(): void {
    for (const [id, node] of this.#nodes) {
      const shown =
        node.kind === "permission"
          ? this.#tasks.permission(node.id)
          : this.#tasks.task(node.kind === "task" ? node.id : taskOf(runOf(node)));
      if (shown === undefined) {
        this.#nodes.delete(id);
        this.#collapsed.delete(id);
        this.#looks.delete(id);
        this.#files.delete(id);
        this.#items.delete(id);
      }
    }
  }

  /** Redraw the changes of a file whose status may have changed. */
  #drawFiles(uri: string): void {
    for (const [id, items] of this.#items) {
      const node = this.#nodes.get(id);
      if (node?.kind === "file" && (items.some((item) => same(item.uri, uri)) || this.#uris(node).includes(uri))) {
        if (this.#isVisible(node)) {
          void this.#coalescer.run(id, () => this.#drawChanges(node));
        } else {
          // VS Code requests the rows below it when they become visible again.
          this.#changes.fire(node);
        }
      }
    }
  }

  /** Return whether the rows below a row are visible. */
  #isVisible(node: Node | undefined): boolean {
    return node === undefined ? this.#view.visible : !this.#collapsed.has(key(node)) && this.#isVisible(this.getParent(node));
  }

  /** Redraw the changed rows below a file; all of them where the list of changes differs. */
  async #drawChanges(file: Node & { kind: "file" }): Promise<void> {
    const now = await this.#fetchItems(file);
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
      if (this.#newLook(row) !== undefined) {
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

/** The name of each filter, as the view's message has it. */
export const FILTERS: Record<Filter, string> = {
  all: "all tasks",
  waiting: "tasks that need you",
  active: "running tasks",
  ended: "ended tasks",
};

function same(uri: string, other: string): boolean {
  return vscode.Uri.parse(uri).toString() === other;
}
