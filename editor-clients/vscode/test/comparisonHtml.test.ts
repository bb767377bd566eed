import assert from "node:assert/strict";
import { test } from "node:test";
import { escapeHtml, parseRequest, renderComparison } from "../src/comparisonHtml.ts";
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

test("text from agents is escaped", () => {
  const made = renderComparison(found());
  assert.equal(escapeHtml(EVIL), HARMLESS);
  assert.ok(!made.includes("<img"));
  assert.ok(!made.includes("\u202e"));
  assert.equal(made.split(HARMLESS).length - 1, 1 + 2 + 2 + 1 + 2, "prompt, agents, reasons, path, and labels with the path");
});

test("the page has the ranking, the files and the plot", () => {
  const made = renderComparison(found());
  assert.match(made, /<th scope="row" class="run">k3f-1<span class="agent">/);
  assert.match(made, /<td>25 %<\/td>\n<td>\$0\.50<\/td><td>1 min 15 s<\/td>/);
  assert.match(made, /data-action="file" data-run="k3f-1" data-path="src%2F/);
  assert.match(made, /aria-label="k3f-2: checks pass, 100 % agreement, cost \$0\.50: open its changes"/);
  assert.match(made, /1 more file\./);
  assert.match(made, /same result: k3f-1 = k3f-2/);
});

test("a long prompt is cut in the title and shown in full below", () => {
  const long = { ...found(), task: { ...found().task, prompt: "word ".repeat(100) } };
  const made = renderComparison(long);
  assert.match(made, /^<h1>(word ){23}word…<\/h1><details><summary>.*<p>(word ){99}word<\/p><\/details>/);
  assert.ok(!renderComparison(found()).includes("<details>"));
});

test("a run without changes has no buttons for changes", () => {
  const [one, other] = found().ranking;
  assert.ok(one && other);
  const made = renderComparison({ ...found(), ranking: [one, { ...other, grade: "empty" }], files: [] });
  const actions = [...made.matchAll(/<button [^>]*data-action="(\w+)" data-run="k3f-2"/g)].map((match) => match[1]);
  assert.deepEqual(actions, ["log", "discard"]);
});

test("only the messages of buttons are valid", () => {
  assert.deepEqual(parseRequest({ action: "diff", run: "k3f-1" }), { action: "diff", run: "k3f-1" });
  assert.deepEqual(parseRequest({ action: "file", run: "k3f-1", path: "a", more: 1 }), { action: "file", run: "k3f-1", path: "a" });
  for (const other of [null, "diff", {}, { action: "quit", run: "k3f-1" }, { action: "diff", run: 3 }]) {
    assert.equal(parseRequest(other), undefined);
  }
});
