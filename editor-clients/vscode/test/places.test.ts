import assert from "node:assert/strict";
import { test } from "node:test";
import { after, end, hasAny, marks, placeAt, placeOf, proposal, step, summary } from "../src/places.ts";
import type { PlaceShape, VariantShape } from "../src/protocol.ts";

function variant(start: number, end: number, changes: Partial<VariantShape> = {}): VariantShape {
  return {
    run: "k3f-1",
    runs: ["k3f-1"],
    agreed: 1,
    total: 1,
    agent: "a",
    path: "a.py",
    hunk: `h${start}`,
    what: "+1 −1",
    status: "pending",
    reason: null,
    range: { start: { line: start, character: 0 }, end: { line: end, character: 0 } },
    removed: "old\n",
    added: "new\n",
    resolutions: ["exact"],
    lost: [],
    ...changes,
  };
}

function place(start: number, end: number, changes: Partial<VariantShape> = {}, open = true): PlaceShape {
  const one = variant(start, end, changes);
  return { task: "k3f", range: one.range, open, shown: 0, variants: [one] };
}

const PLACES = [place(2, 3), place(5, 5), place(8, 10, {}, false), place(12, 14)];

test("navigation visits open places, and can start at either end", () => {
  const line = (from: number, forwards: boolean): number | undefined => step(PLACES, from, forwards)?.range.start.line;
  assert.deepEqual([0, 2, 5, 12].map((from) => line(from, true)), [2, 5, 12, undefined]);
  assert.deepEqual([13, 12, 5, 2].map((from) => line(from, false)), [12, 5, 2, undefined]);
  assert.equal(step([], 0, true), undefined);
  assert.deepEqual([true, false].map((forwards) => end(PLACES, forwards)?.range.start.line), [2, 12]);
});

test("other files are visited in order, with wrap-around", () => {
  const files = ["a", "b", "c", "b"];
  assert.deepEqual(after(files, "b", true), ["c", "a"]);
  assert.deepEqual(after(files, "a", false), ["c", "b"]);
  assert.deepEqual(after(files, "z", true), ["a", "b", "c"]);
  assert.deepEqual(after(files, undefined, false), ["c", "b", "a"]);
});

test("a place is at its lines, and an insertion at the line after it", () => {
  const at = (line: number): number | undefined => placeAt(PLACES, line)?.range.start.line;
  assert.deepEqual([1, 2, 3, 5, 8, 12, 13, 14].map(at), [undefined, 2, undefined, 5, undefined, 12, 12, undefined]);
});

test("a place is identified by its variants, wherever its lines are now", () => {
  const [first, second] = [variant(2, 3), variant(5, 5)];
  const where = (changes: VariantShape[]): number | undefined => placeOf(PLACES, changes)?.range.start.line;
  assert.equal(where([first]), 2);
  assert.equal(where([{ ...second, range: first.range, status: "conflict" }]), 5);
  assert.equal(where([variant(5, 5, { runs: ["k3f-2"] }), second]), 5);
  assert.equal(where([variant(5, 5, { runs: ["k3f-2"] })]), undefined, "the same hunk of another task's run");
  assert.equal(where([variant(8, 10)]), undefined, "it is not open");
});

test("marks are for open places", () => {
  assert.deepEqual(
    marks([...PLACES, place(16, 16, { removed: "" }), place(20, 21, { status: "conflict" })]).map((mark) => [mark.kind, mark.start, mark.end]),
    [
      ["removed", 2, 3],
      ["removed", 5, 5],
      ["removed", 12, 14],
      ["inserted", 16, 16],
      ["conflict", 20, 21],
    ],
  );
});

test("inserted text is summarised in one line without control characters", () => {
  assert.equal(summary(variant(0, 1, { added: "\n  a\u001b = 1\nb\n" })), "a = 1 (+2 lines)");
  assert.equal(summary(variant(0, 1, { added: "" })), "");
  assert.equal(summary(variant(0, 1, { hunk: null, what: "delete the file" })), "delete the file");
});

test("a proposal shows the inserted text, or else the removed text", () => {
  assert.equal(proposal(variant(0, 1), "python"), "```python\nnew\n```");
  assert.equal(proposal(variant(0, 1, { added: "", removed: "a\nb\n" }), "python"), "```diff\n-a\n-b\n```");
});

test("accepted changes are found", () => {
  assert.equal(hasAny(PLACES), false);
  assert.equal(hasAny([...PLACES, place(20, 21, { status: "applied" }, false)]), true);
});
