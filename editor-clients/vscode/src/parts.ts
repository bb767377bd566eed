/** The parts of the extension that commands act on. */

import type { Memento } from "vscode";
import type { Comparisons } from "./comparison.ts";
import type { Diffs, Merges } from "./diffs.ts";
import type { Review } from "./review.ts";
import type { Server } from "./server.ts";
import type { Tasks } from "./tasks.ts";
import type { Tree } from "./tree.ts";
import type { Verification } from "./verify.ts";

export interface Parts {
  readonly server: Server;
  readonly tasks: Tasks;
  readonly tree: Tree;
  readonly review: Review;
  readonly diffs: Diffs;
  readonly merges: Merges;
  readonly comparisons: Comparisons;
  readonly verification: Verification;
  /** What this folder's person has chosen before. */
  readonly memory: Memento;
}

/** What each command does, by its name. */
export type Handlers = Record<string, (...given: never[]) => unknown>;
