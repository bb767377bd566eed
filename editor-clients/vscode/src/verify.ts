/** The checks on the person's own text, or on that with what a run changes: asked for, followed, and read. */

import { basename } from "node:path";
import * as vscode from "vscode";
import { meant, ours } from "./folders.ts";
import type { CheckResult, VerdictShape, VerifyParams, VerifyResult } from "./protocol.ts";
import type { Server } from "./server.ts";
import { count, message, plain } from "./text.ts";

/** The scheme of what checks have printed. */
const PRINTED = "mux-checks";

const SHOW = "Show What They Print";

/** Verifies, and says by the status bar how the last verdict of each repository that is open stands. */
export class Verification implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly onDidChange: vscode.Event<vscode.Uri>;
  readonly #server: Server;
  readonly #verdicts = new Map<string, VerdictShape>();
  /** What the checks of a verdict have printed, where it was asked for here. */
  readonly #printed = new Map<string, VerifyResult>();
  readonly #changes = new vscode.EventEmitter<vscode.Uri>();
  readonly #item: vscode.StatusBarItem;
  readonly #listeners: { dispose(): unknown }[];

  constructor(server: Server) {
    this.#server = server;
    this.onDidChange = this.#changes.event;
    this.#item = vscode.window.createStatusBarItem("muxLsp.verdict", vscode.StatusBarAlignment.Left, -1);
    this.#item.name = "Mux: Checks";
    this.#item.command = "muxLsp.verdict.show";
    server.on("mux/verdictChanged", ({ verdict }) => {
      this.#take(verdict);
    });
    this.#listeners = [
      this.#item,
      this.#changes,
      vscode.workspace.registerTextDocumentContentProvider(PRINTED, this),
      server.onDidChangeState((state) => {
        if (state === "running") {
          void this.#ask();
        }
      }),
      vscode.window.onDidChangeActiveTextEditor(() => {
        this.#draw();
      }),
    ];
  }

  /** Run the checks, and tell how they went. */
  async verify(wanted: VerifyParams): Promise<void> {
    const about = wanted.run === undefined || wanted.run === null ? "your files" : `your files with ${wanted.run}`;
    const progress = {
      location: vscode.ProgressLocation.Notification,
      title: `Checks run on ${about} …`,
      cancellable: true,
    };
    const found = await vscode.window.withProgress(progress, (_, token) =>
      this.#server.reporting(() => this.#server.request("mux.verify", wanted, token)),
    );
    if (found === undefined) {
      return;
    }
    const { verdict } = found;
    const repository = ours(verdict.repository) ?? verdict.repository;
    this.#printed.set(repository, found);
    this.#changes.fire(address(repository));
    this.#take(verdict);
    const words = message(`${summary(verdict)} on ${about}, in ${verdict.seconds.toFixed(1)} s.`);
    const answer = await (verdict.passed
      ? vscode.window.showInformationMessage(words, SHOW)
      : vscode.window.showWarningMessage(words, SHOW));
    if (answer !== undefined) {
      await this.show(repository);
    }
  }

  /** Open what the checks have printed; run them where that is not known here. */
  async show(repository: string | undefined = this.#current()): Promise<void> {
    if (repository === undefined || !this.#printed.has(repository)) {
      return this.verify({ repository: repository ?? (await meant(this.#server)) });
    }
    await vscode.window.showTextDocument(address(repository), { preview: true });
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    const found = this.#printed.get(uri.query);
    return found === undefined ? "" : printed(found);
  }

  dispose(): void {
    for (const one of this.#listeners) {
      one.dispose();
    }
  }

  async #ask(): Promise<void> {
    const status = await this.#server.quietly(() => this.#server.request("mux.status", {}));
    for (const { verdict } of status?.repositories ?? []) {
      if (verdict !== null) {
        this.#take(verdict);
      }
    }
  }

  #take(verdict: VerdictShape): void {
    const repository = ours(verdict.repository);
    if (repository !== undefined) {
      this.#verdicts.set(repository, verdict);
      this.#draw();
    }
  }

  /** The repository whose verdict counts now: that of the document one works on, else the only one. */
  #current(): string | undefined {
    const at = vscode.window.activeTextEditor?.document.uri.toString();
    const known = [...this.#verdicts.keys()];
    const around = known.find((one) => at?.startsWith(`${vscode.Uri.parse(one).toString()}/`) === true);
    return around ?? (known.length === 1 ? known[0] : undefined);
  }

  #draw(): void {
    const verdict = this.#verdicts.get(this.#current() ?? "");
    if (verdict === undefined) {
      this.#item.hide();
      return;
    }
    const icon = verdict.stale ? "history" : verdict.passed ? "pass" : "error";
    this.#item.text = `$(${icon}) Checks`;
    const words = summary(verdict) + (verdict.stale ? "; your text has changed since" : "");
    this.#item.tooltip = words;
    this.#item.accessibilityInformation = { label: `Mux: ${words}` };
    this.#item.show();
  }
}

function address(repository: string): vscode.Uri {
  const name = basename(vscode.Uri.parse(repository).path);
  return vscode.Uri.from({ scheme: PRINTED, path: `/${name}.log`, query: repository });
}

function summary({ checks, passed }: VerdictShape): string {
  const failed = checks.filter((check) => check.state === "failed").length;
  return passed ? `${count(checks.length, "check")} passed` : `${failed} of ${count(checks.length, "check")} failed`;
}

function printed({ verdict, printed: texts }: VerifyResult): string {
  const left = verdict.left_out.map((one) => `left out: ${plain(one.path)} (${plain(one.reason)})\n`);
  const blocks = verdict.checks.map((check, number) => `${heading(check)}\n\n${texts[number] ?? ""}`);
  return [...left, ...blocks].join("\n");
}

function heading(check: CheckResult): string {
  const took = check.seconds === null ? "" : ` in ${check.seconds.toFixed(1)} s`;
  return `$ ${plain(check.command)}\n${check.state}${took}`;
}
