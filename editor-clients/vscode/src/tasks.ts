/** What is known of tasks and of what agents ask, as the daemon last told it. */

import * as vscode from "vscode";
import { ours } from "./folders.ts";
import type { PermissionShape, RunShape, TaskShape } from "./protocol.ts";
import type { Server } from "./server.ts";

/** A run that is in another state now. */
export interface Turn {
  readonly task: TaskShape;
  readonly run: RunShape;
  readonly previous: string;
}

export class Tasks implements vscode.Disposable {
  /** A task, by its id, is another now; undefined where it may be any, or a question. */
  readonly onDidChange: vscode.Event<string | undefined>;
  readonly onDidTurn: vscode.Event<Turn>;
  readonly onDidAsk: vscode.Event<PermissionShape>;
  readonly #server: Server;
  readonly #tasks = new Map<string, TaskShape>();
  readonly #permissions = new Map<string, PermissionShape>();
  readonly #changes = new vscode.EventEmitter<string | undefined>();
  readonly #turns = new vscode.EventEmitter<Turn>();
  readonly #asks = new vscode.EventEmitter<PermissionShape>();
  readonly #listeners: vscode.Disposable[];

  constructor(server: Server) {
    this.#server = server;
    this.onDidChange = this.#changes.event;
    this.onDidTurn = this.#turns.event;
    this.onDidAsk = this.#asks.event;
    server.on("mux/taskChanged", ({ task, deleted }) => {
      if (deleted) {
        this.#tasks.delete(task.id);
      } else {
        this.#take(task);
      }
      this.#changes.fire(task.id);
    });
    server.on("mux/runChanged", ({ run, previous }) => {
      this.#runChanged(run, previous);
    });
    server.on("mux/queueChanged", ({ runs }) => {
      this.#queueChanged(runs);
    });
    server.on("mux/permissionRequested", ({ permission }) => {
      this.#asked(permission);
    });
    server.on("mux/permissionSettled", ({ id }) => {
      this.#permissions.delete(id);
      this.#changes.fire(undefined);
    });
    this.#listeners = [
      server.onDidChangeState((state) => {
        if (state === "running") {
          void server.quietly(() => this.refresh());
        }
      }),
      vscode.workspace.onDidChangeWorkspaceFolders(() => void server.quietly(() => this.refresh())),
    ];
  }

  /** The tasks of the folders that are open. */
  get tasks(): readonly TaskShape[] {
    return [...this.#tasks.values()];
  }

  /** What waits for an answer. */
  get permissions(): readonly PermissionShape[] {
    return [...this.#permissions.values()];
  }

  permission(id: string): PermissionShape | undefined {
    return this.#permissions.get(id);
  }

  run(id: string): RunShape | undefined {
    return this.#tasks.get(taskOf(id))?.runs.find((run) => run.id === id);
  }

  task(id: string): TaskShape | undefined {
    return this.#tasks.get(id);
  }

  /** Ask for all that is known: after connecting, and when other folders are open. */
  async refresh(): Promise<void> {
    const { tasks } = await this.#server.request("mux.task.list", {});
    // At once: what is told while the next answer is awaited is newer.
    this.#tasks.clear();
    for (const task of tasks) {
      this.#take(task);
    }
    const { permissions } = await this.#server.request("mux.permission.list", {});
    const known = new Set(this.#permissions.keys());
    this.#permissions.clear();
    for (const permission of permissions) {
      this.#permissions.set(permission.id, permission);
      if (!known.has(permission.id)) {
        this.#asks.fire(permission);
      }
    }
    this.#changes.fire(undefined);
  }

  dispose(): void {
    for (const one of [...this.#listeners, this.#changes, this.#turns, this.#asks]) {
      one.dispose();
    }
  }

  /** Know a task, if it is one of the folders that are open. */
  #take(task: TaskShape): void {
    const repository = ours(task.repository);
    if (repository !== undefined) {
      this.#tasks.set(task.id, { ...task, repository });
    }
  }

  #runChanged(run: RunShape, previous: string): void {
    const task = this.#put(run);
    if (task === undefined) {
      return;
    }
    this.#changes.fire(task.id);
    if (run.state !== previous) {
      this.#turns.fire({ task, run, previous });
    }
  }

  #queueChanged(order: readonly string[]): void {
    const places = new Map(order.map((id, index) => [id, index + 1]));
    for (const task of this.tasks) {
      const moved = task.runs.filter((run) => run.queue_place !== (places.get(run.id) ?? null));
      for (const run of moved) {
        this.#put({ ...run, queue_place: places.get(run.id) ?? null });
      }
      if (moved.length > 0) {
        this.#changes.fire(task.id);
      }
    }
  }

  #put(run: RunShape): TaskShape | undefined {
    const task = this.#tasks.get(run.task);
    if (task === undefined) {
      return undefined;
    }
    const changed: TaskShape = { ...task, runs: task.runs.map((one) => (one.id === run.id ? run : one)) };
    this.#tasks.set(task.id, changed);
    return changed;
  }

  #asked(permission: PermissionShape): void {
    const known = this.#permissions.has(permission.id);
    this.#permissions.set(permission.id, permission);
    this.#changes.fire(undefined);
    if (!known) {
      this.#asks.fire(permission);
    }
  }
}

/** The id of a run's task. */
export function taskOf(run: string): string {
  return run.slice(0, run.lastIndexOf("-"));
}
