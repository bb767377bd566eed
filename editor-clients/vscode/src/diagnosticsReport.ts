/** Collect diagnostics in a document, which the person can read before sending it to somebody who helps. */

import { execFile } from "node:child_process";
import * as vscode from "vscode";
import type { Connection } from "./connection.ts";
import { fenced } from "./text.ts";

/** Maximum milliseconds that `mux-lsp doctor` may take. */
const DOCTOR_MILLISECONDS = 20_000;

/** Maximum bytes of its output. */
const MAX_OUTPUT_BYTES = 1_000_000;

/** Open a document with versions, settings and the output of `mux-lsp doctor`. */
export async function openReport(connection: Connection, version: string): Promise<void> {
  const settings = vscode.workspace.getConfiguration("muxLsp");
  const text = [
    "# Mux diagnostics",
    "",
    `- extension ${version}, ${vscode.env.appName} ${vscode.version}, ${process.platform} ${process.arch}`,
    `- mux-lsp ${connection.version === "" ? "unknown" : connection.version}: ${connection.program ?? "not found"}, ${connection.state}`,
    `- trusted: ${vscode.workspace.isTrusted}; remote: ${vscode.env.remoteName ?? "no"}`,
    "",
    "## Settings",
    "",
    fenced(JSON.stringify(settings, null, 2), "json"),
    "",
    "## mux-lsp doctor",
    "",
    fenced(connection.program === undefined ? "mux-lsp was not found" : await doctor(connection.program), ""),
    "",
  ].join("\n");
  const document = await vscode.workspace.openTextDocument({ language: "markdown", content: text });
  await vscode.window.showTextDocument(document);
}

function doctor(program: string): Promise<string> {
  const options = { timeout: DOCTOR_MILLISECONDS, maxBuffer: MAX_OUTPUT_BYTES };
  return new Promise((resolve) => {
    // A non-zero status means that it found a problem: its output is shown in any case.
    execFile(program, ["doctor"], options, (error, stdout, stderr) => {
      resolve(`${stdout}${stderr}${error?.message ?? ""}`);
    });
  });
}
