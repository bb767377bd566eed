/** Show the commands in a repository's `mux.toml`, and let the person trust it or revoke trust. */

import * as vscode from "vscode";
import type { RepositoryResult } from "./protocol.ts";
import type { Connection } from "./connection.ts";
import { exact, message } from "./text.ts";

/** Show the content of the file, and let the person decide. */
export async function review(connection: Connection, repository: string | null): Promise<void> {
  const found = await connection.reporting(() => connection.request("mux.repository.get", { repository }));
  if (found === undefined) {
    return;
  }
  if (found.problem !== null) {
    void vscode.window.showErrorMessage(message(`The mux.toml here cannot be read: ${found.problem}`));
  } else if (found.digest === null) {
    void vscode.window.showInformationMessage("This repository has no mux.toml, or an empty one.");
  } else if (found.trusted) {
    await distrust(connection, found);
  } else {
    await trust(connection, found, found.digest);
  }
}

/** Show the notices of a task, each with a button to review the file. */
export async function notice(connection: Connection, repository: string, notices: readonly string[]): Promise<void> {
  for (const words of notices) {
    const answer = await vscode.window.showWarningMessage(message(words), "Show Details…");
    if (answer !== undefined) {
      await review(connection, repository);
    }
  }
}

async function trust(connection: Connection, found: RepositoryResult, digest: string): Promise<void> {
  const options = { modal: true, detail: describe(found) };
  const answer = await vscode.window.showWarningMessage(
    "Trust this repository's mux.toml? It names commands that run on your machine.",
    options,
    "Trust",
    "Open the File",
  );
  if (answer === "Trust") {
    const { repository } = found;
    await connection.reporting(() => connection.request("mux.repository.trust", { repository, digest }));
  } else if (answer === "Open the File") {
    await vscode.window.showTextDocument(vscode.Uri.parse(found.file));
  }
}

async function distrust(connection: Connection, found: RepositoryResult): Promise<void> {
  const options = { modal: true, detail: describe(found) };
  const answer = await vscode.window.showInformationMessage("You trust this repository's mux.toml.", options, "Revoke Trust");
  if (answer !== undefined) {
    await connection.reporting(() => connection.request("mux.repository.distrust", { repository: found.repository }));
  }
}

/** Return the content of the file, one line for each section. */
function describe(found: RepositoryResult): string {
  const parts: [string, readonly string[] | null][] = [
    ["Set-up", found.setup],
    ["Checks", found.checks],
    ["Agents", found.agents],
    ["Protected files", found.protected],
  ];
  return parts
    .filter(([, words]) => words !== null && words.length > 0)
    .map(([name, words]) => `${name}: ${(words ?? []).map(exact).join("; ")}`)
    .join("\n");
}
