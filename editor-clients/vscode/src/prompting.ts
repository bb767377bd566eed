/** Handing a prompt to agents: what to do, and which of them, remembered. */

import * as vscode from "vscode";
import { Choice, INLINE, typed } from "./choice.ts";
import { meant, where } from "./folders.ts";
import type { AgentShape, ContextPlace, RequestedAgent, TaskStartParams } from "./protocol.ts";
import type { Server } from "./server.ts";
import { count, label, short } from "./text.ts";
import type { Tree } from "./tree.ts";
import { notice } from "./trust.ts";

const REMEMBERED = "agents";

/** A prompt that was written, and with which nothing was started yet. */
const UNSENT = "prompt";

const PROMPT = 60;

const MORE: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("add"), tooltip: "One more of it" };
const FEWER: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("remove"), tooltip: "One less of it" };

/** What starting a task takes. */
export interface Desk {
  readonly server: Server;
  readonly tree: Tree;
  readonly memory: vscode.Memento;
}

/** Ask for a prompt and for agents, and start a task. Unsaved text goes with it.
 *
 * Where it comes to nothing the prompt is there again the next time.
 */
export async function start(desk: Desk, selected?: vscode.TextEditor): Promise<void> {
  const repository = meant(desk.server);
  const about = selected === undefined ? "" : ` about ${place(selected)}`;
  const prompt = await vscode.window.showInputBox({
    title: `Start a task${about}${where()}`,
    prompt: "What agents are to do. They start from what you see, unsaved text included.",
    value: desk.memory.get<string>(UNSENT) ?? "",
    ignoreFocusOut: true,
  });
  if (prompt !== undefined && prompt.trim() !== "") {
    await desk.memory.update(UNSENT, prompt);
    if (await ask(desk, { prompt, repository: await repository, context: context(selected) })) {
      await desk.memory.update(UNSENT, undefined);
    }
  }
}

/** Ask for agents, and have them begin. Whether they have. */
export async function ask({ server, tree, memory }: Desk, wanted: TaskStartParams): Promise<boolean> {
  const agents = await pickAgents(server, memory, wanted.prompt);
  if (agents === undefined) {
    return false;
  }
  await memory.update(REMEMBERED, agents);
  return begin(server, tree, { ...wanted, agents });
}

async function begin(server: Server, tree: Tree, wanted: TaskStartParams): Promise<boolean> {
  const unsaved = vscode.workspace.getConfiguration("muxLsp").get<"own" | "all" | "none">("unsaved", "own");
  const started = await server.reporting(() => server.request("mux.task.start", { unsaved, ...wanted }));
  if (started !== undefined) {
    await tree.reveal(started.task.id);
    // It is begun: a notification may stay for as long as the person likes.
    void server.reporting(() => notice(server, started.task.repository, started.task.notices));
  }
  return started !== undefined;
}

/** Start a task with two made-up agents, in a file of the folder: there is something to review at once. */
export async function example({ server, tree }: Desk): Promise<void> {
  const file = await exampleFile();
  const path = file === undefined ? "" : vscode.workspace.asRelativePath(file, false);
  // It goes into a command line as it is.
  if (file === undefined || !/^[\w./-]+$/.test(path)) {
    void vscode.window.showInformationMessage("Open a file of the folder first: the example changes a line in it.");
    return;
  }
  const document = await vscode.workspace.openTextDocument(file);
  const end = document.lineAt(document.lineCount - 1).range.end;
  // Where the lines will come; and not in place of the walkthrough that may have asked for it.
  await vscode.window.showTextDocument(document, { preview: false, selection: new vscode.Range(end, end) });
  const agents = ["This line is an example agent's.", "This line is another agent's."].map((line) => ({
    agent: `${INLINE}echo "${line}" >> "$(git ls-files -co --full-name -- ':/${path}' ':/**/${path}' | head -n 1)"`,
  }));
  await begin(server, tree, { prompt: "Write a line, as an example", agents, checks: [], repository: await meant(server) });
}

async function exampleFile(): Promise<vscode.Uri | undefined> {
  const open = vscode.window.activeTextEditor?.document.uri;
  if (open?.scheme === "file" && vscode.workspace.getWorkspaceFolder(open) !== undefined) {
    return open;
  }
  return (await vscode.workspace.findFiles("{README,readme}*", null, 1))[0] ?? (await vscode.workspace.findFiles("*.*", null, 1))[0];
}

/** Which agents, and how many of each; undefined where the person has thought better of it.
 *
 * Enter on the first row starts, on an agent's row takes it in or out; what is typed may be a command of one's own.
 */
async function pickAgents(server: Server, memory: vscode.Memento, prompt: string): Promise<RequestedAgent[] | undefined> {
  const known = await server.reporting(() => server.request("mux.agent.list", {}));
  if (known === undefined) {
    return undefined;
  }
  const choice = new Choice(
    memory.get<RequestedAgent[]>(REMEMBERED) ?? known.defaults.map((agent): RequestedAgent => ({ agent })),
  );
  const names = known.agents.filter(offered).map((one) => one.name);
  const picker = vscode.window.createQuickPick<AgentItem>();
  picker.title = `Agents for “${short(prompt, PROMPT)}”`;
  picker.placeholder = "Pick agents. Several of one: claude*3. A command of your own: sh:COMMAND";
  picker.ignoreFocusOut = true;
  picker.matchOnDescription = true;
  /** What is typed, and not taken in yet. */
  const wanted = (): ReturnType<typeof typed> => {
    const found = typed(picker.value, [...choice.names, ...names]);
    return found !== undefined && choice.count(found.agent) !== found.count ? found : undefined;
  };
  const draw = (): void => {
    const first = wanted();
    const rows = [...new Set([...(first === undefined ? [] : [first.agent]), ...choice.names, ...names])].map((name) =>
      agentItem(
        name,
        choice.count(name),
        known.agents.find((one) => one.name === name),
        name === first?.agent ? first.count : undefined,
      ),
    );
    // Where something is typed Enter takes that in, and does not start.
    picker.items = picker.value.trim() === "" ? [...startItem(choice), ...rows] : rows;
  };
  try {
    return await new Promise((resolve) => {
      picker.onDidChangeValue(draw);
      picker.onDidTriggerItemButton(({ item, button }) => {
        if (item.agent !== undefined) {
          choice.add(item.agent, button === MORE ? 1 : -1);
          draw();
        }
      });
      picker.onDidAccept(() => {
        const item = picker.activeItems[0];
        // Who types fast presses Enter before the row of what is typed is there.
        const first = wanted();
        if (first !== undefined) {
          choice.set(first.agent, first.count);
        } else if (item?.agent !== undefined) {
          choice.toggle(item.agent);
        } else if (item !== undefined) {
          resolve(choice.all);
          return;
        }
        if (picker.value !== "") {
          // Not else: something may have been typed that is not known here yet.
          picker.value = "";
        }
        draw();
      });
      picker.onDidHide(() => {
        resolve(undefined);
      });
      draw();
      picker.show();
    });
  } finally {
    picker.dispose();
  }
}

interface AgentItem extends vscode.QuickPickItem {
  /** Undefined for the row that starts. */
  readonly agent?: string;
}

function startItem(choice: Choice): AgentItem[] {
  if (choice.all.length === 0) {
    return [];
  }
  const words = choice.all.map((one) => named(one.agent, one.count ?? 1)).join(", ");
  const total = choice.all.reduce((sum, one) => sum + (one.count ?? 1), 0);
  // How many there are in all comes first: who they are may be longer than the row.
  return [{ label: `$(play) Start ${total > 1 ? `${count(total, "run")}: ` : ""}${label(words)}` }];
}

/** `wanted`: how many of it are typed. What is typed need not be found in how it is shown. */
function agentItem(name: string, number: number, known: AgentShape | undefined, wanted: number | undefined): AgentItem {
  const words = known === undefined ? [] : [known.kind, ...(known.version === null ? [] : [known.version])];
  if (known?.logged_in === false) {
    words.push("not logged in");
  }
  return {
    agent: name,
    label: `$(${number > 0 ? "check" : "circle-large-outline"}) ${label(named(name, wanted ?? number))}`,
    description: label(words.join(" · ")),
    buttons: number > 0 ? [FEWER, MORE] : [MORE],
    alwaysShow: wanted !== undefined,
  };
}

function named(name: string, number: number): string {
  return number > 1 ? `${number} × ${name}` : name; // in front: a command may be longer than the row
}

/** What is not installed cannot be picked. */
function offered(agent: AgentShape): boolean {
  return agent.installed !== false;
}

function context(editor: vscode.TextEditor | undefined): ContextPlace[] {
  if (editor === undefined) {
    return [];
  }
  const { start, end } = editor.selection;
  const range = {
    start: { line: start.line, character: start.character },
    end: { line: end.line, character: end.character },
  };
  return [{ uri: editor.document.uri.toString(), range }];
}

function place(editor: vscode.TextEditor): string {
  const { start, end } = editor.selection;
  const lines = end.line - start.line + (end.character > 0 || end.line === start.line ? 1 : 0);
  return `${count(lines, "line")} of ${label(vscode.workspace.asRelativePath(editor.document.uri))}`;
}
