/** The comparison of a task's runs in a tab of its own. */

import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import { Asking } from "./asking.ts";
import { body, escaped, wish } from "./page.ts";
import type { TaskCompareResult, TaskShape } from "./protocol.ts";
import type { Server } from "./server.ts";
import type { Tasks } from "./tasks.ts";
import { taskOf } from "./tasks.ts";
import { short } from "./text.ts";

const TITLE = 40;

export class Comparisons implements vscode.Disposable {
  readonly #server: Server;
  readonly #media: vscode.Uri;
  readonly #panels = new Map<string, vscode.WebviewPanel>();
  readonly #asking = new Asking();
  readonly #listener: vscode.Disposable;

  constructor(server: Server, tasks: Tasks, extension: vscode.Uri) {
    this.#server = server;
    this.#media = vscode.Uri.joinPath(extension, "media");
    this.#listener = tasks.onDidChange((changed) => {
      for (const [id, panel] of this.#panels) {
        if (tasks.task(id) === undefined) {
          panel.dispose();
        } else if (changed === undefined || changed === id) {
          this.#ask(id);
        }
      }
    });
  }

  show(task: TaskShape): void {
    const there = this.#panels.get(task.id);
    if (there !== undefined) {
      there.reveal();
      return;
    }
    const panel = vscode.window.createWebviewPanel(
      "muxLsp.comparison",
      `Compare: ${short(task.prompt, TITLE)}`,
      vscode.ViewColumn.Active,
      { enableScripts: true, localResourceRoots: [this.#media], enableCommandUris: false, enableFindWidget: true },
    );
    const icon = (theme: string): vscode.Uri => vscode.Uri.joinPath(this.#media, `mux-${theme}.svg`);
    panel.iconPath = { light: icon("light"), dark: icon("dark") };
    this.#panels.set(task.id, panel);
    panel.onDidDispose(() => this.#panels.delete(task.id));
    panel.onDidChangeViewState(() => {
      // A page that is not seen is not kept: it begins anew with what it was first, and hears of nothing meanwhile.
      if (panel.visible) {
        this.#ask(task.id);
      }
    });
    panel.webview.onDidReceiveMessage((message: unknown) => {
      const asked = wish(message);
      if (asked !== undefined && taskOf(asked.run) === task.id) {
        void vscode.commands.executeCommand("muxLsp.comparison.act", asked);
      }
    });
    this.#ask(task.id);
  }

  dispose(): void {
    this.#listener.dispose();
    for (const panel of this.#panels.values()) {
      panel.dispose();
    }
  }

  #ask(task: string): void {
    void this.#asking.about(task, () => this.#fetch(task));
  }

  async #fetch(task: string): Promise<void> {
    const asked = (): Promise<TaskCompareResult> => this.#server.request("mux.task.compare", { task });
    // What keeps a page up to date that is there may fail in silence.
    const isThere = this.#panels.get(task)?.webview.html !== "";
    const found = await (isThere ? this.#server.quietly(asked) : this.#server.reporting(asked));
    const panel = this.#panels.get(task);
    if (found === undefined || panel === undefined) {
      return;
    }
    const { webview } = panel;
    const made = body(found);
    if (webview.html === "") {
      webview.html = this.#page(webview, found.task.prompt, made);
    } else {
      await webview.postMessage({ body: made });
    }
  }

  #page(webview: vscode.Webview, title: string, made: string): string {
    const nonce = randomBytes(16).toString("base64url");
    const media = (name: string): string => webview.asWebviewUri(vscode.Uri.joinPath(this.#media, name)).toString();
    const policy = `default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'`;
    return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width"><title>Compare: ${escaped(title)}</title>
<link rel="stylesheet" href="${media("compare.css")}"></head>
<body><main>${made}</main><script nonce="${nonce}" src="${media("compare.js")}"></script></body></html>`;
  }
}
