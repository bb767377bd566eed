import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

const MANIFEST = read("package.json");
const STRINGS = read("package.nls.json") as Record<string, string>;
const SOURCES = readdirSync("src").map((name) => readFileSync(`src/${name}`, "utf8")).join("\n");

/** The fields of a manifest that are shown to a person. */
const SHOWN = new Set([
  "title", "displayName", "description", "markdownDescription", "category", "contents", "name", "contextualTitle",
  "patternErrorMessage",
]);

function read(path: string): Json {
  return JSON.parse(readFileSync(path, "utf8")) as Json;
}

function* strings(value: Json, key = ""): Generator<[string, string]> {
  if (typeof value === "string") {
    yield [key, value];
  } else if (Array.isArray(value)) {
    for (const one of value) {
      yield* strings(one, key);
    }
  } else if (typeof value === "object" && value !== null) {
    for (const [name, one] of Object.entries(value)) {
      yield* strings(one, name);
    }
  }
}

function contributed(): Record<string, Json> {
  return (MANIFEST as { contributes: Record<string, Json> }).contributes;
}

test("package.nls.json has the texts of the manifest that are shown, and no others", () => {
  const named = new Set<string>();
  for (const [key, text] of strings(MANIFEST)) {
    const name = /^%(.+)%$/.exec(text)?.[1];
    if (name !== undefined) {
      named.add(name);
    }
    if ((SHOWN.has(key) && text !== "mux-lsp") || key === "enumDescriptions") {
      assert.ok(name !== undefined, `${key}: ${text}`);
    }
  }
  assert.deepEqual([...named].sort(), Object.keys(STRINGS).sort());
});

test("every command has a handler, and every menu and key names an existing command", () => {
  const commands = (contributed()["commands"] as { command: string }[]).map(({ command }) => command);
  for (const command of commands) {
    assert.ok(SOURCES.includes(`"${command}"`), command);
  }
  const referenced = [...strings(contributed()["menus"] ?? null), ...strings(contributed()["keybindings"] ?? null)]
    .filter(([key]) => key === "command")
    .map(([, command]) => command);
  const known = new Set([...commands, "muxLsp.tasks.focus"]);
  assert.deepEqual(referenced.filter((command) => !known.has(command)), []);
});

test("the palette hides commands that need a row of the view or a connection", () => {
  const menus = contributed()["menus"] as Record<string, { command: string; when: string }[]>;
  const always = ["server.restart", "server.install", "diagnostics.collect", "output.show"].map((one) => `muxLsp.${one}`);
  const commands = (contributed()["commands"] as { command: string }[]).map(({ command }) => command);
  const limited = new Set((menus["commandPalette"] ?? []).map(({ command }) => command));
  assert.deepEqual(commands.filter((command) => !limited.has(command)), always);
});

test("every button of a row is in its menu too, for keyboard users", () => {
  const rows = (contributed()["menus"] as Record<string, Record<"command" | "when" | "group", string>[]>)["view/item/context"] ?? [];
  const buttons = rows.filter(({ group }) => group.startsWith("inline@"));
  assert.ok(buttons.length > 15);
  for (const { command, when } of buttons) {
    assert.ok(rows.some((one) => one.command === command && one.when === when && !one.group.startsWith("inline@")), command);
  }
});

test("links of the walkthrough and the welcome view name existing commands", () => {
  const links = Object.values(STRINGS).flatMap((text) => [...text.matchAll(/\]\(command:(?:toSide:)?([\w.]+)/g)].map((match) => match[1]));
  const ours = links.filter((command) => command?.startsWith("muxLsp.") === true);
  assert.ok(ours.length > 5);
  assert.deepEqual(ours.filter((command) => !SOURCES.includes(`"${command ?? ""}"`) && command !== "muxLsp.tasks.focus"), []);
});

test("every setting has a description, a default and a limited set of values", () => {
  const { properties } = contributed()["configuration"] as { properties: Record<string, Record<string, Json>> };
  for (const [name, setting] of Object.entries(properties)) {
    assert.ok(setting["description"] ?? setting["markdownDescription"], name);
    assert.ok("default" in setting && (setting["type"] !== "string" || "enum" in setting || "pattern" in setting), name);
  }
});
