/** Navigate and mark the places of a document that the daemon reports. Does not depend on VS Code. */

import type { PlaceShape, Range, VariantShape } from "./protocol.ts";
import { count, fenced, short } from "./text.ts";

/** Maximum characters of an inserted line that is shown after the current text. */
const MAX_INSERTED = 80;

/** A decoration at a place. */
export interface Mark {
  readonly kind: "removed" | "inserted" | "conflict";
  /** The lines to be removed, `end` excluded; empty where lines are only inserted. */
  readonly start: number;
  readonly end: number;
  /** A summary of the inserted text; empty where nothing is inserted. */
  readonly inserted: string;
}

/** Return the shown variant of a place. */
export function shown(place: PlaceShape): VariantShape | undefined {
  return place.variants[place.shown];
}

/** Return the open places: those to decide on. */
export function waiting(places: readonly PlaceShape[]): PlaceShape[] {
  return places.filter((place) => place.open);
}

/** Return whether the text contains a change that a run proposed. */
export function hasAny(places: readonly PlaceShape[]): boolean {
  return places.some((place) => place.variants.some((variant) => variant.status === "applied"));
}

/** Return the open place at a line. A place that starts there takes precedence over one that extends to it. */
export function placeAt(places: readonly PlaceShape[], line: number): PlaceShape | undefined {
  const here = waiting(places).filter((place) => place.range.start.line <= line && line <= lastLine(place.range));
  return here.find((place) => place.range.start.line === line) ?? here[0];
}

/** Return the open place that has one of these changes as a variant, wherever its lines are now. */
export function placeOf(places: readonly PlaceShape[], changes: readonly VariantShape[]): PlaceShape | undefined {
  return waiting(places).find(({ variants }) => variants.some((one) => changes.some((other) => same(one, other))));
}

/** Return the next open place after a line, or the previous one before it; undefined without one. */
export function step(places: readonly PlaceShape[], line: number, forwards: boolean): PlaceShape | undefined {
  const found = waiting(places);
  return forwards
    ? found.find((place) => place.range.start.line > line)
    : found.findLast((place) => place.range.start.line < line);
}

/** Return the first open place, or the last. */
export function end(places: readonly PlaceShape[], forwards: boolean): PlaceShape | undefined {
  return forwards ? waiting(places)[0] : waiting(places).at(-1);
}

/** Files without duplicates, in the order of navigation from one of them, which is left out. */
export function after(files: readonly string[], from: string | undefined, forwards: boolean): string[] {
  const once = [...new Set(files)];
  const order = forwards ? once : once.toReversed();
  const at = from === undefined ? -1 : order.indexOf(from);
  return [...order.slice(at + 1), ...order.slice(0, Math.max(at, 0))];
}

/** Return the open variants of a place. */
export function choices(place: PlaceShape): VariantShape[] {
  return place.variants.filter(isOpen);
}

/** Return whether a change is open: pending or in conflict. */
export function isOpen({ status }: { readonly status: VariantShape["status"] }): boolean {
  return status === "pending" || status === "conflict";
}

/** Return the decorations of the open places. */
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
        inserted: summary(variant),
      },
    ];
  });
}

function same(one: VariantShape, other: VariantShape): boolean {
  return one.hunk === other.hunk && one.path === other.path && one.runs.some((run) => other.runs.includes(run));
}

function kind(variant: VariantShape): Mark["kind"] {
  return variant.status === "conflict" ? "conflict" : variant.removed === "" ? "inserted" : "removed";
}

/** Return the first inserted line, and the number of further ones. */
export function summary(variant: VariantShape): string {
  if (variant.hunk === null) {
    return variant.what;
  }
  const lines = variant.added.replace(/\n$/, "").split("\n");
  const first = lines.find((line) => line.trim() !== "");
  if (variant.added === "" || first === undefined) {
    return "";
  }
  return short(first, MAX_INSERTED) + (lines.length > 1 ? ` (+${count(lines.length - 1, "line")})` : "");
}

/** Return the proposed text in Markdown, or the removed lines if nothing is inserted. */
export function proposal(variant: VariantShape, language: string): string {
  if (variant.hunk === null) {
    return fenced(variant.what, "");
  }
  const removed = variant.removed.replace(/\n$/, "").split("\n").map((line) => `-${line}`).join("\n");
  return variant.added === "" ? fenced(removed, "diff") : fenced(variant.added, language);
}

/** Return the run that proposes a change, and how many runs agree. */
export function attribution(variant: VariantShape): string {
  const conflict = variant.status === "conflict" ? `⚠ conflict: ${variant.reason ?? ""} · ` : "";
  const agree = variant.total > 1 ? ` · ${variant.agreed}/${variant.total} agree` : "";
  return `${conflict}${variant.what} · ${variant.run}${agree}`;
}

function lastLine(range: Range): number {
  return range.end.character === 0 && range.end.line > range.start.line ? range.end.line - 1 : range.end.line;
}
