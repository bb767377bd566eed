import assert from "node:assert/strict";
import { test } from "node:test";
import { after, coming, end, hasAny, marks, placeAt, placeOf, proposal, step } from "../src/places.ts";
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

test("one steps through what waits, and begins anew where one says so", () => {
  const line = (from: number, forwards: boolean): number | undefined => step(PLACES, from, forwards)?.range.start.line;
  assert.deepEqual([0, 2, 5, 12].map((from) => line(from, true)), [2, 5, 12, undefined]);
  assert.deepEqual([13, 12, 5, 2].map((from) => line(from, false)), [12, 5, 2, undefined]);
  assert.equal(step([], 0, true), undefined);
  assert.deepEqual([true, false].map((forwards) => end(PLACES, forwards)?.range.start.line), [2, 12]);
});

test("other files come in their order, around the end", () => {
  const files = ["a", "b", "c", "b"];
  assert.deepEqual(after(files, "b", true), ["c", "a"]);
  assert.deepEqual(after(files, "a", false), ["c", "b"]);
  assert.deepEqual(after(files, "z", true), ["a", "b", "c"]);
  assert.deepEqual(after(files, undefined, false), ["c", "b", "a"]);
});

test("a place is where its lines are, and an insertion at the line before which it comes", () => {
  const at = (line: number): number | undefined => placeAt(PLACES, line)?.range.start.line;
  assert.deepEqual([1, 2, 3, 5, 8, 12, 13, 14].map(at), [undefined, 2, undefined, 5, undefined, 12, 12, undefined]);
});

test("a place is known by its changes, wherever they are now", () => {
  const [first, second] = [variant(2, 3), variant(5, 5)];
  const where = (changes: VariantShape[]): number | undefined => placeOf(PLACES, changes)?.range.start.line;
  assert.equal(where([first]), 2);
  assert.equal(where([{ ...second, range: first.range, status: "conflict" }]), 5);
  assert.equal(where([variant(5, 5, { runs: ["k3f-2"] }), second]), 5);
  assert.equal(where([variant(5, 5, { runs: ["k3f-2"] })]), undefined, "the same, but of another task");
  assert.equal(where([variant(8, 10)]), undefined, "it is decided");
});

test("marks are for what waits", () => {
  assert.deepEqual(
    marks([...PLACES, place(16, 16, { removed: "" }), place(20, 21, { status: "conflict" })]).map((mark) => [mark.kind, mark.start, mark.end]),
    [
      ["going", 2, 3],
      ["going", 5, 5],
      ["going", 12, 14],
      ["coming", 16, 16],
      ["conflict", 20, 21],
    ],
  );
});

test("what comes is told in one harmless line", () => {
  assert.equal(coming(variant(0, 1, { added: "\n  a\u001b = 1\nb\n" })), "a = 1 (+2 lines)");
  assert.equal(coming(variant(0, 1, { added: "" })), "");
  assert.equal(coming(variant(0, 1, { hunk: null, what: "delete the file" })), "delete the file");
});

test("a proposal is code, or what goes", () => {
  assert.equal(proposal(variant(0, 1), "python"), "```python\nnew\n```");
  assert.equal(proposal(variant(0, 1, { added: "", removed: "a\nb\n" }), "python"), "```diff\n-a\n-b\n```");
});

test("what is in the text is known", () => {
  assert.equal(hasAny(PLACES), false);
  assert.equal(hasAny([...PLACES, place(20, 21, { status: "applied" }, false)]), true);
});
