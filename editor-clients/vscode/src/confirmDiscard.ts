/** Discard and delete tasks and runs, after a confirmation. */

import * as vscode from "vscode";
import type { Connection } from "./connection.ts";

/** Discard a task or a run. It can be restored for a limited time. */
export async function discard(connection: Connection, id: string, effect: string): Promise<void> {
  const detail = `${effect} Accepted changes stay in your files. “Restore” brings it back for a limited time.`;
  if (await confirm(`Discard ${id}?`, detail, "Discard")) {
    await connection.request("mux.task.discard", { id });
  }
}

/** Delete a task or a run permanently. */
export async function remove(connection: Connection, id: string): Promise<void> {
  const detail = "This cannot be undone. Accepted changes stay in your files.";
  if (await confirm(`Delete ${id} and its results?`, detail, "Delete")) {
    await connection.request("mux.task.delete", { id });
  }
}

/** Ask for a confirmation. Return whether it was given. */
export async function confirm(question: string, detail: string, yes: string): Promise<boolean> {
  return (await vscode.window.showWarningMessage(question, { modal: true, detail }, yes)) === yes;
}
