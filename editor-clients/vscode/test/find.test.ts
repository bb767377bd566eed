import assert from "node:assert/strict";
import { test } from "node:test";
import { candidates, find, installers, interpreter, updaters } from "../src/find.ts";

const PLACES = {
  setting: "",
  pythons: ["/env/bin/python"],
  folders: ["/work/a"],
  path: "/usr/bin::/env/bin",
  home: "/home/ada",
};

test("the selected Python, the folder's environment, the PATH, and where uv installs, in this order", () => {
  assert.deepEqual(candidates(PLACES), [
    "/env/bin/mux-lsp",
    "/env/bin/python/bin/mux-lsp",
    "/work/a/.venv/bin/mux-lsp",
    "/usr/bin/mux-lsp",
    "/home/ada/.local/bin/mux-lsp",
  ]);
});

test("a setting is the only place", () => {
  assert.deepEqual(candidates({ ...PLACES, setting: "~/bin/mux" }), ["/home/ada/bin/mux"]);
  assert.deepEqual(candidates({ ...PLACES, setting: "/opt/mux" }), ["/opt/mux"]);
});

test("the first that is a program is taken", async () => {
  const there = ["/usr/bin/mux-lsp", "/home/ada/.local/bin/mux-lsp"];
  assert.equal(await find(candidates(PLACES), (path) => Promise.resolve(there.includes(path))), "/usr/bin/mux-lsp");
  assert.equal(await find(candidates(PLACES), () => Promise.resolve(false)), undefined);
});

test("an environment may be named by its folder", () => {
  assert.ok(candidates({ ...PLACES, pythons: ["/conda/env"] }).includes("/conda/env/bin/mux-lsp"));
});

test("an interpreter is a file, from the folder or from home", () => {
  const named = (setting: string): string | undefined => interpreter(setting, "/work/a", "/home/ada");
  assert.equal(named("/usr/bin/python3"), "/usr/bin/python3");
  assert.equal(named("${workspaceFolder}/.venv/bin/python"), "/work/a/.venv/bin/python");
  assert.equal(named("env/bin/python"), "/work/a/env/bin/python");
  assert.equal(named("~/env/bin/python"), "/home/ada/env/bin/python");
  assert.equal(named("python"), undefined);
  assert.equal(named("${env:VENV}/bin/python"), undefined);
});

test("only tools that are there are offered, by their paths", () => {
  const commands = (found: ReturnType<typeof installers>): string[] =>
    found.map((one) => [one.command, ...one.args].join(" "));
  assert.deepEqual(commands(installers({ pipx: "/home/ada/.local/bin/pipx" })), [
    "/home/ada/.local/bin/pipx install mux-lsp",
  ]);
  assert.deepEqual(commands(installers({})), []);
  assert.deepEqual(commands(updaters("/work/a/.venv/bin/python", { uv: "/bin/uv" })), [
    "/work/a/.venv/bin/python -m pip install --upgrade mux-lsp",
    "/bin/uv tool upgrade mux-lsp",
  ]);
});
