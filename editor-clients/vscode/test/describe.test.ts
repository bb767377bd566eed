import assert from "node:assert/strict";
import { test } from "node:test";
import { inOrder, passes, runDescription, runDetails, runIcon, spelled, taskDescription, taskDetails, taskIcon, taskState } from "../src/describe.ts";
import type { CheckResult, RunShape, TaskShape } from "../src/protocol.ts";

function run(changes: Partial<RunShape> = {}): RunShape {
  return {
    id: "k3f-1", task: "k3f", agent: "claude", model: null, state: "finished", reason: null, files: [], file_count: 0,
    added: 0, removed: 0, hunks: 0, result: null, checks: [], tampered: [], restored_checks: [], left_out: [],
    worktree: null, exit_status: 0, cost_usd: null, tokens: null, started: 1, finished: 2, discarded: null,
    kept_until: null, queue_place: null, rank: null, tied: [], reasons: [], ...changes,
  };
}

function check(state: CheckResult["state"], baseline_state: CheckResult["baseline_state"] = null): CheckResult {
  return { command: "make test", state, exit_status: null, seconds: 1, baseline_state, tests: null };
}

function task(runs: RunShape[], changes: Partial<TaskShape> = {}): TaskShape {
  const ended = runs.every((one) => one.state === "finished" || one.state === "failed");
  return {
    id: "k3f", prompt: "Do it", state: ended ? "ended" : "running", repository: "file:///r", snapshot: null, left_out: [],
    created: 1, notices: [], setup: [], baseline: [], priority: 0, paused: false, stop_after: null, parent: null,
    max_cost_usd: null, max_tokens: null, cost_usd: null, tokens: null, runs, ...changes,
  };
}

test("a run in one line: queue position, changes, checks, cost and agent", () => {
  const changed = { file_count: 2, added: 3, removed: 1 };
  const cases: [Partial<RunShape>, string][] = [
    [{}, "claude"],
    [{ rank: 1, ...changed, checks: [check("passed")], cost_usd: 0.126, model: "opus" }, "#1 · 2 files +3 −1 · ✓ 1 check · $0.13 · claude (opus)"],
    [{ rank: 2, tied: ["k3f-2"], tokens: 1234 }, "tied #2 · 2k tokens · claude"],
    [{ checks: [check("failed", "passed"), check("passed")] }, "✗ 1 of 2 checks · claude"],
    [{ checks: [check("failed", "failed")] }, "✗ 1 of 1 check as before · claude"],
    [{ checks: [check("running")] }, "checks … · claude"],
    [{ checks: [check("passed")], restored_checks: [check("failed")], tampered: ["a"] }, "✗ 1 of 1 check · ⚠ changes tests · claude"],
    [{ state: "queued", queue_place: 3 }, "queued, position 3 · claude"],
    [{ state: "failed" }, "failed · claude"],
    [{ state: "running" }, "claude"],
    [{ discarded: 5 }, "discarded · claude"],
    [{ agent: "sh:a\u001b[0m\nb" }, "sh:a [0m b"],
  ];
  for (const [changes, words] of cases) {
    assert.equal(runDescription(run(changes)), words);
  }
});

test("the icon of a finished run with a newly failing check is a warning", () => {
  assert.equal(runIcon(run()).id, "pass");
  assert.equal(runIcon(run({ checks: [check("failed")] })).id, "warning");
  assert.deepEqual(runIcon(run({ checks: [check("failed", "failed")] })), { id: "pass" });
  assert.equal(runIcon(run({ state: "waiting" })).id, "question");
  assert.equal(runIcon(run({ discarded: 1 })).id, "archive");
});

test("tooltips have the details of a run and of a task, as text", () => {
  const details = runDetails(
    run({ reason: "exit\u001b status 1", checks: [check("failed")], tampered: ["tests/a.py"], left_out: [{ path: "big", reason: "too big" }], reasons: ["Best."] }),
  );
  assert.equal(
    details,
    "k3f-1: finished\nexit status 1\n✗ make test\nChanges tests or check configuration: tests/a.py\nLeft out: big (too big)\nBest.",
  );
  const about = task([], { notices: ["It does not count."], left_out: [{ path: "big", reason: "too big" }] });
  assert.equal(taskDetails(about), "k3f\nDo it\nIt does not count.\nNot in the snapshot: big (too big)");
});

test("the state of a task depends on its runs, except discarded ones", () => {
  const [done, gone, waits] = [run(), run({ discarded: 1 }), run({ state: "waiting" })];
  assert.equal(taskDescription(task([done, waits, gone], { cost_usd: 1.5 })), "1 of 2 runs · $1.50");
  assert.equal(taskDescription(task([done, gone], { paused: true })), "1 run · paused");
  assert.deepEqual([[done, waits], [done], [gone]].map((runs) => taskState(task(runs))), ["waiting", "finished", undefined]);
  const icons = [task([waits]), task([run({ state: "checking" })]), task([done]), task([gone]), task([run({ state: "queued" })], { paused: true })];
  assert.deepEqual(icons.map((one) => taskIcon(one).id), ["question", "sync~spin", "pass", "archive", "debug-pause"]);
});

test("tasks that need the person are first, then running ones, the newest, and discarded ones", () => {
  const tasks = [
    task([run({ discarded: 1 })], { id: "gone", created: 9 }),
    task([run()], { id: "old", created: 1 }),
    task([run()], { id: "new", created: 2 }),
    task([run({ state: "running" })], { id: "busy", created: 0 }),
    task([run({ state: "waiting" })], { id: "asks", created: 0 }),
  ];
  assert.deepEqual(inOrder(tasks).map((one) => one.id), ["asks", "busy", "new", "old", "gone"]);
  const shown = (filter: Parameters<typeof passes>[1]): string[] => tasks.filter((one) => passes(one, filter)).map((one) => one.id);
  assert.deepEqual(shown("all").length, 5);
  assert.deepEqual(shown("waiting"), ["asks"]);
  assert.deepEqual(shown("active"), ["busy", "asks"]);
  assert.deepEqual(shown("ended"), ["gone", "old", "new"]);
});

test("a repository that is open, in whole or in part, has the URI that the window uses", () => {
  const folder = (uri: string, real = uri): { uri: string; real: string } => ({ uri, real });
  const folders = [
    folder("file:///src/app/src"),
    folder("file:///src/many"),
    folder("file:///home/link", "file:///data/c"),
    folder("file:///in/d/e", "file:///data/d/e"),
  ];
  for (const [repository, wanted] of [
    ["file:///src/app", "file:///src/app"],
    ["file:///src/many/one", "file:///src/many/one"],
    ["file:///src/ap", undefined],
    ["file:///src/many2", undefined],
    ["file:///data/c", "file:///home/link"],
    ["file:///data/c/one", "file:///home/link/one"],
    ["file:///data/d", "file:///in/d"],
    // The link leads into the repository: it has no other URI.
    ["file:///data", "file:///data"],
  ] as const) {
    assert.equal(spelled(repository, folders), wanted, repository);
  }
});
