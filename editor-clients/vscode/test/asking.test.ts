import assert from "node:assert/strict";
import { test } from "node:test";
import { Asking } from "../src/asking.ts";

/** Work that waits to be let go, and how often it has begun. */
class Work {
  begun = 0;
  readonly #held: (() => void)[] = [];

  readonly do = (): Promise<void> => {
    this.begun += 1;
    return new Promise((resolve) => this.#held.push(resolve));
  };

  async letGo(): Promise<void> {
    this.#held.shift()?.();
    await new Promise(setImmediate);
  }
}

test("what is asked for meanwhile is asked for once more, and not as often as that", async () => {
  const asking = new Asking();
  const work = new Work();
  const first = asking.about("a", work.do);
  await Promise.all([asking.about("a", work.do), asking.about("a", work.do)]);
  assert.equal(work.begun, 1);
  await work.letGo();
  assert.equal(work.begun, 2);
  await work.letGo();
  await first;
  assert.equal(work.begun, 2);
});

test("things do not wait for each other, and what has failed can be asked again", async () => {
  const asking = new Asking();
  const work = new Work();
  const first = asking.about("a", work.do);
  await assert.rejects(asking.about("b", () => Promise.reject(new Error("no"))), /no/);
  const again = asking.about("b", work.do);
  assert.equal(work.begun, 2);
  await work.letGo();
  await work.letGo();
  await Promise.all([first, again]);
});
