/** A repository's own `mux.toml`: what it would run, and whether the person trusts it. */

import * as vscode from "vscode";
import type { RepositoryResult } from "./protocol.ts";
import type { Server } from "./server.ts";
import { message, exact } from "./text.ts";

/** Show what the file asks for, and have the person decide. */
export async function review(server: Server, repository: string | null): Promise<void> {
  const found = await server.reporting(() => server.request("mux.repository.get", { repository }));
  if (found === undefined) {
    return;
  }
  if (found.problem !== null) {
    void vscode.window.showErrorMessage(message(`The mux.toml here cannot be read: ${found.problem}`));
  } else if (found.digest === null) {
    void vscode.window.showInformationMessage("This repository has no mux.toml, or one that says nothing.");
  } else if (found.trusted) {
    await takeBack(server, found);
  } else {
    await trust(server, found, found.digest);
  }
}

/** Tell what a task's notices say, with a way to what they are about. */
export async function notice(server: Server, repository: string, notices: readonly string[]): Promise<void> {
  for (const words of notices) {
    const answer = await vscode.window.showWarningMessage(message(words), "Look at It…");
    if (answer !== undefined) {
      await review(server, repository);
    }
  }
}

async function trust(server: Server, found: RepositoryResult, digest: string): Promise<void> {
  const options = { modal: true, detail: what(found) };
  const answer = await vscode.window.showWarningMessage(
    "Trust this repository's mux.toml? It names commands that run on your machine.",
    options,
    "Trust",
    "Open the File",
  );
  if (answer === "Trust") {
    const { repository } = found;
    await server.reporting(() => server.request("mux.repository.trust", { repository, digest }));
  } else if (answer === "Open the File") {
    await vscode.window.showTextDocument(vscode.Uri.parse(found.file));
  }
}

async function takeBack(server: Server, found: RepositoryResult): Promise<void> {
  const options = { modal: true, detail: what(found) };
  const answer = await vscode.window.showInformationMessage("You trust this repository's mux.toml.", options, "Trust It No More");
  if (answer !== undefined) {
    await server.reporting(() => server.request("mux.repository.distrust", { repository: found.repository }));
  }
}

/** What it says, a line for each part. */
function what(found: RepositoryResult): string {
  const parts: [string, readonly string[] | null][] = [
    ["Set-up", found.setup],
    ["Checks", found.checks],
    ["Agents", found.agents],
    ["Judges results", found.protected],
  ];
  return parts
    .filter(([, words]) => words !== null && words.length > 0)
    .map(([name, words]) => `${name}: ${(words ?? []).map(exact).join("; ")}`)
    .join("\n");
}
