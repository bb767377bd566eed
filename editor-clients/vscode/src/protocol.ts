// Generated from mux_lsp/lsp/protocol.py by `make generate`. Do not edit.

export const PROTOCOL_VERSION = 2;

/**
 * An agent by its configured name, or an inline command as `sh:COMMAND`.
 */
export interface RequestedAgent {
  agent: string;
  count?: number;
  model?: string | null;
}

export interface Position {
  line: number;
  character: number;
}

export interface Range {
  start: Position;
  end: Position;
}

/**
 * A place that the prompt is about. Without `range`, the whole file.
 */
export interface ContextPlace {
  uri: string;
  range?: Range | null;
}

/**
 * `unsaved` selects the unsaved buffers that go into the snapshot: this client's (`own`), those of every connected
 * client (`all`: refused if two clients hold different unsaved texts of one file), or nobody's (`none`).
 *
 * Runs of tasks with a higher `priority` leave the queue first. When `stop_after` runs have equal results that passed
 * every check, the remaining runs are ended. `max_cost_usd` and `max_tokens` limit all runs together and replace the
 * settings' `task_usd` and `task_tokens`. `parent` is the run whose agent asks, if the client knows it: the task's
 * spending is charged to that run too. A `parent` that the server does not know is ignored. If the server recognizes
 * the calling agent itself, that takes precedence.
 */
export interface TaskStartParams {
  prompt: string;
  agents?: RequestedAgent[] | null;
  checks?: string[] | null;
  context?: ContextPlace[];
  repository?: string | null;
  unsaved?: "own" | "all" | "none";
  priority?: number;
  stop_after?: number | null;
  max_cost_usd?: number | null;
  max_tokens?: number | null;
  parent?: string | null;
}

/**
 * Runs of tasks with a higher `priority` leave the queue first.
 */
export interface TaskPrioritizeParams {
  task: string;
  priority: number;
}

/**
 * `repository` is the URI of any folder in the repository. Without it, the tasks of all repositories.
 */
export interface TaskListParams {
  repository?: string | null;
}

export interface TaskParams {
  task: string;
}

/**
 * The id of a task or a run.
 */
export interface IdParams {
  id: string;
}

/**
 * `keep` lists the runs of the task that are not discarded.
 */
export interface DiscardParams {
  id: string;
  keep?: string[];
}

export interface RunParams {
  run: string;
}

/**
 * `paths` limits the command to these files and the files in these folders. Without it, the whole run.
 */
export interface RunReviewParams {
  run: string;
  paths?: string[] | null;
}

/**
 * `mode` resolves collisions, as in `HunkAcceptParams`. `result` is the result of the run that the person reviewed;
 * if the run's newest result differs from it in these files, nothing is accepted.
 */
export interface RunAcceptParams {
  run: string;
  paths?: string[] | null;
  mode?: "exact" | "instead" | "take" | "mark";
  result?: string | null;
}

/**
 * `mode` and `result` are as in `RunAcceptParams`.
 */
export interface RunPickParams {
  run: string;
  mode?: "exact" | "instead" | "take" | "mark";
  result?: string | null;
}

/**
 * `offset` and `limit` are in bytes of the stream. `follow` waits until there is more, or the run has ended.
 *
 * `check` selects the output of the run's check with that number, counted from 0, in place of the agent's output. `on`
 * selects the tree that was checked: the run's `result`, its result with the protected files `restored`, or the
 * `snapshot`. `setup` selects the output of the set-up of the run's worktree, all of it in `stdout`. The stream
 * `transcript` is the conversation and the tool calls as JSON lines, one event per line, with `kind` and `at`.
 */
export interface RunLogParams {
  run: string;
  check?: number | null;
  on?: "result" | "restored" | "snapshot";
  setup?: boolean;
  stream?: "stdout" | "stderr" | "transcript";
  offset?: number;
  limit?: number;
  follow?: boolean;
}

export interface RunDiffParams {
  run: string;
  paths?: string[];
}

/**
 * `up_to_date`: first merge the person's current files into the run's: with this client's unsaved buffers (`own`),
 * with those of every connected client (`all`), or as they are on disk (`saved`).
 */
export interface RunContinueParams {
  run: string;
  message: string;
  up_to_date?: "own" | "all" | "saved" | null;
}

/**
 * `uri` selects one document, `run` one run, both that run in that document. At least one is required.
 *
 * `paths` limits the run to these files and the files in these folders.
 */
export interface ReviewListParams {
  uri?: string | null;
  run?: string | null;
  paths?: string[] | null;
}

/**
 * Hunks of one run by their ids.
 */
export interface HunkParams {
  run: string;
  hunks: string[];
}

/**
 * `mode` resolves the collisions of a hunk: refuse (`exact`), remove the competing hunks of other runs of the task
 * (`instead`), replace the lines in the text with the run's lines (`take`), or put both between conflict markers
 * (`mark`).
 */
export interface HunkAcceptParams {
  run: string;
  hunks: string[];
  mode?: "exact" | "instead" | "take" | "mark";
}

/**
 * `shared`: also reject the same hunks in other runs of the task.
 */
export interface HunkRejectParams {
  run: string;
  hunks: string[];
  shared?: boolean;
}

/**
 * `what`: every change of the run to the file (`all`), or only the change that is not part of a hunk (`file`): its
 * name, its mode, or a content that is replaced as a whole.
 */
export interface FileParams {
  run: string;
  path: string;
  what?: "all" | "file";
}

/**
 * `mode` resolves collisions, as in `HunkAcceptParams`. `result` is as in `RunAcceptParams`.
 */
export interface FileAcceptParams {
  run: string;
  path: string;
  what?: "all" | "file";
  mode?: "exact" | "instead" | "take" | "mark";
  result?: string | null;
}

/**
 * `answer`: allow the action this once (`once`), for the runs that ask (`run`), for their task (`task`), or for the
 * repository from now on (`always`); or refuse it (`refuse`), with a `reason` that the agent reads.
 */
export interface PermissionReplyParams {
  id: string;
  answer: "once" | "run" | "task" | "always" | "refuse";
  reason?: string | null;
}

/**
 * A read-only document by its `mux:` URI.
 */
export interface DocumentParams {
  uri: string;
}

/**
 * `take_focus`: true if the client shall move its cursor there. Without it, the client decides.
 */
export interface DocumentShowParams {
  uri: string;
  take_focus?: boolean | null;
}

/**
 * `uri` limits the list to one file; `start` and `end` limit it further to changes that touch these lines, counted
 * from 0, both included. `repository` is the URI of any folder in the repository. Without both, the whole history.
 * `limit` is the maximum number of entries, newest first.
 */
export interface HistoryListParams {
  uri?: string | null;
  repository?: string | null;
  start?: number | null;
  end?: number | null;
  limit?: number;
}

/**
 * `unsaved` selects the live text to verify: as this client has it (`own`), with the unsaved buffers of every
 * connected client (`all`), or as it is on disk (`none`). With `run`, changes of this run are placed on that text, as
 * accepting would place them: the `hunks`, those in `paths`, or all. Without `checks`, the checks of the repository's
 * newest task are run, or else those of the settings.
 */
export interface VerifyParams {
  repository?: string | null;
  run?: string | null;
  paths?: string[] | null;
  hunks?: string[] | null;
  checks?: string[] | null;
  unsaved?: "own" | "all" | "none";
}

/**
 * A document that the client has open.
 */
export interface ReviewPlacesParams {
  uri: string;
}

/**
 * A change at a place of an open document. `hunk` is null for a change without hunks. The variant that is `step`
 * places after it among the open variants of the place is shown to this client from now on.
 */
export interface VariantShowParams {
  uri: string;
  run: string;
  hunk?: string | null;
  step?: number;
}

/**
 * A file that a run changes.
 */
export interface VersionsShowParams {
  run: string;
  path: string;
}

/**
 * The repository that contains a folder. Without `repository`, the one that the client has open.
 */
export interface RepositoryNameParams {
  repository?: string | null;
}

/**
 * `unsaved` selects the unsaved buffers from which its `mux.toml` may be read, as in `TaskStartParams`.
 */
export interface RepositoryParams {
  repository?: string | null;
  unsaved?: "own" | "all" | "none";
}

/**
 * `digest` is the digest of the settings that the person was shown. Refused if the file has changed since.
 */
export interface RepositoryTrustParams {
  repository?: string | null;
  unsaved?: "own" | "all" | "none";
  digest: string;
}

export type NoParams = Record<string, never>;

/**
 * `added` and `removed` count lines, null for a file that is not text. `old_path` is the path of a renamed file in
 * the snapshot, or the file that a copied one was made from; lines are counted against that file.
 */
export interface FileSummary {
  path: string;
  old_path: string | null;
  change: "added" | "modified" | "deleted" | "renamed" | "copied";
  added: number | null;
  removed: number | null;
}

/**
 * The tests in a check's report, compared with the report of the same check on the snapshot. `added` of the
 * `newly_passing` tests did not exist there; `newly_failing` includes tests that passed there and are gone. At most 50
 * names of each kind are listed.
 */
export interface TestsShape {
  passed: number;
  failed: number;
  skipped: number;
  newly_passing: number;
  added: number;
  newly_failing: number;
  names_passing: string[];
  names_failing: string[];
}

/**
 * `baseline_state` is the check's state on the snapshot itself, null while unknown. `tests` is null if the check
 * wrote no report.
 */
export interface CheckResult {
  command: string;
  state: "running" | "passed" | "failed";
  exit_status: number | null;
  seconds: number | null;
  baseline_state: "running" | "passed" | "failed" | null;
  tests: TestsShape | null;
}

/**
 * A path that a snapshot or a result could not include, and the reason.
 */
export interface LeftOutPath {
  path: string;
  reason: string;
}

/**
 * One agent's attempt. `reason` explains its state in words.
 *
 * `files` has at most 200 entries, and all of them in the answer of `mux.run.get`. `file_count`, `added` and `removed`
 * are over all files, the last two in lines of the files that are text. `result` is the commit of what the run has
 * made, in the shadow store; it changes whenever the content does.
 *
 * `tampered` lists the tests and the configuration of checks that the run changed or deleted; `restored_checks` are
 * the check results with these files as the snapshot had them. `queue_place` counts from 1. `rank` counts from 1 among
 * the task's runs that have ended; `reasons` explain it, one sentence each, and `tied` lists the runs with the same
 * rank. `discarded` is when the run was discarded, `kept_until` when it can no longer be restored.
 */
export interface RunShape {
  id: string;
  task: string;
  agent: string;
  model: string | null;
  state: "queued" | "preparing" | "running" | "waiting" | "checking" | "finished" | "failed" | "cancelled" | "interrupted";
  reason: string | null;
  files: FileSummary[];
  file_count: number;
  added: number;
  removed: number;
  hunks: number;
  result: string | null;
  checks: CheckResult[];
  tampered: string[];
  restored_checks: CheckResult[];
  left_out: LeftOutPath[];
  worktree: string | null;
  exit_status: number | null;
  cost_usd: number | null;
  tokens: number | null;
  started: number | null;
  finished: number | null;
  discarded: number | null;
  kept_until: number | null;
  queue_place: number | null;
  rank: number | null;
  tied: string[];
  reasons: string[];
}

/**
 * `repository` is the URI of the repository's root, `snapshot` a commit of the shadow store. `baseline` has the
 * check results on the snapshot itself: all `running` while the checks run, empty before that and if no baseline could
 * be found. `cost_usd` and `tokens` are the sums over all runs, null if no agent reported any. `parent` is the run
 * whose agent started the task, null if a person did. `notices` are sentences for the person who started it, for
 * example that a `mux.toml` is not trusted.
 */
export interface TaskShape {
  id: string;
  prompt: string;
  state: "running" | "ended";
  repository: string;
  snapshot: string | null;
  left_out: LeftOutPath[];
  created: number;
  notices: string[];
  setup: string[];
  baseline: CheckResult[];
  priority: number;
  paused: boolean;
  stop_after: number | null;
  parent: string | null;
  max_cost_usd: number | null;
  max_tokens: number | null;
  cost_usd: number | null;
  tokens: number | null;
  runs: RunShape[];
}

export interface TaskResult {
  task: TaskShape;
}

export interface TaskListResult {
  tasks: TaskShape[];
}

export interface RunResult {
  run: RunShape;
}

/**
 * A run with the values by which it was ranked. `grade` sums up the checks, with the snapshot's protected files.
 *
 * `agreement` is the mean fraction, from 0 to 1, of its lines that another run has too. `sharing` of the `total` other
 * runs have some of its lines; `shared` is the fraction of its lines that at least one of them has. `fixed` counts
 * tests that pass and failed on the snapshot, `broken` those that passed there and no longer do. `outside` lists
 * changed files that the prompt was not about, at most 200. `seconds` is how long the agent worked. `reasons` and
 * `tied` are those of the run.
 */
export interface RankedRun {
  run: string;
  rank: number;
  tied: string[];
  grade: "passes" | "as_before" | "unchecked" | "own_tests" | "fails" | "unfinished" | "empty";
  reasons: string[];
  agreement: number;
  shared: number;
  sharing: number;
  total: number;
  fixed: number;
  broken: number;
  lines: number;
  outside: string[];
  cost_usd: number | null;
  seconds: number | null;
}

/**
 * The change of a run to a file. Lines are null if the file is not text.
 */
export interface ComparedChange {
  change: "added" | "modified" | "deleted" | "renamed" | "copied";
  added: number | null;
  removed: number | null;
}

/**
 * One change at a place. `runs` are all the runs that share it, best first. `gist` is its first line that is not
 * trivial, with its sign in front.
 */
export interface ComparedVariant {
  hunk: string;
  runs: string[];
  added: number;
  removed: number;
  gist: string;
}

/**
 * Lines `[start, end)` of the snapshot's file that runs change, with the variants of the change, best first.
 * `differs` is true if not all runs that have changed anything make the same change here.
 */
export interface ComparedPlace {
  start: number;
  end: number;
  differs: boolean;
  variants: ComparedVariant[];
}

/**
 * `runs` are the runs that change the file; `hunks` maps every hunk to the runs that share it. A file that runs
 * rename is compared under its path in the snapshot; `renamed` maps each new path to the runs that have the file
 * there. `changes` maps each run to its change of the file. `places` are the places of the changes, at most 200.
 */
export interface ComparedFile {
  path: string;
  runs: string[];
  hunks: Record<string, string[]>;
  renamed: Record<string, string[]>;
  changes: Record<string, ComparedChange>;
  places: ComparedPlace[];
}

/**
 * `ranking` has the runs that have ended, best first. `files` has at most 200 entries; `more` counts the others.
 * `equal` groups the runs with the same result. Discarded runs are in none of these.
 */
export interface TaskCompareResult {
  task: TaskShape;
  ranking: RankedRun[];
  files: ComparedFile[];
  more: number;
  equal: string[][];
}

/**
 * `text` is the output, made harmless to a terminal. `offset` is where to continue reading.
 */
export interface RunLogResult {
  text: string;
  offset: number;
  ended: boolean;
}

/**
 * A patch for `git apply`. If it is not UTF-8, `base64` has its exact bytes and `patch` a readable copy.
 */
export interface RunDiffResult {
  patch: string;
  base64: string | null;
}

/**
 * A hunk with its status on the live text of the asking client. `hunk` is null for a change that is not text, which
 * is accepted together with its file. `path` and `old_path` are the file's (see `FileSummary`). `uri` is where its
 * text is now; for a renamed file that is one of the two paths. `range` is where the hunk lands, or what it collides
 * with. `resolutions` are the values of `mode` with which a conflict can still be accepted.
 */
export interface ReviewItem {
  run: string;
  agent: string;
  path: string;
  old_path: string | null;
  uri: string;
  hunk: string | null;
  status: "pending" | "applied" | "conflict" | "rejected";
  reason: string | null;
  resolutions: ("exact" | "instead" | "take" | "mark")[];
  range: Range;
  removed: string;
  added: string;
}

export interface ReviewListResult {
  items: ReviewItem[];
}

/**
 * One change at a place. `runs` are all the runs that share it: `agreed` of the `total` runs that have changed
 * anything. `what` summarizes it in a few characters. `hunk` is null for a change that is not text, which is accepted
 * together with its file. `resolutions` are the values of `mode` with which it can be accepted now; `lost` are the
 * person's lines that `take` would overwrite.
 */
export interface VariantShape {
  run: string;
  runs: string[];
  agreed: number;
  total: number;
  agent: string;
  path: string;
  hunk: string | null;
  what: string;
  status: "pending" | "applied" | "conflict" | "rejected";
  reason: string | null;
  range: Range;
  removed: string;
  added: string;
  resolutions: ("exact" | "instead" | "take" | "mark")[];
  lost: string[];
}

/**
 * A place where changes of one task compete, best first. Code lenses and hint diagnostics show `variants[shown]`.
 * `open` is true if there is anything to decide. Once a variant is applied it is false, and other variants can be
 * accepted with `instead`.
 */
export interface PlaceShape {
  task: string;
  range: Range;
  open: boolean;
  shown: number;
  variants: VariantShape[];
}

/**
 * The places in the order of the text, at this version of the document, without places where all was rejected.
 */
export interface ReviewPlacesResult {
  uri: string;
  version: number;
  places: PlaceShape[];
}

/**
 * The variant that is shown now. `shown` is its index, from 0, among the `total` open variants of the place.
 */
export interface VariantShowResult {
  run: string;
  hunk: string | null;
  shown: number;
  total: number;
}

/**
 * The read-only documents that were opened beside the person's own.
 */
export interface VersionsShowResult {
  uris: string[];
}

/**
 * `mux.client.diff`: show a change of an open document as a diff. `diff` is a read-only document with it.
 */
export interface ClientDiffParams {
  uri: string;
  run: string;
  hunk: string | null;
  diff: string;
}

/**
 * `mux.client.merge`: open a merge for the person. `base` and `theirs` are read-only documents: the file in the
 * snapshot, and the file as the run has it.
 */
export interface ClientMergeParams {
  uri: string;
  run: string;
  hunk: string | null;
  base: string;
  theirs: string;
}

/**
 * `mux.client.ask`: let the person select agents, and start a task with them. The fields are those of
 * `mux.task.start`.
 */
export interface ClientAskParams {
  prompt: string;
  context: ContextPlace[];
  repository: string;
}

/**
 * `accepted` counts the hunks that were placed, `already` those that were in the text before. `files` lists the
 * changed files. `instead_of` are the runs whose hunks were removed. `marked` counts the conflicts put between
 * markers, `rejected` the hunks that were left out because they are rejected. `kept` is the folder with copies of the
 * person's files that `take` overwrote, null if nothing was copied.
 */
export interface AcceptResult {
  accepted: number;
  already: number;
  instead_of: string[];
  marked: number;
  rejected: number;
  kept: string | null;
  files: string[];
}

/**
 * The result of accepting the picked run. `discarded` are the runs that were discarded.
 */
export interface PickResult {
  accepted: number;
  already: number;
  instead_of: string[];
  marked: number;
  rejected: number;
  kept: string | null;
  files: string[];
  discarded: string[];
}

/**
 * The runs that this command discarded, and when they can no longer be restored (null if no run was).
 */
export interface DiscardResult {
  discarded: string[];
  kept_until: number | null;
}

/**
 * The runs that were restored.
 */
export interface RestoreResult {
  restored: string[];
}

/**
 * The id of a task or a run.
 */
export interface IdResult {
  id: string;
}

/**
 * `rejected` counts the hunks that were not rejected before. `applied` counts those that are in the text: rejecting
 * a hunk does not remove it.
 */
export interface RejectResult {
  rejected: number;
  applied: number;
}

/**
 * `language` is LSP's identifier of its language, null if the file name at the end of the URI determines it.
 */
export interface DocumentResult {
  text: string;
  language: string | null;
}

/**
 * `uri` is the URI that the client was asked to show: the `mux:` URI, or that of a read-only file.
 */
export interface DocumentShowResult {
  uri: string;
}

/**
 * A hunk that became part of a person's text. The record is permanent: it stays when its task is deleted.
 *
 * `cause` is `accept` if the hunk was accepted through mux-lsp, `text` if the text had it otherwise: typed, or brought
 * in by another tool. `message` is the message with which the run was continued. `agreed` are the other runs of the
 * task that had the same hunk, `total` is the number of runs that had changed anything. `line` is where the hunk was
 * placed, in the text of `client`. `range` is where it is now in the text of the asking client, null if that is
 * unknown or no `uri` was given; `partial` is true if only some of its lines are left. For very long hunks `added` and
 * `removed` are null. `withdrawn` is when the text lost the hunk again, null while the text has it.
 */
export interface AcceptanceShape {
  id: number;
  at: number;
  withdrawn: number | null;
  client: string;
  person: string;
  cause: "accept" | "text";
  repository: string;
  task: string;
  run: string;
  agent: string;
  model: string | null;
  prompt: string;
  message: string | null;
  agreed: string[];
  total: number;
  path: string;
  uri: string;
  hunk: string | null;
  line: number;
  removed: string | null;
  removed_lines: number;
  added: string | null;
  added_lines: number;
  range: Range | null;
  partial: boolean;
}

/**
 * The acceptances, newest first.
 */
export interface HistoryListResult {
  acceptances: AcceptanceShape[];
}

/**
 * An agent by the name that tasks use. `command` is the command that it runs, with `PROMPT` in the prompt's place.
 * `configured` is true if config.toml defines it. Unknown values are null. `install` explains how to install it.
 * `logged_in` is true if there is a key or a file of credentials for it; neither is read.
 */
export interface AgentShape {
  name: string;
  kind: string;
  command: string;
  configured: boolean;
  installed: boolean | null;
  install: string | null;
  version: string | null;
  logged_in: boolean | null;
}

/**
 * The settings in a repository's own `mux.toml` (`file`); a setting that it does not have is null. They apply only
 * while `trusted`: the person trusts exactly these settings, identified by `digest`, which is null without settings.
 * `problem` is the reason why the file cannot be read. `hooks_trusted` is true if the person's config.toml lets agents
 * run the hooks and servers that the repository contains.
 */
export interface RepositoryResult {
  repository: string;
  file: string;
  digest: string | null;
  trusted: boolean;
  problem: string | null;
  agents: string[] | null;
  checks: string[] | null;
  setup: string[] | null;
  setup_inputs: string[] | null;
  protected: string[] | null;
  check_timeout_seconds: number | null;
  hooks_trusted: boolean;
}

/**
 * `at` is when the person last granted the trust.
 */
export interface TrustedRepository {
  repository: string;
  at: number;
}

export interface TrustListResult {
  trusted: TrustedRepository[];
}

export interface AgentListResult {
  agents: AgentShape[];
  defaults: string[];
}

/**
 * US dollars, as far as agents reported a cost, and tokens.
 */
export interface SpentShape {
  cost_usd: number;
  tokens: number;
}

/**
 * The check results on the live text of a repository; if `run` is given, with changes of it placed on that text:
 * its `hunks`, those in `paths`, or all. `baseline_state` of a check is its state on the snapshot of the newest task
 * that has these checks. `stale` is true if the text is neither what it was then nor what was checked. `left_out` are
 * paths that could not be included. `seconds` is the duration, `at` the start.
 */
export interface VerdictShape {
  repository: string;
  passed: boolean;
  checks: CheckResult[];
  run: string | null;
  hunks: string[];
  paths: string[];
  left_out: LeftOutPath[];
  at: number;
  seconds: number;
  stale: boolean;
}

/**
 * `printed` is the end of each check's output, standard output before standard error.
 */
export interface VerifyResult {
  verdict: VerdictShape;
  printed: string[];
}

/**
 * `mux/verdictChanged`: there is a new verdict, or the text now differs from the checked one, or matches again.
 */
export interface VerdictChangedParams {
  verdict: VerdictShape;
}

/**
 * `disk_bytes` is the size of the shadow store and the hidden worktrees, `spent` today's spending in this
 * repository. `verdict` is the last verdict of `mux.verify`.
 */
export interface RepositoryStatus {
  repository: string;
  worktrees: number;
  disk_bytes: number;
  spent: SpentShape;
  verdict: VerdictShape | null;
}

/**
 * `queued_runs` counts the unfinished runs that are in the queue, those of paused tasks included. `spent` is
 * today's spending as reported by all agents; `day_usd` and `day_tokens` are the limits per day. `notices` are
 * sentences for the person that apply until this daemon ends, for example that its journal has lost its last changes.
 */
export interface StatusResult {
  version: string;
  pid: number;
  unfinished_runs: number;
  queued_runs: number;
  spent: SpentShape;
  day_usd: number | null;
  day_tokens: number | null;
  notices: string[];
  repositories: RepositoryStatus[];
}

export interface DeleteResult {
  deleted: string[];
}

/**
 * `mux/taskChanged`: a task was started, has changed, or was `deleted`.
 */
export interface TaskChangedParams {
  task: TaskShape;
  deleted: boolean;
}

/**
 * `mux/runChanged`: a run's state or result has changed. `previous` is its state before.
 */
export interface RunChangedParams {
  run: RunShape;
  previous: string;
}

/**
 * `mux/runOutput`: a run's agent has printed. `offset` is the position of `text` in the stream, in bytes.
 */
export interface RunOutputParams {
  run: string;
  stream: "stdout" | "stderr";
  offset: number;
  text: string;
}

/**
 * An action that agents request permission for. `subject` is a command, path or URL. All `runs` ask for it.
 */
export interface PermissionShape {
  id: string;
  task: string;
  runs: string[];
  tool: string;
  subject: string;
  title: string;
}

export interface PermissionListResult {
  permissions: PermissionShape[];
}

/**
 * `mux/permissionRequested`: an agent asks permission. Sent again when another run asks for the same action.
 */
export interface PermissionRequestedParams {
  permission: PermissionShape;
}

/**
 * `mux/permissionSettled`: the question was answered, it timed out, or the runs that asked are gone.
 */
export interface PermissionSettledParams {
  id: string;
  task: string;
  answer: string;
}

/**
 * `mux/reviewChanged`: the reviewable changes of these documents are different now.
 *
 * `uris` has at most 200 entries, spelt as the client spells those that it has open; `more` counts the others.
 */
export interface ReviewChangedParams {
  uris: string[];
  more: number;
}

/**
 * `mux/queueChanged`: the order of the queued runs has changed. Runs of paused tasks are left out.
 *
 * `runs` has at most 200 entries; `more` counts the others. A run that left has its slot, is paused or has ended.
 */
export interface QueueChangedParams {
  runs: string[];
  more: number;
}

/**
 * `mux/limitReached`: 80 % of a spending limit is used up; or all of it, and the work that it limits was `stopped`.
 *
 * `scope` is what the limit applies to; `repository` is a day in one repository. `of` is the run, the task or the URI
 * of the repository, null for a day. `most` is the limit. `message` explains it in words.
 */
export interface LimitReachedParams {
  scope: "run" | "task" | "day" | "repository";
  of: string | null;
  unit: "usd" | "tokens";
  spent: number;
  most: number;
  stopped: boolean;
  message: string;
}

/**
 * `data` of an error response. `kind` is for programs, the message for people.
 */
export interface ErrorData {
  kind: "failed" | "usage" | "conflict";
}

/**
 * `data` if `initialize` is refused because of the client's protocol version; `protocol` is the server's.
 */
export interface VersionErrorData {
  kind: "failed" | "usage" | "conflict";
  protocol: number;
}

/** Every command with the type of its argument and of its answer. */
export interface Commands {
  "mux.task.start": { params: TaskStartParams; result: TaskResult };
  "mux.task.list": { params: TaskListParams; result: TaskListResult };
  "mux.task.get": { params: TaskParams; result: TaskResult };
  "mux.task.compare": { params: TaskParams; result: TaskCompareResult };
  "mux.task.cancel": { params: TaskParams; result: TaskResult };
  "mux.task.pause": { params: TaskParams; result: TaskResult };
  "mux.task.resume": { params: TaskParams; result: TaskResult };
  "mux.task.prioritize": { params: TaskPrioritizeParams; result: TaskResult };
  "mux.task.discard": { params: DiscardParams; result: DiscardResult };
  "mux.task.restore": { params: IdParams; result: RestoreResult };
  "mux.task.delete": { params: IdParams; result: DeleteResult };
  "mux.id.find": { params: IdParams; result: IdResult };
  "mux.run.get": { params: RunParams; result: RunResult };
  "mux.run.log": { params: RunLogParams; result: RunLogResult };
  "mux.run.diff": { params: RunDiffParams; result: RunDiffResult };
  "mux.run.cancel": { params: RunParams; result: RunResult };
  "mux.run.continue": { params: RunContinueParams; result: RunResult };
  "mux.run.retry": { params: RunParams; result: RunResult };
  "mux.review.list": { params: ReviewListParams; result: ReviewListResult };
  "mux.review.places": { params: ReviewPlacesParams; result: ReviewPlacesResult };
  "mux.variant.show": { params: VariantShowParams; result: VariantShowResult };
  "mux.versions.show": { params: VersionsShowParams; result: VersionsShowResult };
  "mux.hunk.accept": { params: HunkAcceptParams; result: AcceptResult };
  "mux.hunk.reject": { params: HunkRejectParams; result: RejectResult };
  "mux.file.accept": { params: FileAcceptParams; result: AcceptResult };
  "mux.file.reject": { params: FileParams; result: RejectResult };
  "mux.run.accept": { params: RunAcceptParams; result: AcceptResult };
  "mux.run.reject": { params: RunReviewParams; result: RejectResult };
  "mux.run.pick": { params: RunPickParams; result: PickResult };
  "mux.permission.list": { params: NoParams; result: PermissionListResult };
  "mux.permission.reply": { params: PermissionReplyParams; result: PermissionListResult };
  "mux.document.get": { params: DocumentParams; result: DocumentResult };
  "mux.document.show": { params: DocumentShowParams; result: DocumentShowResult };
  "mux.history.list": { params: HistoryListParams; result: HistoryListResult };
  "mux.repository.get": { params: RepositoryParams; result: RepositoryResult };
  "mux.repository.trust": { params: RepositoryTrustParams; result: RepositoryResult };
  "mux.repository.distrust": { params: RepositoryNameParams; result: TrustListResult };
  "mux.repository.list": { params: NoParams; result: TrustListResult };
  "mux.agent.list": { params: NoParams; result: AgentListResult };
  "mux.status": { params: NoParams; result: StatusResult };
  "mux.verify": { params: VerifyParams; result: VerifyResult };
}

/** The notifications beside LSP's own. */
export interface Notifications {
  "mux/taskChanged": TaskChangedParams;
  "mux/runChanged": RunChangedParams;
  "mux/runOutput": RunOutputParams;
  "mux/reviewChanged": ReviewChangedParams;
  "mux/permissionRequested": PermissionRequestedParams;
  "mux/permissionSettled": PermissionSettledParams;
  "mux/queueChanged": QueueChangedParams;
  "mux/limitReached": LimitReachedParams;
  "mux/verdictChanged": VerdictChangedParams;
}

/** The commands that a client may have itself, with the type of their one argument. */
export interface ClientCommands {
  "mux.client.ask": ClientAskParams;
  "mux.client.diff": ClientDiffParams;
  "mux.client.merge": ClientMergeParams;
}
