/** Review changes in editors: decorate places, navigate, and decide on the change at the cursor. */

import * as vscode from "vscode";
import { Coalescer } from "./coalesce.ts";
import type { Mark } from "./places.ts";
import { attribution, choices, end, hasAny, marks, placeAt, placeOf, proposal, shown, step, waiting } from "./places.ts";
import type { PlaceShape, VariantShape } from "./protocol.ts";
import type { Connection } from "./connection.ts";
import { plain } from "./text.ts";

/** An open change, and the editor that shows it. */
interface Found {
  readonly editor: vscode.TextEditor;
  readonly place: PlaceShape;
  readonly variant: VariantShape;
}

/** The place whose proposed text is shown. It is identified by its variants, since its lines move. */
interface Expanded {
  readonly thread: vscode.CommentThread;
  changes: readonly VariantShape[];
}

export class Review implements vscode.Disposable {
  readonly #connection: Connection;
  /** The places of visible documents, by URI. */
  readonly #places = new Map<string, readonly PlaceShape[]>();
  readonly #coalescer = new Coalescer();
  readonly #decorations: Record<Mark["kind"], vscode.TextEditorDecorationType>;
  readonly #comments: vscode.CommentController;
  readonly #listeners: { dispose(): unknown }[];
  #expanded: Expanded | undefined;

  constructor(connection: Connection, extension: vscode.Uri) {
    this.#connection = connection;
    this.#decorations = {
      removed: decoration(extension, "pending", "diffEditor.removedLineBackground", "muxLsp.removedBorder"),
      inserted: decoration(extension, "pending"),
      conflict: decoration(extension, "conflict", "inputValidation.warningBackground", "muxLsp.conflictBorder"),
    };
    this.#comments = vscode.comments.createCommentController("muxLsp", "Mux");
    this.#listeners = [
      ...Object.values(this.#decorations),
      this.#comments,
      connection.onDidChangeReview((uri) => {
        const key = uri.toString();
        void this.#coalescer.run(key, async () => {
          await this.#fetch(key);
          this.#drawAll();
        });
      }),
      connection.onDidChangeState((state) => {
        if (state !== "running") {
          this.#places.clear();
          this.#drawAll();
        }
      }),
      vscode.window.onDidChangeVisibleTextEditors(() => {
        this.#drawAll();
      }),
      vscode.window.tabGroups.onDidChangeTabs(() => {
        this.#drawAll();
      }),
      vscode.window.onDidChangeActiveTextEditor(() => {
        this.#updateContext();
      }),
      vscode.window.onDidChangeTextEditorSelection(() => {
        this.#updateContext();
      }),
      vscode.workspace.onDidCloseTextDocument((document) => this.#places.delete(document.uri.toString())),
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration("muxLsp.review")) {
          this.#drawAll();
        }
      }),
    ];
  }

  /** Go to the next place of the document, or to the previous one. Return whether there is one; with `wrap`, continue at the
   * other end. */
  go(forwards: boolean, wrap: boolean): boolean {
    const editor = vscode.window.activeTextEditor;
    const places = editor === undefined ? [] : this.#of(editor);
    const place =
      (editor && step(places, editor.selection.active.line, forwards)) ?? (wrap ? end(places, forwards) : undefined);
    if (editor === undefined || place === undefined) {
      return false;
    }
    moveTo(editor, place.range.start.line);
    if (isPlain(editor)) {
      // Focus the text, since the view may have the focus. (In a diff editor this would open one side of the diff.)
      void vscode.window.showTextDocument(editor.document, editor.viewColumn);
    }
    return true;
  }

  /** Accept the change at the cursor, or that of a thread; for a conflict, offer the resolutions. */
  async accept(thread?: vscode.CommentThread): Promise<void> {
    if (this.here(thread)?.variant.status === "conflict") {
      return this.resolve(thread);
    }
    await this.#act(thread, (_, variant) =>
      variant.hunk === null
        ? this.#connection.request("mux.file.accept", { run: variant.run, path: variant.path, what: "file" })
        : this.#connection.request("mux.hunk.accept", { run: variant.run, hunks: [variant.hunk] }),
    );
  }

  /** Reject the change at the cursor, or that of a thread. */
  async reject(thread?: vscode.CommentThread): Promise<void> {
    await this.#act(thread, (_, variant) =>
      variant.hunk === null
        ? this.#connection.request("mux.file.reject", { run: variant.run, path: variant.path, what: "file" })
        : this.#connection.request("mux.hunk.reject", { run: variant.run, hunks: [variant.hunk], shared: true }),
    );
  }

  /** Offer the resolutions of a conflict. */
  async resolve(thread?: vscode.CommentThread): Promise<void> {
    const found = this.here(thread);
    if (found !== undefined) {
      const editor = await vscode.window.showTextDocument(found.editor.document, found.editor.viewColumn);
      moveTo(editor, found.variant.range.start.line);
      await vscode.commands.executeCommand("editor.action.codeAction", { kind: "quickfix.mux", apply: "never" });
    }
  }

  /** Show another variant of the place. */
  async showVariant(by: number, thread?: vscode.CommentThread): Promise<void> {
    await this.#act(thread, (uri, variant) =>
      this.#connection.request("mux.variant.show", { uri, run: variant.run, hunk: variant.hunk, step: by }),
    );
  }

  /** Return the current line of a change in a document. */
  lineOf(uri: string, run: string, hunk: string | null): number {
    const variants = (this.#places.get(vscode.Uri.parse(uri).toString()) ?? []).flatMap((place) => place.variants);
    return variants.find((one) => one.hunk === hunk && one.runs.includes(run))?.range.start.line ?? 0;
  }

  /** Return the change at the cursor, or else the expanded one in the same document. With a thread, whose button was pressed,
   * return the change of the thread. */
  here(thread?: vscode.CommentThread): Found | undefined {
    const active = vscode.window.activeTextEditor;
    if (active === undefined || thread !== undefined) {
      return [...(active === undefined ? [] : [active]), ...vscode.window.visibleTextEditors]
        .map((editor) => this.#expandedIn(editor))
        .find((found) => found !== undefined);
    }
    return this.#found(active, placeAt(this.#of(active), active.selection.active.line)) ?? this.#expandedIn(active);
  }

  /** Show the proposed text below the place at the cursor, with buttons; hide it where it is already shown. */
  expand(): void {
    const found = this.here();
    const isShown = found !== undefined && this.#expandedIn(found.editor)?.place === found.place;
    this.collapse();
    if (found === undefined || isShown) {
      return;
    }
    const { editor, place, variant } = found;
    const thread = this.#comments.createCommentThread(editor.document.uri, threadRange(place), []);
    thread.canReply = false;
    this.#expanded = { thread, changes: place.variants };
    fill(thread, place, variant, editor.document.languageId);
    thread.collapsibleState = vscode.CommentThreadCollapsibleState.Expanded;
  }

  /** Hide the proposed text. */
  collapse(): void {
    this.#expanded?.thread.dispose();
    this.#expanded = undefined;
  }

  dispose(): void {
    this.collapse();
    for (const one of this.#listeners) {
      one.dispose();
    }
  }

  async #act(
    thread: vscode.CommentThread | undefined,
    work: (uri: string, variant: VariantShape) => Promise<unknown>,
  ): Promise<void> {
    const found = this.here(thread);
    if (found !== undefined) {
      await this.#connection.reporting(() => work(found.editor.document.uri.toString(), found.variant));
    }
  }

  async #fetch(key: string): Promise<void> {
    const document = vscode.workspace.textDocuments.find((one) => one.uri.toString() === key);
    if (document === undefined || this.#connection.state !== "running") {
      this.#places.delete(key);
      return;
    }
    try {
      const found = await this.#connection.request("mux.review.places", { uri: key });
      // A result for an older version is dropped: the event of the newer version requests again.
      if (found.version === document.version) {
        this.#places.set(key, found.places);
        if (hasAny(found.places)) {
          // Completes a step of the walkthrough.
          void vscode.commands.executeCommand("setContext", "muxLsp.accepted", true);
        }
      }
    } catch {
      // The document was closed in the meantime, or the connection has ended: there is nothing to show.
      this.#places.delete(key);
    }
  }

  #of(editor: vscode.TextEditor): readonly PlaceShape[] {
    return this.#places.get(editor.document.uri.toString()) ?? [];
  }

  #drawAll(): void {
    for (const editor of vscode.window.visibleTextEditors) {
      this.#draw(editor);
    }
    this.#updateContext();
    this.#updateExpanded();
  }

  #draw(editor: vscode.TextEditor): void {
    const wanted = vscode.workspace.getConfiguration("muxLsp.review", editor.document).get<boolean>("decorations", true);
    const found = wanted && isPlain(editor) ? marks(this.#of(editor)) : [];
    for (const [kind, decoration] of Object.entries(this.#decorations)) {
      const drawn = found.filter((mark) => mark.kind === kind);
      editor.setDecorations(decoration, drawn.map((mark) => options(editor.document, mark)));
    }
  }

  /** Set the context keys that keys and menus depend on. */
  #updateContext(): void {
    const editor = vscode.window.activeTextEditor;
    const found = editor === undefined ? [] : this.#of(editor);
    const at = editor && placeAt(found, editor.selection.active.line);
    void vscode.commands.executeCommand("setContext", "muxLsp.waiting", waiting(found).length > 0);
    void vscode.commands.executeCommand("setContext", "muxLsp.atPlace", at !== undefined);
  }

  /** Update the expanded place after a decision, a change of the shown variant, or an edit that moved it. */
  #updateExpanded(): void {
    const expanded = this.#expanded;
    if (expanded === undefined) {
      return;
    }
    const { thread, changes } = expanded;
    const document = vscode.workspace.textDocuments.find((one) => one.uri.toString() === thread.uri.toString());
    const place = placeOf(this.#places.get(thread.uri.toString()) ?? [], changes);
    const variant = place && shown(place);
    if (document === undefined || place === undefined || variant === undefined) {
      this.collapse();
      return;
    }
    expanded.changes = place.variants;
    const range = threadRange(place);
    if (thread.range?.isEqual(range) !== true) {
      thread.range = range;
    }
    fill(thread, place, variant, document.languageId);
  }

  #expandedIn(editor: vscode.TextEditor): Found | undefined {
    const { thread, changes } = this.#expanded ?? {};
    return thread === undefined || changes === undefined || thread.uri.toString() !== editor.document.uri.toString()
      ? undefined
      : this.#found(editor, placeOf(this.#of(editor), changes));
  }

  #found(editor: vscode.TextEditor, place: PlaceShape | undefined): Found | undefined {
    const variant = place && shown(place);
    return place && variant && { editor, place, variant };
  }
}

function fill(thread: vscode.CommentThread, place: PlaceShape, variant: VariantShape, language: string): void {
  const body = new vscode.MarkdownString(proposal(variant, language));
  body.isTrusted = false;
  body.supportHtml = false;
  const several = choices(place).length > 1;
  thread.label = plain(attribution(variant)) + (several ? ` · ${choices(place).length} variants` : "");
  thread.contextValue = `${variant.status}${several ? ".several" : ""}`;
  thread.comments = [{ author: { name: variant.run }, body, mode: vscode.CommentMode.Preview }];
}

/** Return whether an editor shows only a text. Diff and merge editors mark changes themselves. */
function isPlain(editor: vscode.TextEditor): boolean {
  const group = vscode.window.tabGroups.all.find((one) => one.viewColumn === editor.viewColumn);
  return group?.activeTab?.input instanceof vscode.TabInputText;
}

function moveTo(editor: vscode.TextEditor, line: number): void {
  const at = new vscode.Position(line, 0);
  editor.selection = new vscode.Selection(at, at);
  editor.revealRange(new vscode.Range(at, at), vscode.TextEditorRevealType.InCenterIfOutsideViewport);
}

function decoration(
  extension: vscode.Uri,
  name: "pending" | "conflict",
  background?: string,
  border?: string,
): vscode.TextEditorDecorationType {
  return vscode.window.createTextEditorDecorationType({
    isWholeLine: true,
    ...(background === undefined ? {} : { backgroundColor: new vscode.ThemeColor(background) }),
    // High contrast themes have no such backgrounds.
    ...(border === undefined ? {} : { border: "1px solid", borderColor: new vscode.ThemeColor(border) }),
    gutterIconPath: vscode.Uri.joinPath(extension, "media", `place-${name}.svg`),
    gutterIconSize: "contain",
    overviewRulerColor: new vscode.ThemeColor(
      name === "conflict" ? "editorOverviewRuler.warningForeground" : "editorOverviewRuler.modifiedForeground",
    ),
    overviewRulerLane: vscode.OverviewRulerLane.Left,
    after: { color: new vscode.ThemeColor("muxLsp.insertedForeground"), margin: "0 0 0 2em" },
  });
}

/** Decorate the lines to be removed; where lines are only inserted, the line after them. */
function options(document: vscode.TextDocument, mark: Mark): vscode.DecorationOptions {
  const lastLine = document.lineCount - 1;
  const first = Math.min(mark.start, lastLine);
  const last = Math.min(Math.max(mark.start, mark.end - 1), lastLine);
  const range = new vscode.Range(first, 0, last, document.lineAt(last).text.length);
  const arrow = mark.kind === "inserted" ? "↑" : "→";
  return { range, renderOptions: mark.inserted === "" ? {} : { after: { contentText: `${arrow} ${mark.inserted}` } } };
}

function threadRange(place: PlaceShape): vscode.Range {
  const { start, end } = place.range;
  return new vscode.Range(start.line, 0, Math.max(start.line, end.character > 0 ? end.line : end.line - 1), 0);
}
