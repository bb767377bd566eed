/** The `mux:` addresses of read-only documents (PROTOCOL.md, "Read-only documents"). */

/** A path as it stands in an address. */
function encoded(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

/** The live text of a file as it would be with all pending hunks of a run. */
export function pending(run: string, path: string): string {
  return `mux:/pending/${run}/${encoded(path)}`;
}

/** A file as a task's snapshot had it; empty where it had none. */
export function snapshot(task: string, path: string): string {
  return `mux:/snapshot/${task}/${encoded(path)}`;
}

/** A file as a run has it. */
export function result(run: string, path: string): string {
  return `mux:/run/${run}/${encoded(path)}`;
}

/** The run and the path of such an address of live text with a run's hunks. */
export function ofPending(address: string): { run: string; path: string } | undefined {
  const [, run, path] = /^mux:\/pending\/([^/]+)\/([^?]+)/.exec(address) ?? [];
  return run === undefined || path === undefined ? undefined : { run, path: decodeURIComponent(path) };
}

export function transcript(run: string): string {
  return `mux:/transcript/${run}.md`;
}

/** The diff from the live text of a file to that with a run's pending hunks. */
export function diffOf(run: string, path: string): string {
  return `mux:/diff/${run}/${encoded(path)}.diff`;
}

/** The document on the right of a change's diff: made from the address of the diff itself, which names the file exactly. */
export function pendingOfDiff(diff: string): string {
  const [path = "", query = ""] = diff.split("?", 2);
  const bytes = decodeURIComponent(query)
    .split("&")
    .find((part) => part.startsWith("bytes="));
  const address = path.replace("mux:/diff/", "mux:/pending/").replace(/\.diff$/, "");
  return bytes === undefined ? address : `${address}?${bytes}`;
}
