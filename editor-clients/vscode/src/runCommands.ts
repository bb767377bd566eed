/** What the palette, the view, the diff editors and the comparison do with runs, their files and their changes. */

import * as vscode from "vscode";
import { result, snapshot, transcript } from "./addresses.ts";
import { agreed, discard, remove } from "./away.ts";
import { hasEnded } from "./describe.ts";
import { proposal } from "./diffs.ts";
import type { Wish } from "./page.ts";
import type { Handlers, Parts } from "./parts.ts";
import { waits } from "./places.ts";
import type { AcceptResult, FileSummary, ReviewItem, RunShape, TaskShape } from "./protocol.ts";
import { pickRun } from "./picking.ts";
import { count, label, message } from "./text.ts";
import type { Node } from "./tree.ts";

/** How long the status bar says what was done. */
const STATUS_MILLISECONDS = 10_000;

export function runCommands(parts: Parts): Handlers {
  return { ...whole(parts), ...files(parts), ...changes(parts) };
}

function whole(parts: Parts): Handlers {
  const { server, tasks, diffs, verification } = parts;
  /** A command on a run of the view, or on one that is picked among those for which it can be. */
  const on =
    (wanted: (run: RunShape) => boolean, work: (run: RunShape, task: TaskShape) => unknown) =>
    async (node?: Node): Promise<void> => {
      const run = node?.kind === "run" ? tasks.run(node.id) : await pickRun(parts, wanted);
      const task = run && tasks.task(run.task);
      if (run !== undefined && task !== undefined) {
        await server.reporting(() => Promise.resolve(work(run, task)));
      }
    };
  const isKept = (run: RunShape): boolean => run.discarded === null;
  const hasChanged = (run: RunShape): boolean => isKept(run) && run.file_count > 0;
  const hasCome = (run: RunShape): boolean => isKept(run) && hasEnded(run);
  const handlers: Handlers = {
    "muxLsp.run.diff": on(hasChanged, async (run, task) => {
      const { files } = (await server.request("mux.run.get", { run: run.id })).run;
      await diffs.openRun(task, run, files);
    }),
    "muxLsp.run.accept": on(hasChanged, async (run) => {
      tell(run.id, await server.request("mux.run.accept", { run: run.id, result: run.result }));
    }),
    "muxLsp.run.reject": on(hasChanged, (run) => server.request("mux.run.reject", { run: run.id })),
    "muxLsp.run.verify": on(hasChanged, (run) => verification.verify({ run: run.id })),
    "muxLsp.run.log": on(() => true, (run) =>
      vscode.commands.executeCommand("markdown.showPreview", vscode.Uri.parse(transcript(run.id))),
    ),
    "muxLsp.run.continue": on(hasCome, async (run) => {
      const words = await vscode.window.showInputBox({
        title: `Continue ${run.id}`,
        prompt: "What its agent is to do next. It sees what you have accepted and typed since.",
        ignoreFocusOut: true,
      });
      if (words !== undefined && words.trim() !== "") {
        await server.request("mux.run.continue", { run: run.id, message: words, up_to_date: "own" });
      }
    }),
    "muxLsp.run.cancel": on((run) => !hasEnded(run), (run) => server.request("mux.run.cancel", { run: run.id })),
    "muxLsp.run.retry": on(hasCome, (run) => server.request("mux.run.retry", { run: run.id })),
    "muxLsp.run.pick": on((run) => hasCome(run) && hasChanged(run), (run) => pick(parts, run)),
    "muxLsp.run.discard": on(isKept, (run) => discard(server, run.id, "It is ended and thrown away.")),
    "muxLsp.run.restore": on((run) => !isKept(run), (run) => server.request("mux.task.restore", { id: run.id })),
    "muxLsp.run.delete": on(() => true, (run) => remove(server, run.id)),
  };
  return { ...handlers, "muxLsp.comparison.act": (wish: Wish) => act(parts, wish) };
}

/** What a button of the comparison asks for. */
async function act({ server, tasks, diffs }: Parts, { action, run: id, path }: Wish): Promise<void> {
  const run = tasks.run(id);
  const task = run && tasks.task(run.task);
  if (run === undefined || task === undefined) {
    return;
  }
  if (action !== "file") {
    const node: Node = { kind: "run", id };
    return vscode.commands.executeCommand(`muxLsp.run.${action}`, node);
  }
  await server.reporting(async () => {
    const { files } = (await server.request("mux.run.get", { run: id })).run;
    const file = files.find((one) => one.path === path || one.old_path === path);
    if (file !== undefined) {
      await diffs.openFile(task, run, file);
    }
  });
}

/** A file of the view, or of the diff that is shown. */
interface Chosen {
  readonly task: TaskShape;
  readonly run: RunShape;
  readonly file: FileSummary;
}

function files({ server, tasks, tree, diffs }: Parts): Handlers {
  const chosen = async (at: Node | vscode.Uri | undefined): Promise<Chosen | undefined> => {
    const named = at instanceof vscode.Uri ? proposal(at) : at?.kind === "file" ? at : undefined;
    const run = named && tasks.run(named.run);
    const task = run && tasks.task(run.task);
    if (named === undefined || run === undefined || task === undefined) {
      return undefined;
    }
    const known = at instanceof vscode.Uri ? undefined : tree.file(at as Node & { kind: "file" });
    const file =
      known ?? (await server.request("mux.run.get", { run: run.id })).run.files.find(({ path }) => path === named.path);
    return file && { task, run, file };
  };
  const on = (work: (chosen: Chosen) => Promise<unknown>) => (at?: Node | vscode.Uri) =>
    server.reporting(async () => {
      const found = await chosen(at);
      return found && work(found);
    });
  return {
    "muxLsp.file.diff": on(({ task, run, file }) => diffs.openFile(task, run, file)),
    "muxLsp.file.accept": on(async ({ run, file: { path } }) => {
      tell(path, await server.request("mux.file.accept", { run: run.id, path, result: run.result }));
    }),
    "muxLsp.file.reject": on(({ run, file: { path } }) => server.request("mux.file.reject", { run: run.id, path })),
  };
}

function changes({ server, tasks, tree, diffs, merges }: Parts): Handlers {
  const on = (work: (item: ReviewItem) => Promise<unknown>) => (node?: Node) => {
    const item = node?.kind === "hunk" ? tree.item(node) : undefined;
    return item && server.reporting(() => work(item));
  };
  const accept = (mode: "exact" | "instead" | "take" | "mark") => async (item: ReviewItem) => {
    const { run, path, hunk } = item;
    const wanted = { run, mode };
    const result = await (hunk === null
      ? server.request("mux.file.accept", { ...wanted, path, what: "file" })
      : server.request("mux.hunk.accept", { ...wanted, hunks: [hunk] }));
    tell(path, result);
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
        if (waits(item)) {
          // Several may want this place otherwise: the one that was chosen is seen there, and accepted by the keys.
          const { uri, hunk } = item;
          await server.quietly(() => server.request("mux.variant.show", { uri, run: run.id, hunk }));
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
        ? server.request("mux.file.reject", { run, path, what: "file" })
        : server.request("mux.hunk.reject", { run, hunks: [hunk] }),
    ),
  };
}

/** What accepting has done: not all of it can be seen in the editor. */
function tell(what: string, result: AcceptResult): void {
  const files = count(result.files.length, "file");
  vscode.window.setStatusBarMessage(`${label(what)}: accepted, ${files} changed`, STATUS_MILLISECONDS);
  if (result.kept !== null) {
    void vscode.window.showInformationMessage(message(`Copies of your files are in ${result.kept}.`));
  } else if (result.accepted === 0 && result.already > 0) {
    void vscode.window.showInformationMessage("All of it is in your files already.");
  }
}

/** Accept all of a run, and throw the other runs of its task away. */
async function pick({ server }: Parts, run: RunShape): Promise<void> {
  const detail = "The other runs are thrown away. They can be brought back for a while.";
  if (await agreed(`Accept all of ${run.id}?`, detail, "Accept")) {
    tell(run.id, await server.request("mux.run.pick", { run: run.id, result: run.result }));
  }
}
