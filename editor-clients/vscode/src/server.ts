/** The connection to the daemon: made, kept, made again, and given up in words. */

import * as vscode from "vscode";
import type { Executable, LanguageClient, LanguageClientOptions, Middleware } from "vscode-languageclient/node";
import { Backoff } from "./backoff.ts";
import { install, isSet, locate, onDidSelectPython, update } from "./program.ts";
import type { ClientCommands, Commands, Notifications } from "./protocol.ts";
import { PROTOCOL_VERSION } from "./protocol.ts";
import { message } from "./text.ts";

export type ServerState = "starting" | "running" | "missing" | "failed" | "stopped";

/** Commands of the protocol that this client has itself. */
const OWN_COMMANDS: readonly (keyof ClientCommands)[] = ["mux.client.ask", "mux.client.diff", "mux.client.merge"];

/** Remembered where the person does not want to install the program: they are not asked at every start. */
const DECLINED = "installDeclined";

const STOP_MILLISECONDS = 2000;

/** The language client, which is read when the connection is made: activating the extension does not wait for it. */
type Library = typeof import("vscode-languageclient/node");

/** A request was refused, with the server's words. */
export class Refused extends Error {
  readonly kind: string;
  /** The protocol version of a server that speaks another one. */
  readonly protocol: number | undefined;

  constructor(error: unknown) {
    super(error instanceof Error ? error.message : String(error));
    const data = fields(fields(error)["data"]);
    this.kind = typeof data["kind"] === "string" ? data["kind"] : "failed";
    this.protocol = typeof data["protocol"] === "number" ? data["protocol"] : undefined;
  }
}

export class Server implements vscode.Disposable {
  readonly onDidChangeState: vscode.Event<ServerState>;
  /** What there is to review in a file may be another now: its text, a run, or a decision has changed. */
  readonly onDidChangeReview: vscode.Event<vscode.Uri>;
  state: ServerState = "stopped";
  /** The version of the server that answered last. */
  version = "";
  program: string | undefined;
  readonly #log: vscode.LogOutputChannel;
  readonly #memory: vscode.Memento;
  readonly #states = new vscode.EventEmitter<ServerState>();
  readonly #reviews = new vscode.EventEmitter<vscode.Uri>();
  readonly #handlers: ((client: LanguageClient) => void)[] = [];
  readonly #backoff = new Backoff();
  #python: vscode.Disposable | undefined;
  #library: Library | undefined;
  #client: LanguageClient | undefined;
  #begun = 0;
  #retry: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();

  constructor(log: vscode.LogOutputChannel, memory: vscode.Memento) {
    this.#log = log;
    this.#memory = memory;
    this.onDidChangeState = this.#states.event;
    this.onDidChangeReview = this.#reviews.event;
    this.on("mux/reviewChanged", ({ uris, more }) => {
      const named = uris.map((uri) => vscode.Uri.parse(uri));
      // Of many files not all are named: then it may be any that is open.
      const others = more > 0 ? vscode.workspace.textDocuments.map((document) => document.uri) : [];
      for (const uri of [...named, ...others]) {
        this.#reviews.fire(uri);
      }
    });
  }

  /** Make the connection, or make it anew. One at a time; one that is still being made is given up. */
  restart(): Promise<void> {
    this.#backoff.reset();
    this.#giveUp();
    return this.#again();
  }

  /** The result of one of the protocol's commands. Raises Refused. */
  async request<Name extends keyof Commands>(
    name: Name,
    params: Commands[Name]["params"],
    token?: vscode.CancellationToken,
  ): Promise<Commands[Name]["result"]> {
    return (await this.#execute(name, [params], token)) as Commands[Name]["result"];
  }

  /** Be told of one of the protocol's notifications, over this connection and all that follow it. */
  on<Name extends keyof Notifications>(name: Name, listener: (params: Notifications[Name]) => void): void {
    this.#handlers.push((client) => {
      client.onNotification(name, listener);
    });
  }

  /** Do something, and tell the person in words where it is refused; undefined then. */
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

  /** Do something that nobody has asked for: where it is refused the log tells; undefined then. */
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
    this.#giveUp();
    await this.#working;
    await this.#leave();
    this.state = "stopped";
    this.#states.dispose();
    this.#reviews.dispose();
  }

  /** Give up a connection that is still being made: a client can be stopped only once it was answered, which may never be. */
  #giveUp(): void {
    if (this.state === "starting") {
      this.#client?.serverProcess?.kill();
      this.#client = undefined;
    }
  }

  #again(): Promise<void> {
    clearTimeout(this.#retry);
    this.#working = this.#working.then(() => this.#start()).catch((error: unknown) => {
      this.#log.error(String(error));
    });
    return this.#working;
  }

  async #start(): Promise<void> {
    await this.#leave();
    this.#enter("starting");
    this.program = await locate();
    this.#python?.dispose();
    this.#python = onDidSelectPython(() => void this.#follow());
    if (this.program === undefined) {
      this.#log.warn("mux-lsp was not found.");
      this.#enter("missing");
      void this.#offer();
      return;
    }
    void this.#memory.update(DECLINED, undefined);
    this.#log.info(`starting ${this.program}`);
    this.#begun = Date.now();
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
      void this.#explain(new Refused(error));
      return;
    }
    this.version = client.initializeResult?.serverInfo?.version ?? "";
    client.onDidChangeState(({ newState }) => {
      if (newState === library.State.Stopped && this.#client === client) {
        this.#ended();
      }
    });
    this.#enter("running");
  }

  /** Another Python environment is selected: the program may be another one now. */
  async #follow(): Promise<void> {
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
      // What fails is told once, in the words of whoever asked; the library tells some of it too.
      override error(words: string, data?: unknown): void {
        super.error(words, data, false);
      }
    }
    return new Client("muxLsp", "Mux", executable, options);
  }

  #middleware(): Middleware {
    return {
      // Lenses and actions come as commands; what is refused is told to the person.
      executeCommand: (name, parameters) => this.reporting(() => this.#execute(name, parameters)),
      // The status bar has it already.
      handleWorkDoneProgress: () => undefined,
      // The server hears of a text before it is asked about it.
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
      throw new Error("There is no connection to mux-lsp. Restart it by “Mux: Restart the Connection to mux-lsp”.");
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
      throw isLost ? new Error("The connection to mux-lsp was lost meanwhile.") : new Refused(error);
    }
    const { uri } = fields(parameters[0]);
    if (name === "mux.variant.show" && typeof uri === "string") {
      this.#reviews.fire(vscode.Uri.parse(uri));
    }
    return answer;
  }

  #ended(): void {
    this.#client = undefined;
    const wait = this.#backoff.ended(Date.now() - this.#begun);
    if (wait === undefined) {
      this.#enter("failed");
      void this.#explain(new Refused("The connection to mux-lsp has ended again and again."));
      return;
    }
    this.#log.warn(`the connection has ended; again in ${wait} ms`);
    this.#enter("starting");
    this.#retry = setTimeout(() => void this.#again(), wait);
  }

  async #leave(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) {
      await client.dispose(STOP_MILLISECONDS).catch((error: unknown) => {
        this.#log.warn(String(error));
      });
    }
  }

  #enter(state: ServerState): void {
    if (state !== this.state) {
      this.#log.info(`${this.state} → ${state}`);
      this.state = state;
      this.#states.fire(state);
    }
  }

  async #offer(): Promise<void> {
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

  async #explain(error: Refused): Promise<void> {
    const isOlder = error.protocol !== undefined && error.protocol < PROTOCOL_VERSION;
    const isNewer = error.protocol !== undefined && error.protocol > PROTOCOL_VERSION;
    const ways = [...(isOlder ? ["Update mux-lsp…"] : []), ...(isNewer ? ["Update the Extension"] : [])];
    const answer = await vscode.window.showErrorMessage(message(error.message), ...ways, "Try Again", "Show the Output");
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

/** The fields of what may be an object. */
function fields(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
