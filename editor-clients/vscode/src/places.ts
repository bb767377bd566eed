/** The places of a document as the daemon tells them: where to go, and what to mark. Nothing here knows VS Code. */

import type { PlaceShape, Range, VariantShape } from "./protocol.ts";
import { count, fenced, short } from "./text.ts";

const COMING = 80;

/** What is drawn at a place. */
export interface Mark {
  readonly kind: "going" | "coming" | "conflict";
  /** The lines that would go, or between which something would come; `end` is not included. */
  readonly start: number;
  readonly end: number;
  /** What would come, in a few words; empty where nothing would. */
  readonly coming: string;
}

/** The variant that is shown. */
export function shown(place: PlaceShape): VariantShape | undefined {
  return place.variants[place.shown];
}

/** The places that wait for a decision. */
export function waiting(places: readonly PlaceShape[]): PlaceShape[] {
  return places.filter((place) => place.open);
}

/** Whether the text has anything of what runs propose. */
export function hasAny(places: readonly PlaceShape[]): boolean {
  return places.some((place) => place.variants.some((variant) => variant.status === "applied"));
}

/** The place that waits at a line; that which begins there before one that only reaches it. */
export function placeAt(places: readonly PlaceShape[], line: number): PlaceShape | undefined {
  const here = waiting(places).filter((place) => place.range.start.line <= line && line <= lastLine(place.range));
  return here.find((place) => place.range.start.line === line) ?? here[0];
}

/** The place that waits at which one of these changes competes, wherever its lines are by now. */
export function placeOf(places: readonly PlaceShape[], changes: readonly VariantShape[]): PlaceShape | undefined {
  return waiting(places).find(({ variants }) => variants.some((one) => changes.some((other) => same(one, other))));
}

/** Where to go from a line: the first place behind it, or before it; undefined where there is none. */
export function step(places: readonly PlaceShape[], line: number, forwards: boolean): PlaceShape | undefined {
  const found = waiting(places);
  return forwards
    ? found.find((place) => place.range.start.line > line)
    : found.findLast((place) => place.range.start.line < line);
}

/** Where to begin: the first place, or the last. */
export function end(places: readonly PlaceShape[], forwards: boolean): PlaceShape | undefined {
  return forwards ? waiting(places)[0] : waiting(places).at(-1);
}

/** Files in the order in which one goes through them from one of them, which comes last and is left out; each once. */
export function after(files: readonly string[], from: string | undefined, forwards: boolean): string[] {
  const once = [...new Set(files)];
  const order = forwards ? once : once.toReversed();
  const at = from === undefined ? -1 : order.indexOf(from);
  return [...order.slice(at + 1), ...order.slice(0, Math.max(at, 0))];
}

/** The variants of a place that there are to choose from. */
export function choices(place: PlaceShape): VariantShape[] {
  return place.variants.filter(waits);
}

/** Whether a change waits for a decision. */
export function waits({ status }: { readonly status: VariantShape["status"] }): boolean {
  return status === "pending" || status === "conflict";
}

export function marks(places: readonly PlaceShape[]): Mark[] {
  return waiting(places).flatMap((place) => {
    const variant = shown(place);
    if (variant === undefined) {
      return [];
    }
    const { start, end } = variant.range;
    return [
      {
        kind: kind(variant),
        start: start.line,
        end: end.character > 0 ? end.line + 1 : end.line,
        coming: coming(variant),
      },
    ];
  });
}

function same(one: VariantShape, other: VariantShape): boolean {
  return one.hunk === other.hunk && one.path === other.path && one.runs.some((run) => other.runs.includes(run));
}

function kind(variant: VariantShape): Mark["kind"] {
  return variant.status === "conflict" ? "conflict" : variant.removed === "" ? "coming" : "going";
}

/** The first line of what would come, and how many more there are. */
export function coming(variant: VariantShape): string {
  if (variant.hunk === null) {
    return variant.what;
  }
  const lines = variant.added.replace(/\n$/, "").split("\n");
  const first = lines.find((line) => line.trim() !== "");
  if (variant.added === "" || first === undefined) {
    return "";
  }
  return short(first, COMING) + (lines.length > 1 ? ` (+${count(lines.length - 1, "line")})` : "");
}

/** The proposed text in Markdown, with what it takes away where it only takes away. */
export function proposal(variant: VariantShape, language: string): string {
  if (variant.hunk === null) {
    return fenced(variant.what, "");
  }
  const removed = variant.removed.replace(/\n$/, "").split("\n").map((line) => `-${line}`).join("\n");
  return variant.added === "" ? fenced(removed, "diff") : fenced(variant.added, language);
}

/** Who proposes it, and how many agree. */
export function whose(variant: VariantShape): string {
  const conflict = variant.status === "conflict" ? `⚠ conflict: ${variant.reason ?? ""} · ` : "";
  const agree = variant.total > 1 ? ` · ${variant.agreed}/${variant.total} agree` : "";
  return `${conflict}${variant.what} · ${variant.run}${agree}`;
}

function lastLine(range: Range): number {
  return range.end.character === 0 && range.end.line > range.start.line ? range.end.line - 1 : range.end.line;
}
