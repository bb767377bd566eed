/** Show the comparison of a task's runs in a webview, and keep it up to date. */

import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import { Coalescer } from "./coalesce.ts";
import { escapeHtml, parseRequest, renderComparison } from "./comparisonHtml.ts";
import type { TaskCompareResult, TaskShape } from "./protocol.ts";
import type { Connection } from "./connection.ts";
import type { Tasks } from "./tasks.ts";
import { taskOf } from "./tasks.ts";
import { short } from "./text.ts";

/** Maximum characters of a prompt in a tab's title. */
const MAX_TITLE = 40;

export class Comparisons implements vscode.Disposable {
  readonly #connection: Connection;
  readonly #media: vscode.Uri;
  readonly #panels = new Map<string, vscode.WebviewPanel>();
  readonly #coalescer = new Coalescer();
  readonly #listener: vscode.Disposable;

  constructor(connection: Connection, tasks: Tasks, extension: vscode.Uri) {
    this.#connection = connection;
    this.#media = vscode.Uri.joinPath(extension, "media");
    this.#listener = tasks.onDidChange((changed) => {
      for (const [id, panel] of this.#panels) {
        if (tasks.task(id) === undefined) {
          panel.dispose();
        } else if (changed === undefined || changed === id) {
          this.#update(id);
        }
      }
    });
  }

  /** Open the comparison of a task, or bring it to the front. */
  show(task: TaskShape): void {
    const shown = this.#panels.get(task.id);
    if (shown !== undefined) {
      shown.reveal();
      return;
    }
    const panel = vscode.window.createWebviewPanel(
      "muxLsp.comparison",
      `Compare: ${short(task.prompt, MAX_TITLE)}`,
      vscode.ViewColumn.Active,
      { enableScripts: true, localResourceRoots: [this.#media], enableCommandUris: false, enableFindWidget: true },
    );
    const icon = (theme: string): vscode.Uri => vscode.Uri.joinPath(this.#media, `mux-${theme}.svg`);
    panel.iconPath = { light: icon("light"), dark: icon("dark") };
    this.#panels.set(task.id, panel);
    panel.onDidDispose(() => this.#panels.delete(task.id));
    panel.onDidChangeViewState(() => {
      // VS Code unloads a hidden page: it misses messages, and starts from its first HTML when it is shown again.
      if (panel.visible) {
        this.#update(task.id);
      }
    });
    panel.webview.onDidReceiveMessage((message: unknown) => {
      const request = parseRequest(message);
      if (request !== undefined && taskOf(request.run) === task.id) {
        void vscode.commands.executeCommand("muxLsp.comparison.act", request);
      }
    });
    this.#update(task.id);
  }

  dispose(): void {
    this.#listener.dispose();
    for (const panel of this.#panels.values()) {
      panel.dispose();
    }
  }

  #update(task: string): void {
    void this.#coalescer.run(task, () => this.#fetch(task));
  }

  async #fetch(task: string): Promise<void> {
    const request = (): Promise<TaskCompareResult> => this.#connection.request("mux.task.compare", { task });
    // A failed update of a page that is already shown is only logged.
    const isShown = this.#panels.get(task)?.webview.html !== "";
    const result = await (isShown ? this.#connection.quietly(request) : this.#connection.reporting(request));
    const panel = this.#panels.get(task);
    if (result === undefined || panel === undefined) {
      return;
    }
    const { webview } = panel;
    const body = renderComparison(result);
    if (webview.html === "") {
      webview.html = this.#page(webview, result.task.prompt, body);
    } else {
      await webview.postMessage({ body });
    }
  }

  #page(webview: vscode.Webview, title: string, body: string): string {
    const nonce = randomBytes(16).toString("base64url");
    const media = (name: string): string => webview.asWebviewUri(vscode.Uri.joinPath(this.#media, name)).toString();
    const policy = `default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'`;
    return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width"><title>Compare: ${escapeHtml(title)}</title>
<link rel="stylesheet" href="${media("compare.css")}"></head>
<body><main>${body}</main><script nonce="${nonce}" src="${media("compare.js")}"></script></body></html>`;
  }
}
