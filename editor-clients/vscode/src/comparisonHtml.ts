/** Render the comparison of a task's runs as HTML. Text from agents is escaped. */

import type { ComparedChange, ComparedFile, RankedRun, RunShape, TaskCompareResult } from "./protocol.ts";
import { count, plain, short } from "./text.ts";

const ACTIONS = ["diff", "file", "log", "accept", "pick", "discard"] as const;

export type Action = (typeof ACTIONS)[number];

/** The message that a button of the page sends. */
export interface PageRequest {
  readonly action: Action;
  readonly run: string;
  /** The path in the snapshot, for the action `file`. */
  readonly path?: string;
}

const GRADES: Record<RankedRun["grade"], string> = {
  passes: "checks pass",
  as_before: "fails as before",
  unchecked: "not checked",
  own_tests: "passes only with its edited tests",
  fails: "checks fail",
  unfinished: "not finished",
  empty: "changed nothing",
};

/** Maximum characters of the title; a longer prompt is shown in full below it. */
const MAX_TITLE = 120;

/** The size of the plot, the space for its axis labels and its margin, in its own units. */
const WIDTH = 640;
const HEIGHT = 300;
const LEFT = 64;
const EDGE = 28;

/** The number of steps of each axis. */
const STEPS = 4;

/** The width and height that a label takes. */
const LABEL = 60;
const LINE = 14;

/** Escape text for an element or a quoted attribute. */
export function escapeHtml(words: string): string {
  return plain(words)
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/"/g, "&quot;")
    .replace(/'/g, "&#39;");
}

/** Return the content of the page's `main` element. */
export function renderComparison(found: TaskCompareResult): string {
  return [
    heading(found.task.prompt),
    `<p>${escapeHtml(found.task.id)} · ${count(found.task.runs.length, "run")}${equal(found.equal)}</p>`,
    ranking(found),
    matrix(found),
    plot(found.ranking),
  ].join("\n");
}

/** Return a message if it is a valid one of the page, otherwise undefined. */
export function parseRequest(message: unknown): PageRequest | undefined {
  if (typeof message !== "object" || message === null) {
    return undefined;
  }
  const { action, run, path } = message as Record<string, unknown>;
  const known = ACTIONS.find((one) => one === action);
  if (known === undefined || typeof run !== "string") {
    return undefined;
  }
  return typeof path === "string" ? { action: known, run, path } : { action: known, run };
}

function heading(prompt: string): string {
  const title = short(prompt, MAX_TITLE);
  const all = `<details><summary>The whole prompt</summary><p>${escapeHtml(prompt)}</p></details>`;
  return `<h1>${escapeHtml(title)}</h1>${title === plain(prompt) ? "" : all}`;
}

function ranking(found: TaskCompareResult): string {
  if (found.ranking.length === 0) {
    return "<p>No run has ended yet.</p>";
  }
  const runs = new Map(found.task.runs.map((run) => [run.id, run]));
  const rows = found.ranking.map((ranked) => rankedRow(ranked, runs.get(ranked.run)));
  return `<h2 id="ranking">Ranking</h2>
<table aria-labelledby="ranking"><thead><tr>${heads(["Rank", "Run", "Checks", "Actions", "Lines", "Agreement", "Cost", "Time", "Why"])}</tr></thead>
<tbody>${rows.join("\n")}</tbody></table>`;
}

function rankedRow(ranked: RankedRun, run: RunShape | undefined): string {
  const tied = ranked.tied.length > 0 ? "tied " : "";
  const reasons = ranked.reasons.map((reason) => `<li>${escapeHtml(reason)}</li>`).join("");
  const agent = run === undefined ? "" : run.model === null ? run.agent : `${run.agent} (${run.model})`;
  const changes = [
    button({ action: "diff", run: ranked.run }, "Changes", `Open the changes of ${ranked.run}`),
    button({ action: "accept", run: ranked.run }, "Accept", `Accept all of ${ranked.run}`),
    button({ action: "pick", run: ranked.run }, "Pick", `Pick ${ranked.run}: accept all of it and discard the other runs`),
  ];
  const actions = [
    ...(ranked.grade === "empty" ? [] : changes),
    button({ action: "log", run: ranked.run }, "Transcript", `Open the transcript of ${ranked.run}`),
    button({ action: "discard", run: ranked.run }, "Discard", `Discard ${ranked.run}`),
  ];
  return `<tr><td class="rank">${tied}${ranked.rank}</td>
<th scope="row" class="run">${escapeHtml(ranked.run)}<span class="agent">${escapeHtml(agent)}</span></th>
<td class="grade ${ranked.grade}">${GRADES[ranked.grade]}</td><td class="actions">${actions.join("\n")}</td><td>${ranked.lines}</td><td>${Math.round(ranked.agreement * 100)} %</td>
<td>${dollars(ranked.cost_usd)}</td><td>${duration(ranked.seconds)}</td>
<td class="why"><ul>${reasons}</ul></td></tr>`;
}

function matrix(found: TaskCompareResult): string {
  if (found.files.length === 0) {
    return "";
  }
  const runs = found.task.runs.filter((run) => found.files.some((file) => file.runs.includes(run.id)));
  const rows = found.files.map(
    (file) =>
      `<tr><th scope="row">${escapeHtml(file.path)}</th>${runs.map((run) => cell(file, run.id)).join("")}</tr>`,
  );
  const more = found.more > 0 ? `<p>${count(found.more, "more file")}.</p>` : "";
  return `<h2 id="files">Files</h2>
<table aria-labelledby="files"><thead><tr>${heads(["File", ...runs.map((run) => run.id)])}</tr></thead>
<tbody>${rows.join("\n")}</tbody></table>${more}
<p class="note">≠ marks a file that other runs change differently.</p>`;
}

function cell(file: ComparedFile, run: string): string {
  const change = file.changes[run];
  if (change === undefined) {
    return "<td></td>";
  }
  const lines = cellWords(change);
  const alone = file.places.some((place) => place.differs && place.variants.some((one) => one.runs.includes(run)));
  const title = `${lines}${alone ? ", differs from others" : ""}: ${plain(file.path)} of ${run}`;
  return `<td class="${change.change}${alone ? " differs" : ""}">${button({ action: "file", run, path: file.path }, `${lines}${alone ? " ≠" : ""}`, title)}</td>`;
}

function cellWords({ change, added, removed }: ComparedChange): string {
  const name = { added: "new", modified: "", deleted: "deleted", renamed: "renamed", copied: "copied" }[change];
  const plus = change === "deleted" || added === null ? "" : `+${added}`;
  const minus = change === "added" || removed === null ? "" : `−${removed}`;
  const isSame = (change === "renamed" || change === "copied") && added === 0 && removed === 0;
  const words = [name, isSame ? "" : plus, isSame ? "" : minus].filter((word) => word !== "");
  return words.length > 0 ? words.join(" ") : "not text";
}

/** Return a plot of agreement against cost, or against time where no cost is known. A point opens the changes of its run. */
function plot(ranked: readonly RankedRun[]): string {
  const costs = ranked.some((one) => one.cost_usd !== null);
  const figure = (one: RankedRun): number | null => (costs ? one.cost_usd : one.seconds);
  const found = ranked.flatMap((one) => {
    const up = figure(one);
    return one.grade === "empty" || up === null ? [] : [{ one, up }];
  });
  if (found.length < 2) {
    return "";
  }
  const most = Math.max(...found.map(({ up }) => up)) || 1;
  const what = costs ? "cost" : "time";
  const words = (up: number): string => (costs ? dollars(up) : duration(up));
  const labels: { x: number; y: number }[] = [];
  const points = found.map(({ one, up }) => {
    const x = across(one.agreement);
    const y = above(up / most);
    const right = x > (WIDTH * 2) / 3;
    const label = { x: x + (right ? -10 : 10), y: y + 4 };
    // Place a label that would cover another one below it.
    while (labels.some((other) => Math.abs(other.x - label.x) < LABEL && Math.abs(other.y - label.y) < LINE)) {
      label.y += LINE;
    }
    labels.push(label);
    const about = `${one.run}: ${GRADES[one.grade]}, ${Math.round(one.agreement * 100)} % agreement, ${what} ${words(up)}`;
    return `<g class="point ${one.grade}" role="button" tabindex="0" data-action="diff" data-run="${escapeHtml(one.run)}" aria-label="${escapeHtml(about)}: open its changes"><title>${escapeHtml(about)}</title>${shape(one.grade, x, y)}<text x="${label.x.toFixed(1)}" y="${label.y.toFixed(1)}" text-anchor="${right ? "end" : "start"}">${escapeHtml(one.run)}</text></g>`;
  });
  return `<h2 id="plot">Agreement and ${what}</h2>
<svg role="group" aria-labelledby="plot" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}">
<g aria-hidden="true">${axes((part) => (costs ? `$${digits(most * part)}` : `${digits(most * part)} s`))}
<text x="${LEFT}" y="${EDGE - 12}" text-anchor="end">${what}</text>
<text x="${WIDTH - EDGE}" y="${HEIGHT - 4}" text-anchor="end">agreement with the other runs</text></g>
${points.join("\n")}</svg>`;
}

function axes(figure: (part: number) => string): string {
  return Array.from({ length: STEPS + 1 }, (_, step) => {
    const [x, y] = [across(step / STEPS).toFixed(1), above(step / STEPS).toFixed(1)];
    return `<line class="axis" x1="${LEFT}" y1="${y}" x2="${WIDTH - EDGE}" y2="${y}"/>
<line class="axis" x1="${x}" y1="${EDGE}" x2="${x}" y2="${above(0)}"/>
<text x="${LEFT - 8}" y="${Number(y) + 4}" text-anchor="end">${figure(step / STEPS)}</text>
<text x="${x}" y="${above(0) + 18}" text-anchor="middle">${(step / STEPS) * 100} %</text>`;
  }).join("\n");
}

/** Return a figure of an axis, in three digits. */
function digits(figure: number): string {
  return String(Number(figure.toPrecision(3)));
}

function across(part: number): number {
  return LEFT + part * (WIDTH - LEFT - EDGE);
}

function above(part: number): number {
  return HEIGHT - EDGE - 16 - part * (HEIGHT - 2 * EDGE - 16);
}

/** Return a shape for people who do not see the colours: a circle for passed, a cross for failed, otherwise a triangle. */
function shape(grade: RankedRun["grade"], x: number, y: number): string {
  const [left, top] = [x.toFixed(1), y.toFixed(1)];
  switch (grade) {
    case "passes":
      return `<circle cx="${left}" cy="${top}" r="5"/>`;
    case "as_before":
    case "fails":
    case "unfinished":
      return `<path d="M ${left} ${top} m -5 -5 l 10 10 m 0 -10 l -10 10"/>`;
    default:
      return `<path d="M ${left} ${top} m 0 -6 l 6 11 h -12 z"/>`;
  }
}

function equal(groups: readonly string[][]): string {
  const several = groups.filter((group) => group.length > 1);
  return several.length === 0 ? "" : ` · same result: ${several.map((group) => escapeHtml(group.join(" = "))).join("; ")}`;
}

function heads(titles: readonly string[]): string {
  return titles.map((title) => `<th scope="col">${escapeHtml(title)}</th>`).join("");
}

function button(request: PageRequest, text: string, title: string): string {
  const path = request.path === undefined ? "" : ` data-path="${encodeURIComponent(request.path)}"`;
  return `<button type="button" data-action="${request.action}" data-run="${escapeHtml(request.run)}"${path} title="${escapeHtml(title)}" aria-label="${escapeHtml(title)}">${escapeHtml(text)}</button>`;
}

function dollars(amount: number | null): string {
  return amount === null ? "–" : `$${amount.toFixed(2)}`;
}

function duration(seconds: number | null): string {
  if (seconds === null) {
    return "–";
  }
  return seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
