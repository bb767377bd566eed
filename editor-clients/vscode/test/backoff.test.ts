import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "../src/backoff.ts";

test("the waits double, end, and start again after a steady connection or a reset", () => {
  const backoff = new Backoff();
  const waits = Array.from({ length: 9 }, () => backoff.ended(10));
  assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 8000, 16000, 30000, undefined]);
  assert.equal(backoff.ended(60_000), 250);
  backoff.ended(10);
  backoff.reset();
  assert.equal(backoff.ended(10), 250);
});
