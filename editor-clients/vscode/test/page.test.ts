import assert from "node:assert/strict";
import { test } from "node:test";
import { body, escaped, wish } from "../src/page.ts";
import type { ComparedFile, RankedRun, RunShape, TaskCompareResult, TaskShape } from "../src/protocol.ts";

const EVIL = `<img src=x onerror=alert(1)>"'&\u202e`;
const HARMLESS = "&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;";

function ranked(run: string, rank: number, lines: number, agreement: number): RankedRun {
  return {
    run, rank, tied: [], grade: "passes", reasons: [EVIL], agreement, shared: agreement, sharing: 1, total: 1, fixed: 0,
    broken: 0, lines, outside: [], cost_usd: 0.5, seconds: 75,
  };
}

function found(): TaskCompareResult {
  const run = { agent: EVIL, model: null } as RunShape;
  const file: ComparedFile = {
    path: `src/${EVIL}.py`,
    runs: ["k3f-1"],
    hunks: {},
    renamed: {},
    changes: { "k3f-1": { change: "modified", added: 2, removed: 1 } },
    places: [],
  };
  const runs = [{ ...run, id: "k3f-1" }, { ...run, id: "k3f-2" }];
  return {
    task: { id: "k3f", prompt: EVIL, runs } as TaskShape,
    ranking: [ranked("k3f-1", 1, 10, 0.25), ranked("k3f-2", 2, 40, 1)],
    files: [file],
    more: 1,
    equal: [["k3f-1", "k3f-2"]],
  };
}

test("nothing that an agent wrote is more than text", () => {
  const made = body(found());
  assert.equal(escaped(EVIL), HARMLESS);
  assert.ok(!made.includes("<img"));
  assert.ok(!made.includes("\u202e"));
  assert.equal(made.split(HARMLESS).length - 1, 1 + 2 + 2 + 1 + 2, "prompt, agents, reasons, path, and the path in words");
});

test("the ranking, the files and the plot are there", () => {
  const made = body(found());
  assert.match(made, /<th scope="row" class="run">k3f-1<span class="agent">/);
  assert.match(made, /<td>25 %<\/td>\n<td>\$0\.50<\/td><td>1 min 15 s<\/td>/);
  assert.match(made, /data-action="file" data-run="k3f-1" data-path="src%2F/);
  assert.match(made, /aria-label="k3f-2: checks pass, 100 % agreement, cost \$0\.50: open its changes"/);
  assert.match(made, /1 more file\./);
  assert.match(made, /the same result: k3f-1 = k3f-2/);
});

test("of a long prompt the title is short, and all of it is there", () => {
  const long = { ...found(), task: { ...found().task, prompt: "word ".repeat(100) } };
  const made = body(long);
  assert.match(made, /^<h1>(word ){23}word…<\/h1><details><summary>.*<p>(word ){99}word<\/p><\/details>/);
  assert.ok(!body(found()).includes("<details>"));
});

test("nothing is opened or taken of a run that has changed nothing", () => {
  const [one, other] = found().ranking;
  assert.ok(one && other);
  const made = body({ ...found(), ranking: [one, { ...other, grade: "empty" }], files: [] });
  const asked = [...made.matchAll(/<button [^>]*data-action="(\w+)" data-run="k3f-2"/g)].map((match) => match[1]);
  assert.deepEqual(asked, ["log", "discard"]);
});

test("only what a button says is understood", () => {
  assert.deepEqual(wish({ action: "diff", run: "k3f-1" }), { action: "diff", run: "k3f-1" });
  assert.deepEqual(wish({ action: "file", run: "k3f-1", path: "a", more: 1 }), { action: "file", run: "k3f-1", path: "a" });
  for (const other of [null, "diff", {}, { action: "quit", run: "k3f-1" }, { action: "diff", run: 3 }]) {
    assert.equal(wish(other), undefined);
  }
});
