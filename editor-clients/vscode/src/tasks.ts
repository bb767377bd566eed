/** Keep the tasks and open permission requests that the daemon last reported. */

import * as vscode from "vscode";
import { windowUri } from "./folders.ts";
import type { PermissionShape, RunShape, TaskShape } from "./protocol.ts";
import type { Connection } from "./connection.ts";

/** A change of a run's state. */
export interface RunStateChange {
  readonly task: TaskShape;
  readonly run: RunShape;
  readonly previous: string;
}

export class Tasks implements vscode.Disposable {
  /** Fires with the id of a changed task; with undefined where any task or permission request may have changed. */
  readonly onDidChange: vscode.Event<string | undefined>;
  readonly onDidChangeRunState: vscode.Event<RunStateChange>;
  readonly onDidRequestPermission: vscode.Event<PermissionShape>;
  readonly #connection: Connection;
  readonly #tasks = new Map<string, TaskShape>();
  readonly #permissions = new Map<string, PermissionShape>();
  readonly #changes = new vscode.EventEmitter<string | undefined>();
  readonly #runStates = new vscode.EventEmitter<RunStateChange>();
  readonly #requests = new vscode.EventEmitter<PermissionShape>();
  readonly #listeners: vscode.Disposable[];

  constructor(connection: Connection) {
    this.#connection = connection;
    this.onDidChange = this.#changes.event;
    this.onDidChangeRunState = this.#runStates.event;
    this.onDidRequestPermission = this.#requests.event;
    connection.on("mux/taskChanged", ({ task, deleted }) => {
      if (deleted) {
        this.#tasks.delete(task.id);
      } else {
        this.#store(task);
      }
      this.#changes.fire(task.id);
    });
    connection.on("mux/runChanged", ({ run, previous }) => {
      this.#runChanged(run, previous);
    });
    connection.on("mux/queueChanged", ({ runs }) => {
      this.#queueChanged(runs);
    });
    connection.on("mux/permissionRequested", ({ permission }) => {
      this.#permissionRequested(permission);
    });
    connection.on("mux/permissionSettled", ({ id }) => {
      this.#permissions.delete(id);
      this.#changes.fire(undefined);
    });
    this.#listeners = [
      connection.onDidChangeState((state) => {
        if (state === "running") {
          void connection.quietly(() => this.refresh());
        }
      }),
      vscode.workspace.onDidChangeWorkspaceFolders(() => void connection.quietly(() => this.refresh())),
    ];
  }

  /** The tasks of the open folders. */
  get tasks(): readonly TaskShape[] {
    return [...this.#tasks.values()];
  }

  /** The open permission requests, of all repositories. */
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

  /** Request everything, after connecting and after a change of the open folders. */
  async refresh(): Promise<void> {
    const { tasks } = await this.#connection.request("mux.task.list", {});
    // Before the next request: events that arrive while it is awaited are newer.
    this.#tasks.clear();
    for (const task of tasks) {
      this.#store(task);
    }
    const { permissions } = await this.#connection.request("mux.permission.list", {});
    const known = new Set(this.#permissions.keys());
    this.#permissions.clear();
    for (const permission of permissions) {
      this.#permissions.set(permission.id, permission);
      if (!known.has(permission.id)) {
        this.#requests.fire(permission);
      }
    }
    this.#changes.fire(undefined);
  }

  dispose(): void {
    for (const one of [...this.#listeners, this.#changes, this.#runStates, this.#requests]) {
      one.dispose();
    }
  }

  /** Store a task, if it belongs to an open folder. */
  #store(task: TaskShape): void {
    const repository = windowUri(task.repository);
    if (repository !== undefined) {
      this.#tasks.set(task.id, { ...task, repository });
    }
  }

  #runChanged(run: RunShape, previous: string): void {
    const task = this.#replaceRun(run);
    if (task === undefined) {
      return;
    }
    this.#changes.fire(task.id);
    if (run.state !== previous) {
      this.#runStates.fire({ task, run, previous });
    }
  }

  #queueChanged(order: readonly string[]): void {
    const places = new Map(order.map((id, index) => [id, index + 1]));
    for (const task of this.tasks) {
      const moved = task.runs.filter((run) => run.queue_place !== (places.get(run.id) ?? null));
      for (const run of moved) {
        this.#replaceRun({ ...run, queue_place: places.get(run.id) ?? null });
      }
      if (moved.length > 0) {
        this.#changes.fire(task.id);
      }
    }
  }

  /** Replace a run of a known task. Return the new task. */
  #replaceRun(run: RunShape): TaskShape | undefined {
    const task = this.#tasks.get(run.task);
    if (task === undefined) {
      return undefined;
    }
    const changed: TaskShape = { ...task, runs: task.runs.map((one) => (one.id === run.id ? run : one)) };
    this.#tasks.set(task.id, changed);
    return changed;
  }

  #permissionRequested(permission: PermissionShape): void {
    const known = this.#permissions.has(permission.id);
    this.#permissions.set(permission.id, permission);
    this.#changes.fire(undefined);
    if (!known) {
      this.#requests.fire(permission);
    }
  }
}

/** Return the id of a run's task. */
export function taskOf(run: string): string {
  return run.slice(0, run.lastIndexOf("-"));
}
