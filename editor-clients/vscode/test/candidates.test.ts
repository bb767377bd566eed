import assert from "node:assert/strict";
import { test } from "node:test";
import { candidates, findProgram, installers, interpreter, updaters } from "../src/candidates.ts";

const ENVIRONMENT = {
  setting: "",
  pythons: ["/env/bin/python"],
  folders: ["/work/a"],
  path: "/usr/bin::/env/bin",
  home: "/home/ada",
};

test("the selected Python, the folder's environment, the PATH and ~/.local/bin are searched, in this order", () => {
  assert.deepEqual(candidates(ENVIRONMENT), [
    "/env/bin/mux-lsp",
    "/env/bin/python/bin/mux-lsp",
    "/work/a/.venv/bin/mux-lsp",
    "/usr/bin/mux-lsp",
    "/home/ada/.local/bin/mux-lsp",
  ]);
});

test("the setting replaces the search", () => {
  assert.deepEqual(candidates({ ...ENVIRONMENT, setting: "~/bin/mux" }), ["/home/ada/bin/mux"]);
  assert.deepEqual(candidates({ ...ENVIRONMENT, setting: "/opt/mux" }), ["/opt/mux"]);
});

test("the first path that is a program is used", async () => {
  const programs = ["/usr/bin/mux-lsp", "/home/ada/.local/bin/mux-lsp"];
  assert.equal(await findProgram(candidates(ENVIRONMENT), (path) => Promise.resolve(programs.includes(path))), "/usr/bin/mux-lsp");
  assert.equal(await findProgram(candidates(ENVIRONMENT), () => Promise.resolve(false)), undefined);
});

test("an environment may be given by its folder", () => {
  assert.ok(candidates({ ...ENVIRONMENT, pythons: ["/conda/env"] }).includes("/conda/env/bin/mux-lsp"));
});

test("the path of an interpreter is relative to the folder or to the home folder", () => {
  const named = (setting: string): string | undefined => interpreter(setting, "/work/a", "/home/ada");
  assert.equal(named("/usr/bin/python3"), "/usr/bin/python3");
  assert.equal(named("${workspaceFolder}/.venv/bin/python"), "/work/a/.venv/bin/python");
  assert.equal(named("env/bin/python"), "/work/a/env/bin/python");
  assert.equal(named("~/env/bin/python"), "/home/ada/env/bin/python");
  assert.equal(named("python"), undefined);
  assert.equal(named("${env:VENV}/bin/python"), undefined);
});

test("only available tools are offered, by their paths", () => {
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
