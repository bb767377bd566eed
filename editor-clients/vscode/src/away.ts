/** Throwing tasks and runs away, once the person has said yes. */

import * as vscode from "vscode";
import type { Server } from "./server.ts";

/** Throw a task or a run away for as long as it can be brought back. */
export async function discard(server: Server, id: string, what: string): Promise<void> {
  const detail = `${what} What you have accepted of it stays, and “Restore” brings it back for a while.`;
  if (await agreed(`Discard ${id}?`, detail, "Discard")) {
    await server.request("mux.task.discard", { id });
  }
}

/** Delete a task or a run for good. */
export async function remove(server: Server, id: string): Promise<void> {
  const detail = "It cannot be brought back. What you have accepted of it stays.";
  if (await agreed(`Delete ${id} and what it has produced?`, detail, "Delete")) {
    await server.request("mux.task.delete", { id });
  }
}

/** Whether the person says yes to it. */
export async function agreed(question: string, detail: string, yes: string): Promise<boolean> {
  return (await vscode.window.showWarningMessage(question, { modal: true, detail }, yes)) === yes;
}
