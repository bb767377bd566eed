import assert from "node:assert/strict";
import { test } from "node:test";
import { pending, pendingOfDiff } from "../src/addresses.ts";
import { Backoff } from "../src/backoff.ts";
import { Choice, typed } from "../src/choice.ts";
import { spelled } from "../src/describe.ts";

test("an address keeps a name as it is", () => {
  assert.equal(pending("k3f-1", "src/a b#1.py"), "mux:/pending/k3f-1/src/a%20b%231.py");
});

test("the right side of a diff is made from the diff's own address", () => {
  const diff = "mux:/diff/k3f-1/caf%EF%BF%BD.py.diff?hunk=abc&bytes=636166e92e7079";
  assert.equal(pendingOfDiff(diff), "mux:/pending/k3f-1/caf%EF%BF%BD.py?bytes=636166e92e7079");
  assert.equal(pendingOfDiff("mux:/diff/k3f-1/a.py.diff?hunk=abc"), "mux:/pending/k3f-1/a.py");
});

test("the waits grow, end, and begin anew after a steady connection or when somebody asks", () => {
  const backoff = new Backoff();
  const waits = Array.from({ length: 9 }, () => backoff.ended(10));
  assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 8000, 16000, 30000, undefined]);
  assert.equal(backoff.ended(60_000), 250);
  backoff.ended(10);
  backoff.reset();
  assert.equal(backoff.ended(10), 250);
});

test("a task is shown where its repository is open, in whole or in part, by the name that it is opened by", () => {
  const folder = (uri: string, real = uri): { uri: string; real: string } => ({ uri, real });
  const folders = [
    folder("file:///work/app/src"),
    folder("file:///work/many"),
    folder("file:///home/link", "file:///data/c"),
    folder("file:///in/d/e", "file:///data/d/e"),
  ];
  for (const [repository, wanted] of [
    ["file:///work/app", "file:///work/app"],
    ["file:///work/many/one", "file:///work/many/one"],
    ["file:///work/ap", undefined],
    ["file:///work/many2", undefined],
    ["file:///data/c", "file:///home/link"],
    ["file:///data/c/one", "file:///home/link/one"],
    ["file:///data/d", "file:///in/d"],
    // The link leads into it: it has no other name.
    ["file:///data", "file:///data"],
  ] as const) {
    assert.equal(spelled(repository, folders), wanted, repository);
  }
});

test("agents are taken in and out, and counted", () => {
  const choice = new Choice([{ agent: "claude", count: 2 }, { agent: "codex" }]);
  choice.add("claude", 1);
  choice.add("codex", -1);
  choice.toggle("gemini");
  choice.add("sh:make", 200);
  assert.deepEqual(choice.all, [
    { agent: "claude", count: 3 },
    { agent: "gemini", count: 1 },
    { agent: "sh:make", count: 100 },
  ]);
  choice.toggle("claude");
  assert.deepEqual(choice.names, ["gemini", "sh:make"]);
});

test("what is typed is a command of one's own, or so many of an agent that is known", () => {
  const known = ["claude", "sh:make"];
  assert.deepEqual(typed(" sh:rm *2 ", known), { agent: "sh:rm *2", count: 1 });
  assert.deepEqual(typed("claude*3", known), { agent: "claude", count: 3 });
  assert.deepEqual(typed("claude × 400", known), { agent: "claude", count: 100 });
  for (const other of ["sh:", "claude", "claude*", "codex*2", "*2", ""]) {
    assert.equal(typed(other, known), undefined);
  }
});
