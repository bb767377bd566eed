/** The `mux:` URIs of read-only documents (PROTOCOL.md, "Read-only documents"). */

/** Return a path, percent-encoded for a URI. */
function encoded(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

/** Return the URI of the live text of a file with all pending hunks of a run. */
export function pending(run: string, path: string): string {
  return `mux:/pending/${run}/${encoded(path)}`;
}

/** Return the URI of a file in a task's snapshot; an empty document if the snapshot does not have it. */
export function snapshot(task: string, path: string): string {
  return `mux:/snapshot/${task}/${encoded(path)}`;
}

/** Return the URI of a file in a run's result. */
export function result(run: string, path: string): string {
  return `mux:/run/${run}/${encoded(path)}`;
}

/** Return the run and the path of a URI of `pending`; undefined for another URI. */
export function parsePending(address: string): { run: string; path: string } | undefined {
  const [, run, path] = /^mux:\/pending\/([^/]+)\/([^?]+)/.exec(address) ?? [];
  return run === undefined || path === undefined ? undefined : { run, path: decodeURIComponent(path) };
}

/** Return the URI of a run's transcript. */
export function transcript(run: string): string {
  return `mux:/transcript/${run}.md`;
}

/** Return the URI of the diff from the live text of a file to the text with a run's pending hunks. */
export function diffOf(run: string, path: string): string {
  return `mux:/diff/${run}/${encoded(path)}.diff`;
}

/** Return the URI of a change's right side, derived from the URI of its diff, which has the exact bytes of the path. */
export function pendingOfDiff(diff: string): string {
  const [path = "", query = ""] = diff.split("?", 2);
  const bytes = decodeURIComponent(query)
    .split("&")
    .find((part) => part.startsWith("bytes="));
  const address = path.replace("mux:/diff/", "mux:/pending/").replace(/\.diff$/, "");
  return bytes === undefined ? address : `${address}?${bytes}`;
}
