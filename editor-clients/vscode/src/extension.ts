/** Create the services of the extension and connect them; nothing else. */

import * as vscode from "vscode";
import { register } from "./commands.ts";
import { Comparisons } from "./comparison.ts";
import { Diffs, Merges } from "./diffs.ts";
import { notices, statusBar } from "./notices.ts";
import { Review } from "./review.ts";
import { Connection } from "./connection.ts";
import { openReport } from "./diagnosticsReport.ts";
import { Tasks } from "./tasks.ts";
import { Tree } from "./tree.ts";
import { Verification } from "./verify.ts";

/** The connection of the activated extension, for `deactivate`. */
let active: Connection | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("Mux", { log: true });
  const memory = context.workspaceState;
  const connection = (active = new Connection(log, context.globalState));
  const tasks = new Tasks(connection);
  const tree = new Tree(connection, tasks, memory);
  const review = new Review(connection, context.extensionUri);
  const diffs = new Diffs(connection);
  const merges = new Merges();
  const comparisons = new Comparisons(connection, tasks, context.extensionUri);
  const verification = new Verification(connection);
  const version = (context.extension.packageJSON as { version: string }).version;
  context.subscriptions.push(
    log,
    tasks,
    tree,
    review,
    diffs,
    merges,
    comparisons,
    verification,
    notices(connection, tasks),
    statusBar(connection, tasks),
    connection.onDidChangeState((state) => {
      void vscode.commands.executeCommand("setContext", "muxLsp.running", state === "running");
      void vscode.commands.executeCommand("setContext", "muxLsp.missing", state === "missing");
      if (state === "missing") {
        // The walkthrough keeps showing the step after the installation.
        void vscode.commands.executeCommand("setContext", "muxLsp.wasMissing", true);
      }
      void vscode.commands.executeCommand("setContext", "muxLsp.failed", state === "failed");
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("muxLsp.path")) {
        void connection.restart();
      }
    }),
    register({ connection, tasks, tree, review, diffs, merges, comparisons, verification, memory }),
    vscode.commands.registerCommand("muxLsp.server.restart", () => connection.restart()),
    vscode.commands.registerCommand("muxLsp.server.install", () => connection.install()),
    vscode.commands.registerCommand("muxLsp.diagnostics.collect", () => openReport(connection, version)),
    vscode.commands.registerCommand("muxLsp.output.show", () => {
      log.show();
    }),
  );
  void connection.restart();
}

export async function deactivate(): Promise<void> {
  await active?.dispose();
  active = undefined;
}
