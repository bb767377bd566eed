/** The commands on runs, their files and their changes, for the palette, the view, diff editors and the comparison. */

import * as vscode from "vscode";
import { result, snapshot, transcript } from "./addresses.ts";
import type { PageRequest } from "./comparisonHtml.ts";
import { confirm, discard, remove } from "./confirmDiscard.ts";
import type { Context, Handlers } from "./context.ts";
import { hasEnded } from "./describe.ts";
import { proposedFile } from "./diffs.ts";
import { pickRun } from "./pickTask.ts";
import { isOpen } from "./places.ts";
import type { AcceptResult, FileSummary, ReviewItem, RunShape, TaskShape } from "./protocol.ts";
import { count, label, message } from "./text.ts";
import type { Node } from "./treeNode.ts";

/** Milliseconds for which the status bar shows a result. */
const STATUS_MILLISECONDS = 10_000;

export function runCommands(context: Context): Handlers {
  return { ...wholeRuns(context), ...files(context), ...changes(context) };
}

function wholeRuns(context: Context): Handlers {
  const { connection, tasks, diffs, verification } = context;
  /** A command on the run of a row; without a row, on one picked from the runs that the command applies to. */
  const on =
    (applies: (run: RunShape) => boolean, work: (run: RunShape, task: TaskShape) => unknown) =>
    async (node?: Node): Promise<void> => {
      const run = node?.kind === "run" ? tasks.run(node.id) : await pickRun(context, applies);
      const task = run && tasks.task(run.task);
      if (run !== undefined && task !== undefined) {
        await connection.reporting(() => Promise.resolve(work(run, task)));
      }
    };
  const isKept = (run: RunShape): boolean => run.discarded === null;
  const hasChanged = (run: RunShape): boolean => isKept(run) && run.file_count > 0;
  const isComplete = (run: RunShape): boolean => isKept(run) && hasEnded(run);
  const handlers: Handlers = {
    "muxLsp.run.diff": on(hasChanged, async (run, task) => {
      const { files } = (await connection.request("mux.run.get", { run: run.id })).run;
      await diffs.openRun(task, run, files);
    }),
    "muxLsp.run.accept": on(hasChanged, async (run) => {
      reportAccepted(run.id, await connection.request("mux.run.accept", { run: run.id, result: run.result }));
    }),
    "muxLsp.run.reject": on(hasChanged, (run) => connection.request("mux.run.reject", { run: run.id })),
    "muxLsp.run.verify": on(hasChanged, (run) => verification.verify({ run: run.id })),
    "muxLsp.run.log": on(() => true, (run) =>
      vscode.commands.executeCommand("markdown.showPreview", vscode.Uri.parse(transcript(run.id))),
    ),
    "muxLsp.run.continue": on(isComplete, async (run) => {
      const words = await vscode.window.showInputBox({
        title: `Continue ${run.id}`,
        prompt: "The next instructions for its agent, which sees what you have accepted and typed since.",
        ignoreFocusOut: true,
      });
      if (words !== undefined && words.trim() !== "") {
        await connection.request("mux.run.continue", { run: run.id, message: words, up_to_date: "own" });
      }
    }),
    "muxLsp.run.cancel": on((run) => !hasEnded(run), (run) => connection.request("mux.run.cancel", { run: run.id })),
    "muxLsp.run.retry": on(isComplete, (run) => connection.request("mux.run.retry", { run: run.id })),
    "muxLsp.run.pick": on((run) => isComplete(run) && hasChanged(run), (run) => pick(context, run)),
    "muxLsp.run.discard": on(isKept, (run) => discard(connection, run.id, "It is stopped and discarded.")),
    "muxLsp.run.restore": on((run) => !isKept(run), (run) => connection.request("mux.task.restore", { id: run.id })),
    "muxLsp.run.delete": on(() => true, (run) => remove(connection, run.id)),
  };
  return { ...handlers, "muxLsp.comparison.act": (request: PageRequest) => act(context, request) };
}

/** Carry out the request of a button of the comparison. */
async function act({ connection, tasks, diffs }: Context, { action, run: id, path }: PageRequest): Promise<void> {
  const run = tasks.run(id);
  const task = run && tasks.task(run.task);
  if (run === undefined || task === undefined) {
    return;
  }
  if (action !== "file") {
    const node: Node = { kind: "run", id };
    return vscode.commands.executeCommand(`muxLsp.run.${action}`, node);
  }
  await connection.reporting(async () => {
    const { files } = (await connection.request("mux.run.get", { run: id })).run;
    const file = files.find((one) => one.path === path || one.old_path === path);
    if (file !== undefined) {
      await diffs.openFile(task, run, file);
    }
  });
}

/** The file of a row, or of a diff editor. */
interface Chosen {
  readonly task: TaskShape;
  readonly run: RunShape;
  readonly file: FileSummary;
}

function files({ connection, tasks, tree, diffs }: Context): Handlers {
  const chosen = async (at: Node | vscode.Uri | undefined): Promise<Chosen | undefined> => {
    const named = at instanceof vscode.Uri ? proposedFile(at) : at?.kind === "file" ? at : undefined;
    const run = named && tasks.run(named.run);
    const task = run && tasks.task(run.task);
    if (named === undefined || run === undefined || task === undefined) {
      return undefined;
    }
    const known = at instanceof vscode.Uri ? undefined : tree.file(at as Node & { kind: "file" });
    const file =
      known ?? (await connection.request("mux.run.get", { run: run.id })).run.files.find(({ path }) => path === named.path);
    return file && { task, run, file };
  };
  const on = (work: (chosen: Chosen) => Promise<unknown>) => (at?: Node | vscode.Uri) =>
    connection.reporting(async () => {
      const found = await chosen(at);
      return found && work(found);
    });
  return {
    "muxLsp.file.diff": on(({ task, run, file }) => diffs.openFile(task, run, file)),
    "muxLsp.file.accept": on(async ({ run, file: { path } }) => {
      reportAccepted(path, await connection.request("mux.file.accept", { run: run.id, path, result: run.result }));
    }),
    "muxLsp.file.reject": on(({ run, file: { path } }) => connection.request("mux.file.reject", { run: run.id, path })),
  };
}

function changes({ connection, tasks, tree, diffs, merges }: Context): Handlers {
  const on = (work: (item: ReviewItem) => Promise<unknown>) => (node?: Node) => {
    const item = node?.kind === "hunk" ? tree.item(node) : undefined;
    return item && connection.reporting(() => work(item));
  };
  const accept = (mode: "exact" | "instead" | "take" | "mark") => async (item: ReviewItem) => {
    const { run, path, hunk } = item;
    const wanted = { run, mode };
    const result = await (hunk === null
      ? connection.request("mux.file.accept", { ...wanted, path, what: "file" })
      : connection.request("mux.hunk.accept", { ...wanted, hunks: [hunk] }));
    reportAccepted(path, result);
  };
  return {
    "muxLsp.hunk.open": (node?: Node) =>
      on(async (item) => {
        const run = tasks.run(item.run);
        const task = run && tasks.task(run.task);
        const file = node?.kind === "hunk" ? tree.file(node) : undefined;
        if (run === undefined || task === undefined || file === undefined) {
          return;
        }
        await diffs.openItem(task, run, file, item);
        if (isOpen(item)) {
          // If several runs have variants at this place, show the chosen one: the keys accept the shown variant.
          const { uri, hunk } = item;
          await connection.quietly(() => connection.request("mux.variant.show", { uri, run: run.id, hunk }));
        }
      })(node),
    "muxLsp.hunk.accept": on(accept("exact")),
    "muxLsp.hunk.instead": on(accept("instead")),
    "muxLsp.hunk.take": on(accept("take")),
    "muxLsp.hunk.mark": on(accept("mark")),
    "muxLsp.hunk.merge": on(({ run, uri, hunk, path, old_path }) =>
      merges.open({
        run, uri, hunk,
        base: snapshot(tasks.run(run)?.task ?? "", old_path ?? path),
        theirs: result(run, path),
      }),
    ),
    "muxLsp.hunk.reject": on(({ run, path, hunk }) =>
      hunk === null
        ? connection.request("mux.file.reject", { run, path, what: "file" })
        : connection.request("mux.hunk.reject", { run, hunks: [hunk] }),
    ),
  };
}

/** Report the effects of an accept that the editor does not show. */
function reportAccepted(what: string, result: AcceptResult): void {
  const files = count(result.files.length, "file");
  vscode.window.setStatusBarMessage(`${label(what)}: accepted, ${files} changed`, STATUS_MILLISECONDS);
  if (result.kept !== null) {
    void vscode.window.showInformationMessage(message(`Copies of your files are in ${result.kept}.`));
  } else if (result.accepted === 0 && result.already > 0) {
    void vscode.window.showInformationMessage("Your files already contain all of it.");
  }
}

/** Accept all changes of a run, and discard the other runs of its task. */
async function pick({ connection }: Context, run: RunShape): Promise<void> {
  const detail = "The other runs are discarded. You can restore them for a limited time.";
  if (await confirm(`Accept all of ${run.id}?`, detail, "Accept")) {
    reportAccepted(run.id, await connection.request("mux.run.pick", { run: run.id, result: run.result }));
  }
}
