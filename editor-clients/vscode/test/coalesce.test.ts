import assert from "node:assert/strict";
import { test } from "node:test";
import { Coalescer } from "../src/coalesce.ts";

/** Work that runs until it is released, and counts how often it was started. */
class Work {
  started = 0;
  readonly #held: (() => void)[] = [];

  readonly do = (): Promise<void> => {
    this.started += 1;
    return new Promise((resolve) => this.#held.push(resolve));
  };

  async release(): Promise<void> {
    this.#held.shift()?.();
    await new Promise(setImmediate);
  }
}

test("work that is requested several times while it runs is run once more", async () => {
  const coalescer = new Coalescer();
  const work = new Work();
  const first = coalescer.run("a", work.do);
  await Promise.all([coalescer.run("a", work.do), coalescer.run("a", work.do)]);
  assert.equal(work.started, 1);
  await work.release();
  assert.equal(work.started, 2);
  await work.release();
  await first;
  assert.equal(work.started, 2);
});

test("keys do not wait for each other, and failed work can run again", async () => {
  const coalescer = new Coalescer();
  const work = new Work();
  const first = coalescer.run("a", work.do);
  await assert.rejects(coalescer.run("b", () => Promise.reject(new Error("no"))), /no/);
  const again = coalescer.run("b", work.do);
  assert.equal(work.started, 2);
  await work.release();
  await work.release();
  await Promise.all([first, again]);
});
