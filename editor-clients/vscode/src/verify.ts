/** Run the checks on the live text, optionally with a run's changes, and show the verdict and the output. */

import { basename } from "node:path";
import * as vscode from "vscode";
import { currentRepository, windowUri } from "./folders.ts";
import type { CheckResult, VerdictShape, VerifyParams, VerifyResult } from "./protocol.ts";
import type { Connection } from "./connection.ts";
import { count, message, plain } from "./text.ts";

/** The scheme of documents with the output of checks. */
const OUTPUT = "mux-checks";

const SHOW = "Show Check Output";

/** Runs the checks, and shows the last verdict of the current repository in the status bar. */
export class Verification implements vscode.TextDocumentContentProvider, vscode.Disposable {
  readonly onDidChange: vscode.Event<vscode.Uri>;
  readonly #connection: Connection;
  readonly #verdicts = new Map<string, VerdictShape>();
  /** The results of checks that this window ran, by repository. */
  readonly #results = new Map<string, VerifyResult>();
  readonly #changes = new vscode.EventEmitter<vscode.Uri>();
  readonly #item: vscode.StatusBarItem;
  readonly #listeners: { dispose(): unknown }[];

  constructor(connection: Connection) {
    this.#connection = connection;
    this.onDidChange = this.#changes.event;
    this.#item = vscode.window.createStatusBarItem("muxLsp.verdict", vscode.StatusBarAlignment.Left, -1);
    this.#item.name = "Mux: Checks";
    this.#item.command = "muxLsp.verdict.show";
    connection.on("mux/verdictChanged", ({ verdict }) => {
      this.#store(verdict);
    });
    this.#listeners = [
      this.#item,
      this.#changes,
      vscode.workspace.registerTextDocumentContentProvider(OUTPUT, this),
      connection.onDidChangeState((state) => {
        if (state === "running") {
          void this.#refresh();
        }
      }),
      vscode.window.onDidChangeActiveTextEditor(() => {
        this.#draw();
      }),
    ];
  }

  /** Run the checks, and show the verdict. */
  async verify(wanted: VerifyParams): Promise<void> {
    const about = wanted.run === undefined || wanted.run === null ? "your files" : `your files with ${wanted.run}`;
    const progress = {
      location: vscode.ProgressLocation.Notification,
      title: `Running checks on ${about} …`,
      cancellable: true,
    };
    const found = await vscode.window.withProgress(progress, (_, token) =>
      this.#connection.reporting(() => this.#connection.request("mux.verify", wanted, token)),
    );
    if (found === undefined) {
      return;
    }
    const { verdict } = found;
    const repository = windowUri(verdict.repository) ?? verdict.repository;
    this.#results.set(repository, found);
    this.#changes.fire(address(repository));
    this.#store(verdict);
    const words = message(`${summary(verdict)} on ${about}, in ${verdict.seconds.toFixed(1)} s.`);
    const answer = await (verdict.passed
      ? vscode.window.showInformationMessage(words, SHOW)
      : vscode.window.showWarningMessage(words, SHOW));
    if (answer !== undefined) {
      await this.show(repository);
    }
  }

  /** Open the output of the checks; where this window has not run them, run them first. */
  async show(repository: string | undefined = this.#current()): Promise<void> {
    if (repository === undefined || !this.#results.has(repository)) {
      return this.verify({ repository: repository ?? (await currentRepository(this.#connection)) });
    }
    await vscode.window.showTextDocument(address(repository), { preview: true });
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    const found = this.#results.get(uri.query);
    return found === undefined ? "" : outputOf(found);
  }

  dispose(): void {
    for (const one of this.#listeners) {
      one.dispose();
    }
  }

  async #refresh(): Promise<void> {
    const status = await this.#connection.quietly(() => this.#connection.request("mux.status", {}));
    for (const { verdict } of status?.repositories ?? []) {
      if (verdict !== null) {
        this.#store(verdict);
      }
    }
  }

  #store(verdict: VerdictShape): void {
    const repository = windowUri(verdict.repository);
    if (repository !== undefined) {
      this.#verdicts.set(repository, verdict);
      this.#draw();
    }
  }

  /** Return the repository whose verdict is shown: that of the active document, else the only one. */
  #current(): string | undefined {
    const at = vscode.window.activeTextEditor?.document.uri.toString();
    const known = [...this.#verdicts.keys()];
    const containing = known.find((one) => at?.startsWith(`${vscode.Uri.parse(one).toString()}/`) === true);
    return containing ?? (known.length === 1 ? known[0] : undefined);
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
  return vscode.Uri.from({ scheme: OUTPUT, path: `/${name}.log`, query: repository });
}

function summary({ checks, passed }: VerdictShape): string {
  const failed = checks.filter((check) => check.state === "failed").length;
  return passed ? `${count(checks.length, "check")} passed` : `${failed} of ${count(checks.length, "check")} failed`;
}

function outputOf({ verdict, printed: texts }: VerifyResult): string {
  const left = verdict.left_out.map((one) => `left out: ${plain(one.path)} (${plain(one.reason)})\n`);
  const blocks = verdict.checks.map((check, number) => `${heading(check)}\n\n${texts[number] ?? ""}`);
  return [...left, ...blocks].join("\n");
}

function heading(check: CheckResult): string {
  const took = check.seconds === null ? "" : ` in ${check.seconds.toFixed(1)} s`;
  return `$ ${plain(check.command)}\n${check.state}${took}`;
}
