/** The rows of the tasks view as VS Code draws them: label, description, tooltip and icon. */

import { basename } from "node:path";
import * as vscode from "vscode";
import type { Icon } from "./describe.ts";
import { hasEnded, kept, runDescription, runDetails, runIcon, taskDescription, taskDetails, taskIcon } from "./describe.ts";
import type { FileSummary, PermissionShape, ReviewItem, RunShape, TaskShape } from "./protocol.ts";
import { exact, plain, short } from "./text.ts";
import type { Node } from "./treeNode.ts";

/** Maximum characters of a prompt or a line in a label. */
const MAX_LABEL = 80;

const STATUS: Record<ReviewItem["status"], Icon> = {
  pending: { id: "circle-outline" },
  applied: { id: "pass-filled", color: "testing.iconPassed" },
  conflict: { id: "warning", color: "list.warningForeground" },
  rejected: { id: "circle-slash", color: "disabledForeground" },
};

const CHANGE: Record<FileSummary["change"], string> = {
  added: "diff-added",
  modified: "diff-modified",
  deleted: "diff-removed",
  renamed: "diff-renamed",
  copied: "files",
};

/** Return a placeholder for data that was deleted while its row was drawn. The next redraw omits the row. */
export function missingItem(): vscode.TreeItem {
  return new vscode.TreeItem("");
}

export function permissionItem(node: Node, permission: PermissionShape): vscode.TreeItem {
  const item = new vscode.TreeItem(plain(permission.title));
  item.description = permission.runs.join(", ");
  item.tooltip = permission.subject.split("\n").map(exact).join("\n");
  item.iconPath = icon({ id: "question", color: "list.warningForeground" });
  item.contextValue = "permission";
  item.command = { command: "muxLsp.permission.answer", title: "", arguments: [node] };
  return item;
}

export function taskItem(task: TaskShape, isOld: boolean): vscode.TreeItem {
  const { Collapsed, Expanded } = vscode.TreeItemCollapsibleState;
  const isDiscarded = kept(task).length === 0;
  const item = new vscode.TreeItem(short(task.prompt, MAX_LABEL), isOld || isDiscarded ? Collapsed : Expanded);
  item.description = `${task.id} · ${where(task)}${isDiscarded ? "discarded" : taskDescription(task)}`;
  item.tooltip = taskDetails(task);
  item.iconPath = icon(taskIcon(task));
  item.accessibilityInformation = { label: `${short(task.prompt, MAX_LABEL)}, ${item.description}` };
  item.contextValue = `task.${isDiscarded ? "discarded" : task.state}${task.paused ? ".paused" : ""}`;
  return item;
}

/** Return the folder of a task if several are open. */
function where(task: TaskShape): string {
  const folders = vscode.workspace.workspaceFolders ?? [];
  return folders.length > 1 ? `${plain(basename(vscode.Uri.parse(task.repository).path))} · ` : "";
}

export function runItem(run: RunShape): vscode.TreeItem {
  const { Collapsed, None } = vscode.TreeItemCollapsibleState;
  const changed = run.file_count > 0 && run.discarded === null;
  const item = new vscode.TreeItem(run.id, changed ? Collapsed : None);
  item.description = runDescription(run);
  item.tooltip = runDetails(run);
  item.iconPath = icon(runIcon(run));
  const state = run.discarded !== null ? "discarded" : hasEnded(run) ? "ended" : "active";
  item.contextValue = `run.${state}${changed ? ".changed" : ""}`;
  item.accessibilityInformation = { label: `${run.id}, ${run.state}, ${runDescription(run)}` };
  return item;
}

export function fileItem(run: RunShape | undefined, file: FileSummary): vscode.TreeItem {
  const lines = file.added === null || file.removed === null ? "not text" : `+${file.added} −${file.removed}`;
  const item = new vscode.TreeItem(plain(file.path), vscode.TreeItemCollapsibleState.Collapsed);
  item.description = file.old_path === null ? lines : `${lines} · from ${plain(file.old_path)}`;
  item.tooltip = `${plain(file.path)}: ${file.change}${run === undefined ? "" : ` by ${run.id}`}`;
  item.iconPath = new vscode.ThemeIcon(CHANGE[file.change]);
  item.contextValue = "file";
  item.accessibilityInformation = { label: `${plain(file.path)}, ${file.change}, ${lines}` };
  return item;
}

export function hunkItem(node: Node, change: ReviewItem): vscode.TreeItem {
  const first = [...change.added.split("\n"), ...change.removed.split("\n")].find((line) => line.trim() !== "") ?? "";
  const name = change.hunk === null ? "the file itself" : short(first, MAX_LABEL);
  const item = new vscode.TreeItem(name);
  item.description = change.hunk === null ? change.status : `line ${change.range.start.line + 1} · ${change.status}`;
  item.tooltip = change.reason === null ? change.status : plain(change.reason);
  item.iconPath = icon(STATUS[change.status]);
  item.contextValue = `hunk.${change.status}${change.resolutions.map((one) => `.${one}`).join("")}`;
  item.accessibilityInformation = { label: `${name}, ${item.description}` };
  item.command = { command: "muxLsp.hunk.open", title: "", arguments: [node] };
  return item;
}

function icon(one: Icon): vscode.ThemeIcon {
  return new vscode.ThemeIcon(one.id, one.color === undefined ? undefined : new vscode.ThemeColor(one.color));
}
