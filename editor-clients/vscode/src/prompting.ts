/** Start tasks: ask for a prompt and for agents, and remember both. */

import * as vscode from "vscode";
import { AgentSelection, INLINE, parseAgent } from "./agentSelection.ts";
import { currentRepository, inFolder } from "./folders.ts";
import type { AgentShape, ContextPlace, RequestedAgent, TaskStartParams } from "./protocol.ts";
import type { Connection } from "./connection.ts";
import { count, label, short } from "./text.ts";
import type { Tree } from "./tree.ts";
import { notice } from "./trust.ts";

/** The key of the last chosen agents in the workspace state. */
const REMEMBERED = "agents";

/** The key of a prompt with which no task was started yet. */
const UNSENT = "prompt";

/** Maximum characters of a prompt in a title. */
const MAX_PROMPT = 60;

const MORE: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("add"), tooltip: "One more run" };
const FEWER: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("remove"), tooltip: "One run less" };

/** The services that starting a task needs. */
export interface Desk {
  readonly connection: Connection;
  readonly tree: Tree;
  readonly memory: vscode.Memento;
}

/** Ask for a prompt and for agents, and start a task.
 *
 * Where no task is started, the prompt is offered again the next time.
 */
export async function start(desk: Desk, selected?: vscode.TextEditor): Promise<void> {
  const repository = currentRepository(desk.connection);
  const about = selected === undefined ? "" : ` about ${rangeOf(selected)}`;
  const prompt = await vscode.window.showInputBox({
    title: `Start a task${about}${inFolder()}`,
    prompt: "The instructions for the agents. They start from your files as you see them, unsaved text included.",
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

/** Ask for agents, and start a task with them. Return whether it was started. */
export async function ask({ connection, tree, memory }: Desk, wanted: TaskStartParams): Promise<boolean> {
  const agents = await pickAgents(connection, memory, wanted.prompt);
  if (agents === undefined) {
    return false;
  }
  await memory.update(REMEMBERED, agents);
  return begin(connection, tree, { ...wanted, agents });
}

async function begin(connection: Connection, tree: Tree, wanted: TaskStartParams): Promise<boolean> {
  const unsaved = vscode.workspace.getConfiguration("muxLsp").get<"own" | "all" | "none">("unsaved", "own");
  const started = await connection.reporting(() => connection.request("mux.task.start", { unsaved, ...wanted }));
  if (started !== undefined) {
    await tree.reveal(started.task.id);
    // Do not wait for the person to close the notification.
    void connection.reporting(() => notice(connection, started.task.repository, started.task.notices));
  }
  return started !== undefined;
}

/** Start a task with two example agents, shell commands that change a file of the folder, to have something to review. */
export async function example({ connection, tree }: Desk): Promise<void> {
  const file = await exampleFile();
  const path = file === undefined ? "" : vscode.workspace.asRelativePath(file, false);
  // The path is part of a shell command, unquoted.
  if (file === undefined || !/^[\w./-]+$/.test(path)) {
    void vscode.window.showInformationMessage("Open a file of the folder first: the example adds a line to it.");
    return;
  }
  const document = await vscode.workspace.openTextDocument(file);
  const end = document.lineAt(document.lineCount - 1).range.end;
  // Show where the lines will be inserted; in a tab of its own, since the walkthrough may be in the preview tab.
  await vscode.window.showTextDocument(document, { preview: false, selection: new vscode.Range(end, end) });
  const agents = ["This line is an example agent's.", "This line is another agent's."].map((line) => ({
    agent: `${INLINE}echo "${line}" >> "$(git ls-files -co --full-name -- ':/${path}' ':/**/${path}' | head -n 1)"`,
  }));
  await begin(connection, tree, { prompt: "Write a line, as an example", agents, checks: [], repository: await currentRepository(connection) });
}

async function exampleFile(): Promise<vscode.Uri | undefined> {
  const open = vscode.window.activeTextEditor?.document.uri;
  if (open?.scheme === "file" && vscode.workspace.getWorkspaceFolder(open) !== undefined) {
    return open;
  }
  return (await vscode.workspace.findFiles("{README,readme}*", null, 1))[0] ?? (await vscode.workspace.findFiles("*.*", null, 1))[0];
}

/** Pick agents and the number of runs of each; undefined where the person cancels.
 *
 * Enter on the first row starts the task, Enter on an agent's row chooses or removes it. Typed text may be a shell command.
 */
async function pickAgents(connection: Connection, memory: vscode.Memento, prompt: string): Promise<RequestedAgent[] | undefined> {
  const known = await connection.reporting(() => connection.request("mux.agent.list", {}));
  if (known === undefined) {
    return undefined;
  }
  const selection = new AgentSelection(
    memory.get<RequestedAgent[]>(REMEMBERED) ?? known.defaults.map((agent): RequestedAgent => ({ agent })),
  );
  const names = known.agents.filter(isAvailable).map((one) => one.name);
  const picker = vscode.window.createQuickPick<AgentItem>();
  picker.title = `Agents for “${short(prompt, MAX_PROMPT)}”`;
  picker.placeholder = "Pick agents. Several runs of one: claude*3. A shell command: sh:COMMAND";
  picker.ignoreFocusOut = true;
  picker.matchOnDescription = true;
  /** The typed agent and count, where they differ from the selection. */
  const typed = (): ReturnType<typeof parseAgent> => {
    const found = parseAgent(picker.value, [...selection.names, ...names]);
    return found !== undefined && selection.count(found.agent) !== found.count ? found : undefined;
  };
  const draw = (): void => {
    const first = typed();
    const rows = [...new Set([...(first === undefined ? [] : [first.agent]), ...selection.names, ...names])].map((name) =>
      agentItem(
        name,
        selection.count(name),
        known.agents.find((one) => one.name === name),
        name === first?.agent ? first.count : undefined,
      ),
    );
    // With typed text, Enter chooses it and does not start the task.
    picker.items = picker.value.trim() === "" ? [...startItem(selection), ...rows] : rows;
  };
  try {
    return await new Promise((resolve) => {
      picker.onDidChangeValue(draw);
      picker.onDidTriggerItemButton(({ item, button }) => {
        if (item.agent !== undefined) {
          selection.add(item.agent, button === MORE ? 1 : -1);
          draw();
        }
      });
      picker.onDidAccept(() => {
        const item = picker.activeItems[0];
        // A fast typist presses Enter before the row of the typed agent is drawn.
        const first = typed();
        if (first !== undefined) {
          selection.set(first.agent, first.count);
        } else if (item?.agent !== undefined) {
          selection.toggle(item.agent);
        } else if (item !== undefined) {
          resolve(selection.all);
          return;
        }
        if (picker.value !== "") {
          // Only where it is not empty: setting the value clears characters typed since, which have not arrived yet.
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
  /** The agent of the row; undefined for the row that starts the task. */
  readonly agent?: string;
}

function startItem(selection: AgentSelection): AgentItem[] {
  if (selection.all.length === 0) {
    return [];
  }
  const words = selection.all.map((one) => named(one.agent, one.count ?? 1)).join(", ");
  const total = selection.all.reduce((sum, one) => sum + (one.count ?? 1), 0);
  // The total is first, since the names may be longer than the row.
  return [{ label: `$(play) Start ${total > 1 ? `${count(total, "run")}: ` : ""}${label(words)}` }];
}

/** Return the row of an agent. `typed` is a typed count: such a row is shown even if the typed text does not match it. */
function agentItem(name: string, number: number, known: AgentShape | undefined, typed: number | undefined): AgentItem {
  const words = known === undefined ? [] : [known.kind, ...(known.version === null ? [] : [known.version])];
  if (known?.logged_in === false) {
    words.push("not logged in");
  }
  return {
    agent: name,
    label: `$(${number > 0 ? "check" : "circle-large-outline"}) ${label(named(name, typed ?? number))}`,
    description: label(words.join(" · ")),
    buttons: number > 0 ? [FEWER, MORE] : [MORE],
    alwaysShow: typed !== undefined,
  };
}

function named(name: string, number: number): string {
  return number > 1 ? `${number} × ${name}` : name; // the count is first, since a command may be longer than the row
}

/** Return whether an agent can be picked: it is installed, or that is unknown. */
function isAvailable(agent: AgentShape): boolean {
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

function rangeOf(editor: vscode.TextEditor): string {
  const { start, end } = editor.selection;
  const lines = end.line - start.line + (end.character > 0 || end.line === start.line ? 1 : 0);
  return `${count(lines, "line")} of ${label(vscode.workspace.asRelativePath(editor.document.uri))}`;
}
