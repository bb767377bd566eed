import assert from "node:assert/strict";
import { test } from "node:test";
import { exact, fenced, label, message, plain, short, unlinked } from "../src/text.ts";

test("control characters, hidden and reordering ones are removed from a line", () => {
  assert.equal(plain("a\u001b[31mb\r\nc\u202ed\u200be\u0085f"), "a [31mb cde f");
  assert.equal(plain("  two\twords \n"), "two words");
});

test("a line is cut between characters, not within one", () => {
  assert.equal(short("äöü𝛼x", 5), "äöü𝛼x");
  assert.equal(short("äöü𝛼xy", 5), "äöü𝛼…");
});

test("a label draws no icon, a notification makes no link", () => {
  assert.equal(label("run $(trash) it"), "run \\$(trash) it");
  assert.equal(message("[click](command:workbench.action.quit)"), "[click] (command:workbench.action.quit)");
});

test("a code block shows any text", () => {
  assert.equal(fenced("a\n", "python"), "```python\na\n```");
  assert.equal(fenced("```\n[x](command:y)\n", ""), "````\n```\n[x](command:y)\n````");
  assert.equal(fenced("\u001b[0m\u202e\r\n", ""), "```\n\u241b[0m\ufffd\n```");
});

test("a text to decide on is complete, with control characters visible", () => {
  assert.equal(exact("echo a\n  rm\u001b[8m -r\u202e\r"), "echo a ⏎   rm\u241b[8m -r<U+202E>\u240d");
  assert.equal(unlinked("[a](command:b)"), "[a] (command:b)");
});
