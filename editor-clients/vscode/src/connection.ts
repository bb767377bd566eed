/** Connect to the daemon through `mux-lsp serve`, reconnect, and report why there is no connection. */

import * as vscode from "vscode";
import type { Executable, LanguageClient, LanguageClientOptions, Middleware } from "vscode-languageclient/node";
import { Backoff } from "./backoff.ts";
import { install, update } from "./install.ts";
import { isSet, locate, onDidSelectPython } from "./locate.ts";
import type { ClientCommands, Commands, Notifications } from "./protocol.ts";
import { PROTOCOL_VERSION } from "./protocol.ts";
import { message } from "./text.ts";

export type ConnectionState = "starting" | "running" | "missing" | "failed" | "stopped";

/** The client commands of the protocol that this extension implements. */
const OWN_COMMANDS: readonly (keyof ClientCommands)[] = ["mux.client.ask", "mux.client.diff", "mux.client.merge"];

/** The key of the choice not to install the program, so that it is not offered at every start. */
const DECLINED = "installDeclined";

/** Maximum milliseconds that stopping a client may take. */
const STOP_MILLISECONDS = 2000;

/** The language client. It is loaded when the connection is made, so that activation does not wait for it. */
type Library = typeof import("vscode-languageclient/node");

/** A request that the server refused, with its message. */
export class Refused extends Error {
  readonly kind: string;
  /** The server's protocol version, where it differs. */
  readonly protocol: number | undefined;

  constructor(error: unknown) {
    super(error instanceof Error ? error.message : String(error));
    const data = fields(fields(error)["data"]);
    this.kind = typeof data["kind"] === "string" ? data["kind"] : "failed";
    this.protocol = typeof data["protocol"] === "number" ? data["protocol"] : undefined;
  }
}

export class Connection implements vscode.Disposable {
  readonly onDidChangeState: vscode.Event<ConnectionState>;
  /** Fires when the changes to review in a file may differ: its text, a run or a decision has changed. */
  readonly onDidChangeReview: vscode.Event<vscode.Uri>;
  state: ConnectionState = "stopped";
  /** The version of the last server that answered. */
  version = "";
  program: string | undefined;
  readonly #log: vscode.LogOutputChannel;
  readonly #memory: vscode.Memento;
  readonly #states = new vscode.EventEmitter<ConnectionState>();
  readonly #reviews = new vscode.EventEmitter<vscode.Uri>();
  readonly #handlers: ((client: LanguageClient) => void)[] = [];
  readonly #backoff = new Backoff();
  #python: vscode.Disposable | undefined;
  #library: Library | undefined;
  #client: LanguageClient | undefined;
  #startedAt = 0;
  #retry: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(log: vscode.LogOutputChannel, memory: vscode.Memento) {
    this.#log = log;
    this.#memory = memory;
    this.onDidChangeState = this.#states.event;
    this.onDidChangeReview = this.#reviews.event;
    this.on("mux/reviewChanged", ({ uris, more }) => {
      const named = uris.map((uri) => vscode.Uri.parse(uri));
      // If many files are affected, not all are listed: any open document may be one of them.
      const others = more > 0 ? vscode.workspace.textDocuments.map((document) => document.uri) : [];
      for (const uri of [...named, ...others]) {
        this.#reviews.fire(uri);
      }
    });
  }

  /** Make the connection, or make it again. An attempt that is under way is cancelled. */
  restart(): Promise<void> {
    this.#backoff.reset();
    this.#cancelStart();
    return this.#startAgain();
  }

  /** Request one of the protocol's commands. Throws Refused. */
  async request<Name extends keyof Commands>(
    name: Name,
    params: Commands[Name]["params"],
    token?: vscode.CancellationToken,
  ): Promise<Commands[Name]["result"]> {
    return (await this.#execute(name, [params], token)) as Commands[Name]["result"];
  }

  /** Subscribe to one of the protocol's notifications, on this connection and all later ones. */
  on<Name extends keyof Notifications>(name: Name, listener: (params: Notifications[Name]) => void): void {
    this.#handlers.push((client) => {
      client.onNotification(name, listener);
    });
  }

  /** Do work that the person requested. Where it fails, show the reason and return undefined. */
  async reporting<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof vscode.CancellationError) {
        return undefined;
      }
      const words = message(error instanceof Error ? error.message : String(error));
      this.#log.warn(words);
      void (error instanceof Refused && error.kind === "conflict"
        ? vscode.window.showWarningMessage(words)
        : vscode.window.showErrorMessage(words));
      return undefined;
    }
  }

  /** Do work in the background. Where it fails, log the reason and return undefined. */
  async quietly<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#log.info(message(error instanceof Error ? error.message : String(error)));
      return undefined;
    }
  }

  /** Install the program and start it. */
  async install(): Promise<void> {
    if (await install()) {
      await this.restart();
    }
  }

  async dispose(): Promise<void> {
    clearTimeout(this.#retry);
    this.#python?.dispose();
    this.#cancelStart();
    await this.#working;
    await this.#disconnect();
    this.state = "stopped";
    this.#states.dispose();
    this.#reviews.dispose();
  }

  /** Cancel an attempt by ending its process: a client cannot be stopped before the server answered, which it may never do. */
  #cancelStart(): void {
    if (this.state === "starting") {
      this.#client?.serverProcess?.kill();
      this.#client = undefined;
    }
  }

  #startAgain(): Promise<void> {
    clearTimeout(this.#retry);
    this.#working = this.#working.then(() => this.#start()).catch((error: unknown) => {
      this.#log.error(String(error));
    });
    return this.#working;
  }

  async #start(): Promise<void> {
    await this.#disconnect();
    this.#enter("starting");
    this.program = await locate();
    this.#python?.dispose();
    this.#python = onDidSelectPython(() => void this.#locateAgain());
    if (this.program === undefined) {
      this.#log.warn("mux-lsp was not found.");
      this.#enter("missing");
      void this.#offerInstall();
      return;
    }
    void this.#memory.update(DECLINED, undefined);
    this.#log.info(`starting ${this.program}`);
    this.#startedAt = Date.now();
    const library = (this.#library ??= await import("vscode-languageclient/node"));
    const client = (this.#client = this.#make(library, this.program));
    for (const handler of this.#handlers) {
      handler(client);
    }
    try {
      await client.start();
    } catch (error) {
      if (this.#client !== client) {
        return;
      }
      this.#client = undefined;
      this.#enter("failed");
      void this.#showFailure(new Refused(error));
      return;
    }
    this.version = client.initializeResult?.serverInfo?.version ?? "";
    client.onDidChangeState(({ newState }) => {
      if (newState === library.State.Stopped && this.#client === client) {
        this.#connectionEnded();
      }
    });
    this.#enter("running");
  }

  /** Restart where another Python environment leads to another program. */
  async #locateAgain(): Promise<void> {
    if ((await locate()) !== this.program) {
      await this.restart();
    }
  }

  #make(library: Library, program: string): LanguageClient {
    const executable: Executable = { command: program, args: ["serve"] };
    const options: LanguageClientOptions = {
      documentSelector: [{ scheme: "file" }],
      initializationOptions: { mux: { protocol: PROTOCOL_VERSION, commands: OWN_COMMANDS, draws: true } },
      outputChannel: this.#log,
      revealOutputChannelOn: library.RevealOutputChannelOn.Never,
      markdown: { isTrusted: false, supportHtml: false },
      middleware: this.#middleware(),
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: library.ErrorAction.Continue, handled: true }),
        closed: () => ({ action: library.CloseAction.DoNotRestart, handled: true }),
      },
    };
    class Client extends library.LanguageClient {
      // Each failure is shown once, by the caller of `request`. The library would show some of them a second time.
      override error(words: string, data?: unknown): void {
        super.error(words, data, false);
      }
    }
    return new Client("muxLsp", "Mux", executable, options);
  }

  #middleware(): Middleware {
    return {
      // Code lenses and code actions run commands: show why one is refused.
      executeCommand: (name, parameters) => this.reporting(() => this.#execute(name, parameters)),
      // The status bar item shows the progress.
      handleWorkDoneProgress: () => undefined,
      // Fire after the notification was sent: the server has the text before it is asked about it.
      didOpen: async (document, next) => {
        await next(document);
        this.#reviews.fire(document.uri);
      },
      didChange: async (event, next) => {
        await next(event);
        this.#reviews.fire(event.document.uri);
      },
      didSave: async (document, next) => {
        await next(document);
        this.#reviews.fire(document.uri);
      },
    };
  }

  async #execute(name: string, parameters: unknown[], token?: vscode.CancellationToken): Promise<unknown> {
    const client = this.#client;
    if (client === undefined || this.#library === undefined || this.state !== "running") {
      throw new Error("There is no connection to mux-lsp. Run “Mux: Restart the Connection to mux-lsp”.");
    }
    let answer: unknown;
    try {
      const wanted = { command: name, arguments: parameters };
      answer = await client.sendRequest(this.#library.ExecuteCommandRequest.type, wanted, token);
    } catch (error) {
      if (token?.isCancellationRequested === true) {
        throw new vscode.CancellationError();
      }
      const { PendingResponseRejected, ConnectionInactive } = this.#library.ErrorCodes;
      const isLost = ([PendingResponseRejected, ConnectionInactive] as unknown[]).includes(fields(error)["code"]);
      throw isLost ? new Error("The connection to mux-lsp was lost. Try again.") : new Refused(error);
    }
    const { uri } = fields(parameters[0]);
    if (name === "mux.variant.show" && typeof uri === "string") {
      this.#reviews.fire(vscode.Uri.parse(uri));
    }
    return answer;
  }

  #connectionEnded(): void {
    this.#client = undefined;
    const wait = this.#backoff.ended(Date.now() - this.#startedAt);
    if (wait === undefined) {
      this.#enter("failed");
      void this.#showFailure(new Refused("The connection to mux-lsp was lost repeatedly."));
      return;
    }
    this.#log.warn(`connection lost; reconnecting in ${wait} ms`);
    this.#enter("starting");
    this.#retry = setTimeout(() => void this.#startAgain(), wait);
  }

  async #disconnect(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) {
      await client.dispose(STOP_MILLISECONDS).catch((error: unknown) => {
        this.#log.warn(String(error));
      });
    }
  }

  #enter(state: ConnectionState): void {
    if (state !== this.state) {
      this.#log.info(`${this.state} → ${state}`);
      this.state = state;
      this.#states.fire(state);
    }
  }

  /** Offer to install the program, once. */
  async #offerInstall(): Promise<void> {
    if (this.#memory.get<boolean>(DECLINED) === true) {
      return;
    }
    const where = isSet() ? "is not at the path in the setting muxLsp.path" : "is not installed, or not on the PATH";
    const answer = await vscode.window.showWarningMessage(
      `The program mux-lsp ${where}.`,
      "Install…",
      "Set the Path",
      "Not Now",
    );
    switch (answer) {
      case "Install…":
        return this.install();
      case "Set the Path":
        return vscode.commands.executeCommand("workbench.action.openSettings", "muxLsp.path");
      case "Not Now":
        return this.#memory.update(DECLINED, true);
    }
  }

  /** Show why there is no connection, with the actions that may help. */
  async #showFailure(error: Refused): Promise<void> {
    const isOlder = error.protocol !== undefined && error.protocol < PROTOCOL_VERSION;
    const isNewer = error.protocol !== undefined && error.protocol > PROTOCOL_VERSION;
    const actions = [...(isOlder ? ["Update mux-lsp…"] : []), ...(isNewer ? ["Update the Extension"] : [])];
    const answer = await vscode.window.showErrorMessage(message(error.message), ...actions, "Try Again", "Show the Output");
    switch (answer) {
      case "Update mux-lsp…":
        if (this.program !== undefined && (await update(this.program))) {
          await this.restart();
        }
        return;
      case "Update the Extension":
        return vscode.commands.executeCommand("workbench.extensions.action.checkForUpdates");
      case "Try Again":
        return this.restart();
      case "Show the Output":
        this.#log.show();
    }
  }
}

/** Return the fields of a value if it is an object. */
function fields(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
