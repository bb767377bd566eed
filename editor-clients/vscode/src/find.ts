/** Where the program `mux-lsp` is looked for, and how to get it. */

import { delimiter, dirname, join } from "node:path";

/** What the person's machine and settings say. */
export interface Places {
  /** The setting; empty where there is none. */
  readonly setting: string;
  /** The selected Python environments: the interpreter of each, or its folder. */
  readonly pythons: readonly string[];
  /** The folders of the workspace. */
  readonly folders: readonly string[];
  /** `PATH`. */
  readonly path: string;
  readonly home: string;
}

/** A way to install the program, or to bring it up to date. */
export interface Installer {
  readonly label: string;
  readonly command: string;
  readonly args: readonly string[];
}

/** The tools that install programs of Python's, by their paths; undefined where one is not there. */
export interface Tools {
  readonly uv?: string | undefined;
  readonly pipx?: string | undefined;
}

const PROGRAM = "mux-lsp";

/** Where the program may be, in the order in which it is looked for. A setting is the only place. */
export function candidates(places: Places): string[] {
  if (places.setting !== "") {
    return [atHome(places.setting, places.home)];
  }
  const folders = [
    ...places.pythons.flatMap((python) => [dirname(python), join(python, "bin")]),
    ...places.folders.map((folder) => join(folder, ".venv", "bin")),
    ...programFolders(places),
  ];
  return [...new Set(folders.map((folder) => join(folder, PROGRAM)))];
}

/** The folders of programs. The last is where uv and pipx install: an editor that was started from a menu seldom has it
 * on its `PATH`. */
export function programFolders({ path, home }: Pick<Places, "path" | "home">): string[] {
  return [...path.split(delimiter).filter((folder) => folder !== ""), join(home, ".local", "bin")];
}

/** An interpreter as the Python extension's setting names it; undefined where it names a command and no file. */
export function interpreter(setting: string, folder: string, home: string): string | undefined {
  const path = atHome(setting.replaceAll("${workspaceFolder}", folder).replaceAll("${userHome}", home), home);
  return path.includes("/") && !path.includes("${") ? join(path.startsWith("/") ? "" : folder, path) : undefined;
}

/** The first that is a program; undefined where none is. */
export async function find(
  paths: readonly string[],
  isProgram: (path: string) => Promise<boolean>,
): Promise<string | undefined> {
  for (const path of paths) {
    if (await isProgram(path)) {
      return path;
    }
  }
  return undefined;
}

/** How the program can be installed with the tools that are there. */
export function installers({ uv, pipx }: Tools): Installer[] {
  return [
    ...(uv === undefined ? [] : [{ label: "Install with uv", command: uv, args: ["tool", "install", PROGRAM] }]),
    ...(pipx === undefined ? [] : [{ label: "Install with pipx", command: pipx, args: ["install", PROGRAM] }]),
  ];
}

/** How a program that is there can be brought up to date: with pip where it stands beside a Python. */
export function updaters(python: string | undefined, { uv, pipx }: Tools): Installer[] {
  const pip = ["-m", "pip", "install", "--upgrade", PROGRAM];
  return [
    ...(python === undefined ? [] : [{ label: "Update with pip", command: python, args: pip }]),
    ...(uv === undefined ? [] : [{ label: "Update with uv", command: uv, args: ["tool", "upgrade", PROGRAM] }]),
    ...(pipx === undefined ? [] : [{ label: "Update with pipx", command: pipx, args: ["upgrade", PROGRAM] }]),
  ];
}

function atHome(path: string, home: string): string {
  return path.replace(/^~(?=$|\/)/, home);
}
