/** The paths where the program `mux-lsp` may be, and the commands that install or update it. Does not depend on VS Code,
 * which `locate.ts` and `install.ts` need: the unit tests run in Node. */

import { delimiter, dirname, join } from "node:path";

/** The settings and folders that the search depends on. */
export interface Environment {
  /** The setting `muxLsp.path`; empty where it is not set. */
  readonly setting: string;
  /** The selected Python environments: the interpreter of each, or its folder. */
  readonly pythons: readonly string[];
  /** The folders of the workspace. */
  readonly folders: readonly string[];
  /** `PATH`. */
  readonly path: string;
  readonly home: string;
}

/** A command that installs or updates the program. */
export interface Installer {
  readonly label: string;
  readonly command: string;
  readonly args: readonly string[];
}

/** The paths of tools that install Python programs; undefined where a tool is missing. */
export interface Tools {
  readonly uv?: string | undefined;
  readonly pipx?: string | undefined;
}

const PROGRAM = "mux-lsp";

/** Return the paths where the program may be, in search order. Where the setting is set, it is the only one. */
export function candidates(environment: Environment): string[] {
  if (environment.setting !== "") {
    return [expandHome(environment.setting, environment.home)];
  }
  const folders = [
    ...environment.pythons.flatMap((python) => [dirname(python), join(python, "bin")]),
    ...environment.folders.map((folder) => join(folder, ".venv", "bin")),
    ...programFolders(environment),
  ];
  return [...new Set(folders.map((folder) => join(folder, PROGRAM)))];
}

/** Return the folders of `PATH`, then `~/.local/bin`, where uv and pipx install: an editor started from a desktop menu rarely
 * has that one on its `PATH`. */
export function programFolders({ path, home }: Pick<Environment, "path" | "home">): string[] {
  return [...path.split(delimiter).filter((folder) => folder !== ""), join(home, ".local", "bin")];
}

/** Return the path of an interpreter from the Python extension's setting; undefined where the setting is a command name. */
export function interpreter(setting: string, folder: string, home: string): string | undefined {
  const path = expandHome(setting.replaceAll("${workspaceFolder}", folder).replaceAll("${userHome}", home), home);
  return path.includes("/") && !path.includes("${") ? join(path.startsWith("/") ? "" : folder, path) : undefined;
}

/** Return the first path that is a program; undefined without any. */
export async function findProgram(
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

/** Return the commands that install the program with the available tools. */
export function installers({ uv, pipx }: Tools): Installer[] {
  return [
    ...(uv === undefined ? [] : [{ label: "Install with uv", command: uv, args: ["tool", "install", PROGRAM] }]),
    ...(pipx === undefined ? [] : [{ label: "Install with pipx", command: pipx, args: ["install", PROGRAM] }]),
  ];
}

/** Return the commands that update an installed program. pip is one where the program is beside a Python interpreter. */
export function updaters(python: string | undefined, { uv, pipx }: Tools): Installer[] {
  const pip = ["-m", "pip", "install", "--upgrade", PROGRAM];
  return [
    ...(python === undefined ? [] : [{ label: "Update with pip", command: python, args: pip }]),
    ...(uv === undefined ? [] : [{ label: "Update with uv", command: uv, args: ["tool", "upgrade", PROGRAM] }]),
    ...(pipx === undefined ? [] : [{ label: "Update with pipx", command: pipx, args: ["upgrade", PROGRAM] }]),
  ];
}

function expandHome(path: string, home: string): string {
  return path.replace(/^~(?=$|\/)/, home);
}
