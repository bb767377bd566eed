// Generated from mux_lsp/lsp/protocol.py by `python -m tests.support.protocol_tables`. Do not edit.

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
 * A place that the prompt is about; the whole file without `range`.
 */
export interface ContextPlace {
  uri: string;
  range?: Range | null;
}

/**
 * `unsaved`: whose unsaved buffers go into the snapshot: this client's (`own`), those of every connected client
 * (`all`: refused where two clients hold different unsaved texts of one file), or nobody's (`none`).
 *
 * Runs of tasks with a higher `priority` leave the queue first. `stop_after` equal results that passed every check end
 * the runs that are left. `max_cost_usd` and `max_tokens` are for all runs together, in place of the settings'
 * `task_usd` and `task_tokens`. `parent` is the run whose agent asks, where the client knows: what the task spends
 * counts for it too. One that the server does not know counts for nothing, and it looks for itself.
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
 * `repository`: the URI of any folder in it; all repositories without.
 */
export interface TaskListParams {
  repository?: string | null;
}

export interface TaskParams {
  task: string;
}

/**
 * A task's or a run's id.
 */
export interface IdParams {
  id: string;
}

/**
 * `keep`: runs of the task that stay.
 */
export interface DiscardParams {
  id: string;
  keep?: string[];
}

export interface RunParams {
  run: string;
}

/**
 * `paths`: only these files, and those in these folders; the whole run without.
 */
export interface RunReviewParams {
  run: string;
  paths?: string[] | null;
}

/**
 * `mode` says what to do where something collides, as for hunks. `result`: the result of the run that was looked
 * at; where its newest has something else in these files, nothing is accepted.
 */
export interface RunAcceptParams {
  run: string;
  paths?: string[] | null;
  mode?: "exact" | "instead" | "take" | "mark";
  result?: string | null;
}

/**
 * `mode` and `result` as for accepting it.
 */
export interface RunPickParams {
  run: string;
  mode?: "exact" | "instead" | "take" | "mark";
  result?: string | null;
}

/**
 * `offset` and `limit` are in bytes of the stream. `follow` waits until there is more, or the run has ended.
 *
 * `check`: the output of the run's check of that number, counted from 0, instead of the agent's; `on` its result, its
 * result with what judges `restored`, or the `snapshot`. `setup`: that of the set-up by which its worktree was made
 * ready, all of it in `stdout`. `transcript`: the conversation and the tool calls as JSON lines, one event to a line,
 * with `kind` and `at`.
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
 * `up_to_date`: first merge into the run's files what the person has by now: with this client's unsaved buffers
 * (`own`), those of every connected client (`all`), or what is on disk (`saved`).
 */
export interface RunContinueParams {
  run: string;
  message: string;
  up_to_date?: "own" | "all" | "saved" | null;
}

/**
 * `uri`: one document. `run`: one run. Both: that run in that document. One of them is needed.
 *
 * `paths`: of the run only these files, and those in these folders.
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
 * `mode` says what to do where a hunk collides: refuse (`exact`), take out what other runs of the task have there
 * (`instead`), have the run's lines in place of those that are there (`take`), or both between conflict markers
 * (`mark`).
 */
export interface HunkAcceptParams {
  run: string;
  hunks: string[];
  mode?: "exact" | "instead" | "take" | "mark";
}

/**
 * `shared`: also where other runs of the task have the same hunks.
 */
export interface HunkRejectParams {
  run: string;
  hunks: string[];
  shared?: boolean;
}

/**
 * `what`: all that the run does to the file, or only what is in none of its hunks (`file`): its name, its mode, or
 * a content that goes as a whole.
 */
export interface FileParams {
  run: string;
  path: string;
  what?: "all" | "file";
}

/**
 * `mode` says what to do where something collides, as for hunks; `result` is as for a whole run.
 */
export interface FileAcceptParams {
  run: string;
  path: string;
  what?: "all" | "file";
  mode?: "exact" | "instead" | "take" | "mark";
  result?: string | null;
}

/**
 * `answer`: allow it this once, for the runs that ask (`run`), for their task, or for the repository from now on
 * (`always`); or refuse it, with a `reason` that the agent reads.
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
 * `take_focus`: whether the client moves its cursor there; its own choice if left out.
 */
export interface DocumentShowParams {
  uri: string;
  take_focus?: boolean | null;
}

/**
 * `uri`: one file, and of it only what touches its lines `start` to `end` if given, counted from 0, both included.
 * `repository`: the URI of any folder in it. Everything without either. `limit`: only the newest so many.
 */
export interface HistoryListParams {
  uri?: string | null;
  repository?: string | null;
  start?: number | null;
  end?: number | null;
  limit?: number;
}

/**
 * What to verify: the live text of the repository as this client has it (`own`), with the unsaved buffers of every
 * connected client (`all`), or as it is on disk (`none`). `run`: that text with changes of this run placed on it, as
 * accepting would place them: all of them, those of `paths`, or `hunks`. Without `checks` those of the repository's
 * newest task count, else those of the settings.
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
 * A change at a place of an open document: `hunk` is null for one without hunks. The one that is `step` further on
 * among the variants that wait there is shown from now on, to this client.
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
 * The repository at a folder; without a name the one that the client has open.
 */
export interface RepositoryNameParams {
  repository?: string | null;
}

/**
 * `unsaved`: in whose unsaved buffers its `mux.toml` may be, as at `mux.task.start`.
 */
export interface RepositoryParams {
  repository?: string | null;
  unsaved?: "own" | "all" | "none";
}

/**
 * `digest` is that of what the person was shown. It is refused where the file says something else by now.
 */
export interface RepositoryTrustParams {
  repository?: string | null;
  unsaved?: "own" | "all" | "none";
  digest: string;
}

export type NoParams = Record<string, never>;

/**
 * `added` and `removed` are lines, null for a file that is not text. `old_path` is where a renamed file was in the
 * snapshot, or the file that a copied one was made from; lines are counted against that.
 */
export interface FileSummary {
  path: string;
  old_path: string | null;
  change: "added" | "modified" | "deleted" | "renamed" | "copied";
  added: number | null;
  removed: number | null;
}

/**
 * What a check's report says of its tests, told apart from the same check on the snapshot. `added` of the
 * `newly_passing` were not there; `newly_failing` counts those too that passed there and are gone. Of each kind 50
 * names at the most are told.
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
 * `before` is how the check went on the snapshot itself, null while that is not known. `tests` is null where it
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
 * Something that a snapshot or a result could not take, and why.
 */
export interface LeftOutPath {
  path: string;
  reason: string;
}

/**
 * One agent's attempt. `reason` says in words why it is in this state.
 *
 * `files` names 200 at the most, all of them in the answer of `mux.run.get`. `file_count`, `added` and `removed` are
 * of all files, the last two in lines of those that are text. `result` is the commit of what it has made, in the
 * shadow store: another one whenever that is different.
 *
 * `tampered` are the tests and configuration of checks that it changed or deleted, `restored_checks` how the checks go
 * with those as the snapshot had them. `queue_place` counts from 1. `rank` counts from 1 among the task's runs that
 * have ended, with the reasons in words, each a sentence; `tied` are those that share it. `discarded` is when it was
 * thrown away, `kept_until` when it can be brought back no more.
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
 * `repository` is the URI of the repository's root, `snapshot` a commit of the shadow store. `baseline` is how the
 * checks go on the snapshot itself: all of them `running` while they are at it, empty before, and where it could not
 * be told. `cost_usd` and `tokens` are those of all runs, null where no agent told any. `parent` is the run whose
 * agent started it, null where a person did. `notices` are sentences for the person who started it: a `mux.toml` that
 * is not trusted, for one.
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
 * A run by what it was ranked for. `grade` is what the checks say, with what judges as the snapshot had it.
 *
 * `agreement` is how much of its lines another run has too, in the mean, from 0 to 1; `sharing` of the `of` others
 * have some of them, and `shared` is how much of them any has. `fixed` tests pass that failed on the snapshot,
 * `broken` ones passed there. `outside` are the files that it changes and that the prompt was not about, 200 at the
 * most. `seconds` is how long its agent worked. `reasons` and `tied` are those of the run.
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
 * What a run does to a file. Lines are null where it is not text.
 */
export interface ComparedChange {
  change: "added" | "modified" | "deleted" | "renamed" | "copied";
  added: number | null;
  removed: number | null;
}

/**
 * A change at a place, of all the `runs` that share it, best first. `gist` is the first line that says something,
 * with its sign in front.
 */
export interface ComparedVariant {
  hunk: string;
  runs: string[];
  added: number;
  removed: number;
  gist: string;
}

/**
 * Lines `[start, end)` of the snapshot's file that runs change, with the variants there are, best first. `differs`
 * says that not all runs that have changed anything do the same here.
 */
export interface ComparedPlace {
  start: number;
  end: number;
  differs: boolean;
  variants: ComparedVariant[];
}

/**
 * `runs` are those that change the file; `hunks` says for every hunk which runs share it. A file that runs rename
 * is compared at its path in the snapshot; `renamed` says which runs have it at which path. `changes` has what each of
 * the runs does to it, `places` where; 200 of them at the most.
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
 * `ranking` has the runs that have ended, best first. `files` are 200 at the most, `more` counts the others.
 * `equal` groups the runs with the same result. Runs that were thrown away are in none of them.
 */
export interface TaskCompareResult {
  task: TaskShape;
  ranking: RankedRun[];
  files: ComparedFile[];
  more: number;
  equal: string[][];
}

/**
 * `text` has what could drive a terminal made harmless. `offset` is where to read on.
 */
export interface RunLogResult {
  text: string;
  offset: number;
  ended: boolean;
}

/**
 * A patch for `git apply`. Where it is not UTF-8, `base64` has its exact bytes and `patch` a readable copy.
 */
export interface RunDiffResult {
  patch: string;
  base64: string | null;
}

/**
 * A hunk as it stands to the asking client's live text. `hunk` is null for a change that is not text, which is
 * accepted with its file. `path` and `old_path` are the file's (see `FileSummary`), `uri` is where its text is now: of
 * a renamed file at one of the two. `range` is where it lands, or what it collides with. `resolutions` are the values
 * of `mode` with which a conflict can be accepted all the same.
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
 * One change at a place, of all the `runs` that share it: `agreed` of the `of` runs that have changed something.
 * `what` says in a few characters what it does. `hunk` is null for a change that is not text, which is accepted with
 * its file. `resolutions` are the values of `mode` with which it can be accepted now; `lost` are the person's lines
 * that `take` would cost.
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
 * Where changes of one task compete, best first. `variants[shown]` is what lenses and hints are about. `open` is
 * whether there is anything to decide; where a variant is applied there is not, and others may be taken `instead`.
 */
export interface PlaceShape {
  task: string;
  range: Range;
  open: boolean;
  shown: number;
  variants: VariantShape[];
}

/**
 * The places in the order of the text, at this version of the document, without those where all was rejected.
 */
export interface ReviewPlacesResult {
  uri: string;
  version: number;
  places: PlaceShape[];
}

/**
 * What is shown now, and which of how many that wait at the place it is, counted from 0.
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
 * `mux.client.diff`: show a change of an open document as a diff. `diff` is a read-only document that has it.
 */
export interface ClientDiffParams {
  uri: string;
  run: string;
  hunk: string | null;
  diff: string;
}

/**
 * `mux.client.merge`: have the person merge. `base` and `theirs` are read-only documents: the file in the snapshot,
 * and as the run has it.
 */
export interface ClientMergeParams {
  uri: string;
  run: string;
  hunk: string | null;
  base: string;
  theirs: string;
}

/**
 * `mux.client.ask`: have the person pick agents, and start a task with them. The fields are those of
 * `mux.task.start`.
 */
export interface ClientAskParams {
  prompt: string;
  context: ContextPlace[];
  repository: string;
}

/**
 * `accepted` counts the hunks that were placed, `already` those that were there, `files` names what was changed.
 * `instead_of` are the runs whose hunks were taken out, `marked` counts the conflicts put between markers, `rejected`
 * those that were left out because they were rejected. `kept` is the folder with copies of the person's files that
 * `take` went over, null where there are none.
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
 * What was accepted, and which runs were thrown away.
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
 * The runs that were not thrown away before, and when they can be brought back no more (null where none).
 */
export interface DiscardResult {
  discarded: string[];
  kept_until: number | null;
}

/**
 * The runs that were brought back.
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
 * `rejected` counts the hunks that were not rejected before. `applied` are in the text: a no takes nothing out.
 */
export interface RejectResult {
  rejected: number;
  applied: number;
}

/**
 * `language` is LSP's name for it, null where the file name at the end of the URI says it.
 */
export interface DocumentResult {
  text: string;
  language: string | null;
}

/**
 * `uri` is what the client was asked to show: the `mux:` URI, or that of a read-only file.
 */
export interface DocumentShowResult {
  uri: string;
}

/**
 * A hunk that became part of a person's text, on record for good: also when its task was deleted.
 *
 * `cause` says whether it was accepted through mux-lsp, or the text just had it: typed, or brought in by another tool.
 * `message` is what the run was told to go on with. `agreed` are the other runs of the task that had the same hunk,
 * `total` is the number of runs that had changed anything. `line` is where it came to stand then, in the text of
 * `client`. `range` is where it stands now in that of the client that asks, null where that cannot be told or no `uri`
 * was asked about; `partial` that only some of its lines are left. Of very long hunks `added` and `removed` are null.
 * `withdrawn` is when the text lost it again, null while it stands.
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
 * The newest first.
 */
export interface HistoryListResult {
  acceptances: AcceptanceShape[];
}

/**
 * An agent by the name a task takes. `command` is what it runs, with `PROMPT` in the prompt's place; `configured`
 * says that config.toml names it. What cannot be known of it is null. `install` says how to get it; `logged_in`
 * whether there is a key or a file of credentials for it, neither of which is read.
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
 * What a repository's own `mux.toml` (`file`) says; null for what it leaves open. It counts only while `trusted`:
 * its person trusts exactly this, whose `digest` is null where it says nothing. `problem` is why it cannot be read.
 * `hooks_trusted`: whether the person's config.toml lets agents run the hooks and servers that the repository brings.
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
 * `at` is when its person last said so.
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
 * Dollars as far as agents told any, and tokens.
 */
export interface SpentShape {
  cost_usd: number;
  tokens: number;
}

/**
 * How checks went on the live text of a repository; where `run` is given, with changes of it placed on that: its
 * `hunks`, those of `paths`, or all. `before` of a check is how it goes on the snapshot of the newest task that has
 * these checks. `stale`: the text is neither what it was nor what was checked any more. `left_out` could not be taken.
 * `seconds` is how long it took, `at` when it began.
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
 * `printed` is the end of what each check printed, standard output before standard error.
 */
export interface VerifyResult {
  verdict: VerdictShape;
  printed: string[];
}

/**
 * `mux/verdictChanged`: a new verdict, or the text has moved on from it, or back to it.
 */
export interface VerdictChangedParams {
  verdict: VerdictShape;
}

/**
 * `disk_bytes` is what the shadow store and the hidden worktrees take up, `spent` what was spent here today.
 * `verdict` is the last one of `mux.verify`.
 */
export interface RepositoryStatus {
  repository: string;
  worktrees: number;
  disk_bytes: number;
  spent: SpentShape;
  verdict: VerdictShape | null;
}

/**
 * `queued_runs` are those of the unfinished that wait for their turn, also in paused tasks. `spent` is what all
 * agents told to have spent today, `day_usd` and `day_tokens` are the limits of a day. `notices` are sentences for the
 * person that hold as long as this daemon runs: that its journal has lost its last changes, say.
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
 * `mux/taskChanged`
 */
export interface TaskChangedParams {
  task: TaskShape;
  deleted: boolean;
}

/**
 * `mux/runChanged`
 */
export interface RunChangedParams {
  run: RunShape;
  previous: string;
}

/**
 * `mux/runOutput`
 */
export interface RunOutputParams {
  run: string;
  stream: "stdout" | "stderr";
  offset: number;
  text: string;
}

/**
 * What agents wait for leave to do: `subject` is a command, a path or a URL. `runs` ask for the same thing.
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
 * `mux/permissionRequested`: also when another run comes to wait for the same.
 */
export interface PermissionRequestedParams {
  permission: PermissionShape;
}

/**
 * `mux/permissionSettled`: answered, timed out, or the runs that asked are gone.
 */
export interface PermissionSettledParams {
  id: string;
  task: string;
  answer: string;
}

/**
 * `mux/reviewChanged`: what there is to review in these documents is different now.
 *
 * `uris` names 200 at the most, as the client names those that it has open; `more` counts the others.
 */
export interface ReviewChangedParams {
  uris: string[];
  more: number;
}

/**
 * `mux/queueChanged`: runs wait for their turn in this order now, without those of paused tasks.
 *
 * `runs` names 200 at the most; `more` counts the others. Those that are not named, and waited before, have their
 * turn, are paused or have ended.
 */
export interface QueueChangedParams {
  runs: string[];
  more: number;
}

/**
 * `mux/limitReached`: four fifths of what may be spent are, or all of it and what it was for was `stopped`.
 *
 * `scope` is what the limit is for; `repository` is a day in one repository. `of` is the run, the task or the URI of
 * the repository, null for a day. `message` says it in words.
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
 * `data` of an error response. `kind` is for programs; the message is for people.
 */
export interface ErrorData {
  kind: "failed" | "usage" | "conflict";
}

/**
 * `data` where `initialize` is refused for the client's protocol version; `protocol` is the server's.
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
