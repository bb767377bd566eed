/** What somebody needs to know who is to help: one document to read before it is sent. */

import { execFile } from "node:child_process";
import * as vscode from "vscode";
import type { Server } from "./server.ts";
import { fenced } from "./text.ts";

const DOCTOR_MILLISECONDS = 20_000;
const OUTPUT_BYTES = 1_000_000;

/** Open a document with versions, settings and what `mux-lsp doctor` says. */
export async function collect(server: Server, version: string): Promise<void> {
  const settings = vscode.workspace.getConfiguration("muxLsp");
  const text = [
    "# Mux diagnostics",
    "",
    `- extension ${version}, ${vscode.env.appName} ${vscode.version}, ${process.platform} ${process.arch}`,
    `- mux-lsp ${server.version === "" ? "unknown" : server.version}: ${server.program ?? "not found"}, ${server.state}`,
    `- trusted: ${vscode.workspace.isTrusted}; remote: ${vscode.env.remoteName ?? "no"}`,
    "",
    "## Settings",
    "",
    fenced(JSON.stringify(settings, null, 2), "json"),
    "",
    "## mux-lsp doctor",
    "",
    fenced(server.program === undefined ? "mux-lsp was not found" : await doctor(server.program), ""),
    "",
  ].join("\n");
  const document = await vscode.workspace.openTextDocument({ language: "markdown", content: text });
  await vscode.window.showTextDocument(document);
}

function doctor(program: string): Promise<string> {
  const options = { timeout: DOCTOR_MILLISECONDS, maxBuffer: OUTPUT_BYTES };
  return new Promise((resolve) => {
    // It says what is wrong by its status too; what it prints is wanted all the same.
    execFile(program, ["doctor"], options, (error, printed, complaint) => {
      resolve(`${printed}${complaint}${error?.message ?? ""}`);
    });
  });
}
