import assert from "node:assert/strict";
import { test } from "node:test";
import { pending, pendingOfDiff } from "../src/addresses.ts";

test("a path is percent-encoded in a URI", () => {
  assert.equal(pending("k3f-1", "src/a b#1.py"), "mux:/pending/k3f-1/src/a%20b%231.py");
});

test("the right side of a diff is derived from the URI of the diff", () => {
  const diff = "mux:/diff/k3f-1/caf%EF%BF%BD.py.diff?hunk=abc&bytes=636166e92e7079";
  assert.equal(pendingOfDiff(diff), "mux:/pending/k3f-1/caf%EF%BF%BD.py?bytes=636166e92e7079");
  assert.equal(pendingOfDiff("mux:/diff/k3f-1/a.py.diff?hunk=abc"), "mux:/pending/k3f-1/a.py");
});
