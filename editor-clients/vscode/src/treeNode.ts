/** The rows of the tasks view, by the ids of what they show. Does not depend on VS Code. */

/** A row, by the id of what it shows. The data is looked up when the row is drawn and when a command acts on it. */
export type Node =
  | { readonly kind: "permission"; readonly id: string }
  | { readonly kind: "task"; readonly id: string }
  | { readonly kind: "run"; readonly id: string }
  | { readonly kind: "file"; readonly run: string; readonly path: string }
  | { readonly kind: "hunk"; readonly run: string; readonly path: string; readonly hunk: string | null };

/** Return the id of a row, unique in the view. */
export function key(node: Node): string {
  switch (node.kind) {
    case "permission":
      return `permission ${node.id}`;
    case "task":
    case "run":
      return node.id;
    case "file":
      return fileKey(node.run, node.path);
    case "hunk":
      return `${fileKey(node.run, node.path)} ${node.hunk ?? ""}`;
  }
}

/** Return the id of a file's row. */
export function fileKey(run: string, path: string): string {
  return `${run} ${path}`;
}

/** Return the run that a row belongs to. */
export function runOf(node: Node & { kind: "run" | "file" | "hunk" }): string {
  return node.kind === "run" ? node.id : node.run;
}
