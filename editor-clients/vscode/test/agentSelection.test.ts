import assert from "node:assert/strict";
import { test } from "node:test";
import { AgentSelection, parseAgent } from "../src/agentSelection.ts";

test("agents are chosen, removed and counted", () => {
  const selection = new AgentSelection([{ agent: "claude", count: 2 }, { agent: "codex" }]);
  selection.add("claude", 1);
  selection.add("codex", -1);
  selection.toggle("gemini");
  selection.add("sh:make", 200);
  assert.deepEqual(selection.all, [
    { agent: "claude", count: 3 },
    { agent: "gemini", count: 1 },
    { agent: "sh:make", count: 100 },
  ]);
  selection.toggle("claude");
  assert.deepEqual(selection.names, ["gemini", "sh:make"]);
});

test("typed text is a shell command, or a known agent with a count", () => {
  const known = ["claude", "sh:make"];
  assert.deepEqual(parseAgent(" sh:rm *2 ", known), { agent: "sh:rm *2", count: 1 });
  assert.deepEqual(parseAgent("claude*3", known), { agent: "claude", count: 3 });
  assert.deepEqual(parseAgent("claude × 400", known), { agent: "claude", count: 100 });
  for (const other of ["sh:", "claude", "claude*", "codex*2", "*2", ""]) {
    assert.equal(parseAgent(other, known), undefined);
  }
});
