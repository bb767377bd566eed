/** The services of the extension that commands use. */

import type { Memento } from "vscode";
import type { Comparisons } from "./comparison.ts";
import type { Diffs, Merges } from "./diffs.ts";
import type { Review } from "./review.ts";
import type { Connection } from "./connection.ts";
import type { Tasks } from "./tasks.ts";
import type { Tree } from "./tree.ts";
import type { Verification } from "./verify.ts";

export interface Context {
  readonly connection: Connection;
  readonly tasks: Tasks;
  readonly tree: Tree;
  readonly review: Review;
  readonly diffs: Diffs;
  readonly merges: Merges;
  readonly comparisons: Comparisons;
  readonly verification: Verification;
  /** The stored choices of the person for this workspace. */
  readonly memory: Memento;
}

/** The handler of each command, by its name. */
export type Handlers = Record<string, (...args: never[]) => unknown>;
